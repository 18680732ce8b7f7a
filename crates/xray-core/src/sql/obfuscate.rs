//! A statement without its literals.

use super::Dialect;
use super::token::{Spaced, Token, Tokenizer};
use crate::limits::SQL_BYTES;

/// The statement with every literal and placeholder as `?`, without comments, white space as one blank, the values of
/// `IN (...)`, `ARRAY[...]` and further rows of `VALUES` left out, cut with an ellipsis at [`SQL_BYTES`]. Names stay.
/// What cannot be told apart becomes `?` to the end. Takes time linear in the statement.
///
/// ```
/// use xray_core::sql::{Dialect, obfuscate};
/// assert_eq!(
///     obfuscate("SELECT * FROM t -- why\n WHERE a = 'x' AND b IN (1, 2, 3)", Dialect::Postgres),
///     "SELECT * FROM t WHERE a = ? AND b IN (?)",
/// );
/// ```
pub fn obfuscate(statement: &str, dialect: Dialect) -> String {
    let mut writer = Writer::default();
    let mut collapse = Collapse::default();
    for token in Tokenizer::new(statement, dialect) {
        collapse.take(token, &mut writer);
        if writer.full {
            break;
        }
    }
    writer.text
}

const ELLIPSIS: char = '…';

#[derive(Default)]
struct Writer {
    text: String,
    full: bool,
}

impl Writer {
    fn push(&mut self, token: Spaced<'_>) {
        let mut buffer = [0; 4];
        let text = match token.token {
            Token::Word(text) | Token::Quoted(text) => text,
            Token::Literal(_) | Token::Broken => "?",
            Token::Punctuation(c) => c.encode_utf8(&mut buffer),
        };
        // Two minus signs must not become a comment.
        let space = token.spaced || text == "-" && self.text.ends_with('-');
        let space = space && !self.text.is_empty();
        if self.text.len() + usize::from(space) + text.len() > SQL_BYTES - ELLIPSIS.len_utf8() {
            self.full = true;
            self.text.push(ELLIPSIS);
            return;
        }
        if space {
            self.text.push(' ');
        }
        self.text.push_str(text);
    }
}

/// Leaves out what makes one statement look like many: further values and further rows.
#[derive(Default)]
struct Collapse<'a> {
    depth: usize,
    before: Before,
    list: Option<List<'a>>,
    rows: Option<Rows<'a>>,
}

/// What the last token announces.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Before {
    #[default]
    Nothing,
    In,
    InOpened,
    Array,
    Values,
}

/// Inside `IN (` or `ARRAY[`, as long as there are only values.
#[derive(Default)]
struct List<'a> {
    /// Whether a value was written: further ones are left out.
    written: bool,
    /// A comma and perhaps a sign: written only if no value follows.
    held: Vec<Spaced<'a>>,
}

/// The rows of `VALUES (..), (..)` or `IN ((..), (..))`.
struct Rows<'a> {
    /// Depth outside of the rows.
    depth: usize,
    place: Place<'a>,
}

enum Place<'a> {
    /// In the first row.
    First,
    /// Behind a row.
    Behind,
    /// Behind a comma, which is written only if no row follows.
    Comma(Spaced<'a>),
    /// In a row that is left out.
    Further,
}

impl<'a> Collapse<'a> {
    fn take(&mut self, token: Spaced<'a>, writer: &mut Writer) {
        if !self.skip_row(token, writer) && !self.skip_value(token, writer) {
            self.write(token, writer);
        }
    }

    /// Whether the token belongs to a further row, or may.
    fn skip_row(&mut self, token: Spaced<'a>, writer: &mut Writer) -> bool {
        let Some(rows) = &mut self.rows else { return false };
        match (&rows.place, token.token) {
            (Place::Further, Token::Broken) => return false,
            (Place::Further, Token::Punctuation('(')) => self.depth += 1,
            (Place::Further, Token::Punctuation(')')) => {
                self.depth -= 1;
                if self.depth == rows.depth {
                    rows.place = Place::Behind;
                }
            }
            (Place::Further, _) => {}
            (Place::Comma(_), Token::Punctuation('(')) => {
                self.depth += 1;
                rows.place = Place::Further;
            }
            (Place::Comma(comma), _) => {
                writer.push(*comma);
                self.rows = None;
                return false;
            }
            (Place::Behind, Token::Punctuation(',')) => rows.place = Place::Comma(token),
            (Place::Behind, _) => {
                self.rows = None;
                return false;
            }
            (Place::First, _) => return false,
        }
        true
    }

    /// Whether the token belongs to a further value, or may.
    fn skip_value(&mut self, token: Spaced<'a>, writer: &mut Writer) -> bool {
        let Some(list) = &mut self.list else { return false };
        match token.token {
            Token::Literal(_) if !list.written => {
                list.written = true;
                return false;
            }
            Token::Punctuation('-' | '+') if !list.written => return false,
            Token::Literal(_) if !list.held.is_empty() => list.held.clear(),
            Token::Punctuation(',') if list.written && list.held.is_empty() => list.held.push(token),
            Token::Punctuation('-' | '+') if list.held.len() == 1 => list.held.push(token),
            _ => {
                list.held.drain(..).for_each(|held| writer.push(held));
                self.list = None;
                return false;
            }
        }
        true
    }

    fn write(&mut self, token: Spaced<'a>, writer: &mut Writer) {
        writer.push(token);
        let is = |word: &str, keyword: &str| word.eq_ignore_ascii_case(keyword);
        let before = std::mem::take(&mut self.before);
        match token.token {
            Token::Word(word) if is(word, "in") => self.before = Before::In,
            Token::Word(word) if is(word, "array") => self.before = Before::Array,
            Token::Word(word) if is(word, "values") => self.before = Before::Values,
            Token::Punctuation('(') => {
                if matches!(before, Before::Values | Before::InOpened) {
                    self.list = None;
                    self.rows = Some(Rows { depth: self.depth, place: Place::First });
                } else if before == Before::In {
                    self.list = Some(List::default());
                    self.before = Before::InOpened;
                }
                self.depth += 1;
            }
            Token::Punctuation('[') if before == Before::Array => self.list = Some(List::default()),
            Token::Punctuation(')') => {
                self.depth = self.depth.saturating_sub(1);
                match &mut self.rows {
                    Some(rows) if self.depth == rows.depth => rows.place = Place::Behind,
                    Some(rows) if self.depth < rows.depth => self.rows = None,
                    _ => {}
                }
            }
            _ => {}
        }
    }
}
