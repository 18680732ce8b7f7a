//! The tokenizer: one pass over the statement; every byte is looked at a bounded number of times.

use super::Dialect;

/// Longest tag of `$tag$` (PostgreSQL's limit for names) and longest `%(name)s`: bounds looking ahead.
const MAX_TAG: usize = 63;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// A keyword or a name.
    Word(&'a str),
    /// A name with its quotes.
    Quoted(&'a str),
    /// A literal or placeholder, as written.
    Literal(&'a str),
    /// Any other character.
    Punctuation(char),
    /// What cannot be told apart; the last token.
    Broken,
}

/// A token, and whether white space or a comment stands before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Spaced<'a> {
    pub(super) token: Token<'a>,
    pub(super) spaced: bool,
}

/// What a backslash does in a string.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Backslash {
    Escapes,
    Plain,
    /// Nobody knows: before a quote it breaks the statement.
    Either,
}

pub(super) struct Tokenizer<'a> {
    text: &'a str,
    at: usize,
    dialect: Dialect,
    after_literal: bool,
    #[cfg(test)]
    pub(super) steps: std::cell::Cell<usize>,
}

/// The end of a token that does not end.
struct Unterminated;

impl<'a> Tokenizer<'a> {
    pub(super) fn new(text: &'a str, dialect: Dialect) -> Self {
        Self {
            text,
            at: 0,
            dialect,
            after_literal: false,
            #[cfg(test)]
            steps: Default::default(),
        }
    }

    fn byte(&self, at: usize) -> Option<u8> {
        #[cfg(test)]
        self.steps.set(self.steps.get() + 1);
        self.text.as_bytes().get(at).copied()
    }

    fn starts_with(&self, at: usize, text: &str) -> bool {
        text.bytes().enumerate().all(|(i, b)| self.byte(at + i) == Some(b))
    }

    fn char(&self, at: usize) -> Option<char> {
        #[cfg(test)]
        self.steps.set(self.steps.get() + 1);
        self.text[at..].chars().next()
    }

    /// Where a text next begins, from a place on.
    fn position_of(&self, from: usize, text: &str) -> Option<usize> {
        let found = self.text.get(from..)?.find(text);
        #[cfg(test)]
        self.steps.set(self.steps.get() + found.unwrap_or(self.text.len() - from));
        found.map(|n| from + n)
    }

    /// Skips white space and comments; whether there was any.
    fn skip(&mut self) -> Result<bool, Unterminated> {
        let start = self.at;
        while let Some(c) = self.char(self.at) {
            if c.is_whitespace() || c.is_control() {
                self.at += c.len_utf8();
            } else if self.is_line_comment(c) {
                self.at = self.position_of(self.at, "\n").unwrap_or(self.text.len());
            } else if c == '/' && self.byte(self.at + 1) == Some(b'*') {
                self.at = self.end_of_comment()?;
            } else {
                break;
            }
        }
        Ok(self.at > start)
    }

    fn is_line_comment(&self, c: char) -> bool {
        let (next, after) = (self.byte(self.at + 1), self.byte(self.at + 2));
        match (c, self.dialect) {
            // `5--3` is a subtraction there
            ('-', Dialect::Mysql) => next == Some(b'-') && after.is_none_or(|b| b.is_ascii_whitespace() || b < b' '),
            ('-', _) => next == Some(b'-'),
            ('#', Dialect::Mysql) => true,
            // `#>` and `#-` are PostgreSQL's operators
            ('#', Dialect::Generic) => next != Some(b'>') && (next != Some(b'-') || after == Some(b'-')),
            _ => false,
        }
    }

    fn end_of_comment(&self) -> Result<usize, Unterminated> {
        let nested = matches!(self.dialect, Dialect::Postgres | Dialect::Mssql | Dialect::Generic);
        let (mut depth, mut at) = (1_usize, self.at + 2);
        while let Some(byte) = self.byte(at) {
            match (byte, self.byte(at + 1)) {
                (b'*', Some(b'/')) => {
                    at += 2;
                    depth -= 1;
                    if depth == 0 {
                        return Ok(at);
                    }
                }
                (b'/', Some(b'*')) if nested => {
                    at += 2;
                    depth += 1;
                }
                _ => at += 1,
            }
        }
        Err(Unterminated)
    }

    fn token(&mut self) -> Result<Option<Token<'a>>, Unterminated> {
        let start = self.at;
        let Some(c) = self.char(start) else { return Ok(None) };
        let next = self.byte(start + 1);
        let end = match c {
            '\'' => self.end_of_string(start, self.backslash())?,
            '"' => return self.double_quoted(start).map(Some),
            '`' => return self.name(self.end_of_string(start, Backslash::Plain)?),
            '[' if matches!(self.dialect, Dialect::Mssql | Dialect::Sqlite) => {
                return self.name(self.end_of_bracket(start)?);
            }
            '$' => self.end_of_dollar(start)?,
            '0'..='9' => self.end_of_number(start),
            '.' if next.is_some_and(|b| b.is_ascii_digit()) => self.end_of_number(start),
            '?' => self.end_while(start + 1, |c| c.is_ascii_digit()),
            ':' => self.end_of_parameter(start),
            '%' => self.end_of_format(start),
            c if is_word(c) => return self.word(start).map(Some),
            _ => start,
        };
        if end > start {
            self.at = end;
            return Ok(Some(Token::Literal(&self.text[start..end])));
        }
        self.at = start + c.len_utf8();
        Ok(Some(Token::Punctuation(c)))
    }

    fn name(&mut self, end: usize) -> Result<Option<Token<'a>>, Unterminated> {
        let start = std::mem::replace(&mut self.at, end);
        Ok(Some(quoted(&self.text[start..end])))
    }

    fn end_while(&self, mut at: usize, test: impl Fn(char) -> bool) -> usize {
        while let Some(c) = self.char(at).filter(|&c| test(c)) {
            at += c.len_utf8();
        }
        at
    }

    fn backslash(&self) -> Backslash {
        match self.dialect {
            Dialect::Mysql => Backslash::Escapes,
            Dialect::Generic => Backslash::Either,
            // PostgreSQL: `standard_conforming_strings` has been on since 9.1
            Dialect::Postgres | Dialect::Sqlite | Dialect::Oracle | Dialect::Mssql => Backslash::Plain,
        }
    }

    /// Behind the closing quote; a doubled quote does not close.
    fn end_of_string(&self, start: usize, backslash: Backslash) -> Result<usize, Unterminated> {
        let quote = self.byte(start);
        let mut at = start + 1;
        while let Some(byte) = self.byte(at) {
            if Some(byte) == quote {
                if self.byte(at + 1) != quote {
                    return Ok(at + 1);
                }
                at += 2;
            } else if byte == b'\\' && backslash != Backslash::Plain {
                if backslash == Backslash::Either && self.byte(at + 1) == quote {
                    return Err(Unterminated);
                }
                at += 2;
            } else {
                at += 1;
            }
        }
        Err(Unterminated)
    }

    fn double_quoted(&mut self, start: usize) -> Result<Token<'a>, Unterminated> {
        let is_string = matches!(self.dialect, Dialect::Mysql | Dialect::Generic);
        let backslash = if is_string { self.backslash() } else { Backslash::Plain };
        self.at = self.end_of_string(start, backslash)?;
        let text = &self.text[start..self.at];
        // SQLite takes it for a string when nothing has that name: only what looks like a name stays.
        let is_string = is_string || self.dialect == Dialect::Sqlite && !looks_like_name(text);
        Ok(if is_string { Token::Literal(text) } else { quoted(text) })
    }

    fn end_of_bracket(&self, start: usize) -> Result<usize, Unterminated> {
        let mut at = start + 1;
        loop {
            let close = self.position_of(at, "]").ok_or(Unterminated)?;
            if self.dialect != Dialect::Mssql || self.byte(close + 1) != Some(b']') {
                return Ok(close + 1);
            }
            at = close + 2;
        }
    }

    /// `$1`, `$tag$...$tag$`, SQLite's `$name`; the start itself when it is none of them.
    fn end_of_dollar(&self, start: usize) -> Result<usize, Unterminated> {
        if self.byte(start + 1).is_some_and(|b| b.is_ascii_digit()) {
            return Ok(self.end_while(start + 1, is_word));
        }
        let mut end = start + 1;
        while end - start <= MAX_TAG && self.char(end).is_some_and(is_word) {
            end += self.char(end).map_or(1, char::len_utf8);
        }
        if self.byte(end) == Some(b'$') {
            let tag = &self.text[start..=end];
            return self.position_of(end + 1, tag).map(|at| at + tag.len()).ok_or(Unterminated);
        }
        Ok(if self.dialect == Dialect::Sqlite && end > start + 1 { self.end_while(end, is_word) } else { start })
    }

    /// `1`, `1.5e-3`, `0xFF`, `1_000`; letters that follow belong to it.
    fn end_of_number(&self, start: usize) -> usize {
        let mut end = start;
        loop {
            end = self.end_while(end, |c| is_word(c) || c == '.');
            let is_exponent = end > start
                && matches!(self.byte(end - 1), Some(b'e' | b'E'))
                && !matches!(self.byte(start + 1), Some(b'x' | b'X'))
                && matches!(self.byte(end), Some(b'+' | b'-'))
                && self.byte(end + 1).is_some_and(|b| b.is_ascii_digit());
            if !is_exponent {
                return end;
            }
            end += 1;
        }
    }

    /// `:name` and `:1`; but `::type`, `:=` and the colon of a slice `[1:2]` are punctuation.
    fn end_of_parameter(&self, start: usize) -> usize {
        let follows_colon = start > 0 && self.byte(start - 1) == Some(b':');
        if follows_colon || self.after_literal {
            return start;
        }
        let end = self.end_while(start + 1, is_word);
        if end > start + 1 { end } else { start }
    }

    /// `%s` and `%(name)s`.
    fn end_of_format(&self, start: usize) -> usize {
        let mut at = start + 1;
        if self.byte(at) == Some(b'(') {
            at += 1;
            while at - start <= MAX_TAG && self.char(at).is_some_and(is_word) {
                at += self.char(at).map_or(1, char::len_utf8);
            }
            if self.byte(at) != Some(b')') {
                return start;
            }
            at += 1;
        }
        let is_format = matches!(self.byte(at), Some(b's' | b'b' | b't')) && !self.is_word_at(at + 1);
        if is_format { at + 1 } else { start }
    }

    fn is_word_at(&self, at: usize) -> bool {
        self.text.is_char_boundary(at) && self.char(at).is_some_and(is_word)
    }

    /// A word, or the string it is a prefix of: `E'..'`, `N'..'`, `X'..'`, `U&'..'`, `_utf8'..'`, `q'[..]'`.
    fn word(&mut self, start: usize) -> Result<Token<'a>, Unterminated> {
        let end = self.end_while(start, |c| is_word(c) || c == '$');
        let word = &self.text[start..end];
        let is = |prefixes: &[&str]| prefixes.iter().any(|prefix| word.eq_ignore_ascii_case(prefix));
        self.at = end;
        if is(&["u"]) && self.starts_with(end, "&'") {
            self.at = self.end_of_string(end + 1, self.backslash())?;
        } else if self.byte(end) != Some(b'\'') {
            return Ok(if is(&["true", "false"]) { Token::Literal(word) } else { Token::Word(word) });
        } else if is(&["e"]) && matches!(self.dialect, Dialect::Postgres | Dialect::Generic) {
            self.at = self.end_of_string(end, Backslash::Escapes)?;
        } else if is(&["q", "nq"]) && matches!(self.dialect, Dialect::Oracle | Dialect::Generic) {
            self.at = self.end_of_oracle_string(end)?;
        } else if is(&["e", "n", "x", "b", "r"]) || word.starts_with('_') {
            self.at = self.end_of_string(end, self.backslash())?;
        } else {
            return Ok(Token::Word(word));
        }
        Ok(Token::Literal(&self.text[start..self.at]))
    }

    /// `'[...]'`: from the quote on; any character may delimit.
    fn end_of_oracle_string(&self, quote: usize) -> Result<usize, Unterminated> {
        let opening = self.char(quote + 1).ok_or(Unterminated)?;
        let closing = match opening {
            '[' => ']',
            '(' => ')',
            '{' => '}',
            '<' => '>',
            other => other,
        };
        let end = format!("{closing}'");
        self.position_of(quote + 1 + opening.len_utf8(), &end).map(|at| at + end.len()).ok_or(Unterminated)
    }
}

/// A name with its quotes; one over several lines is none.
fn quoted(text: &str) -> Token<'_> {
    if text.contains(char::is_control) { Token::Literal(text) } else { Token::Quoted(text) }
}

/// Whether a quoted text could be a name that somebody gave to a table or column.
pub(super) fn looks_like_name(quoted: &str) -> bool {
    let inner = quoted.get(1..quoted.len() - 1).unwrap_or_default();
    inner.chars().all(|c| is_word(c) || matches!(c, '$' | '.' | '-'))
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

impl<'a> Iterator for Tokenizer<'a> {
    type Item = Spaced<'a>;

    fn next(&mut self) -> Option<Spaced<'a>> {
        let read = self.skip().and_then(|spaced| {
            self.after_literal &= !spaced;
            Ok(self.token()?.map(|token| Spaced { token, spaced }))
        });
        let Ok(token) = read else {
            self.at = self.text.len();
            return Some(Spaced { token: Token::Broken, spaced: true });
        };
        self.after_literal = matches!(token, Some(Spaced { token: Token::Literal(_), .. }));
        token
    }
}
