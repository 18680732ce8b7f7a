//! A short name for a statement: `blog_post - SELECT`.

use super::Dialect;
use super::token::{Spaced, Token, Tokenizer, looks_like_name};

/// Longest table name, in characters.
const MAX_TABLE_CHARS: usize = 128;
/// Most names of common table expressions that are told from tables.
const MAX_EXPRESSIONS: usize = 64;

/// What a statement does, and to which table first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// First keyword in upper case; `SQL` for what is no known statement.
    pub operation: &'static str,
    /// First table, with its schema, without quotes.
    pub table: Option<String>,
}

impl Summary {
    /// `blog_post - SELECT`, or the operation alone.
    pub fn name(&self) -> String {
        match &self.table {
            Some(table) => format!("{table} - {}", self.operation),
            None => self.operation.to_owned(),
        }
    }
}

/// Where a statement has its table.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Where {
    Nowhere,
    /// Behind the operation, or behind `FROM`.
    Next,
    From,
    /// Behind `TABLE`, `VIEW` and the like, or behind `ON` for an index.
    Object,
    /// The statement is yet to come: `EXPLAIN`, `WITH`.
    Inner,
}

const OPERATIONS: [(&str, Where); 51] = [
    ("SELECT", Where::From),
    ("INSERT", Where::Next),
    ("UPDATE", Where::Next),
    ("DELETE", Where::From),
    ("REPLACE", Where::Next),
    ("MERGE", Where::Next),
    ("WITH", Where::Inner),
    ("EXPLAIN", Where::Inner),
    ("DECLARE", Where::From),
    ("COPY", Where::Next),
    ("TRUNCATE", Where::Next),
    ("CREATE", Where::Object),
    ("ALTER", Where::Object),
    ("DROP", Where::Object),
    ("LOCK", Where::Object),
    ("TABLE", Where::Next),
    ("CALL", Where::Next),
    ("EXEC", Where::Next),
    ("EXECUTE", Where::Next),
    ("BEGIN", Where::Nowhere),
    ("START", Where::Nowhere),
    ("COMMIT", Where::Nowhere),
    ("END", Where::Nowhere),
    ("ROLLBACK", Where::Nowhere),
    ("ABORT", Where::Nowhere),
    ("SAVEPOINT", Where::Nowhere),
    ("RELEASE", Where::Nowhere),
    ("PRAGMA", Where::Nowhere),
    ("SET", Where::Nowhere),
    ("RESET", Where::Nowhere),
    ("SHOW", Where::Nowhere),
    ("USE", Where::Nowhere),
    ("VALUES", Where::Nowhere),
    ("FETCH", Where::Nowhere),
    ("MOVE", Where::Nowhere),
    ("CLOSE", Where::Nowhere),
    ("PREPARE", Where::Nowhere),
    ("DEALLOCATE", Where::Nowhere),
    ("LISTEN", Where::Nowhere),
    ("UNLISTEN", Where::Nowhere),
    ("NOTIFY", Where::Nowhere),
    ("GRANT", Where::Nowhere),
    ("REVOKE", Where::Nowhere),
    ("ANALYZE", Where::Nowhere),
    ("VACUUM", Where::Nowhere),
    ("REINDEX", Where::Nowhere),
    ("REFRESH", Where::Nowhere),
    ("ATTACH", Where::Nowhere),
    ("DETACH", Where::Nowhere),
    ("DESCRIBE", Where::Nowhere),
    ("DO", Where::Nowhere),
];

/// Words between an operation and its table.
const MODIFIERS: [&str; 19] = [
    "INTO",
    "ONLY",
    "TABLE",
    "OR",
    "IGNORE",
    "REPLACE",
    "ROLLBACK",
    "ABORT",
    "FAIL",
    "LOW_PRIORITY",
    "HIGH_PRIORITY",
    "DELAYED",
    "QUICK",
    "OVERWRITE",
    "IF",
    "NOT",
    "EXISTS",
    "LATERAL",
    "CONCURRENTLY",
];

/// Names a statement. Takes time linear in it.
pub fn summarize(statement: &str, dialect: Dialect) -> Summary {
    let mut reader = Reader { quotes_may_name: dialect == Dialect::Generic, ..Reader::default() };
    for token in Tokenizer::new(statement, dialect) {
        reader.take(token);
        if reader.done {
            break;
        }
    }
    reader.end_name();
    Summary { operation: reader.operation.unwrap_or("SQL"), table: reader.table.or(reader.inner_table) }
}

#[derive(Default)]
struct Reader {
    quotes_may_name: bool,
    operation: Option<&'static str>,
    place: Option<Where>,
    explained: bool,
    in_with: bool,
    depth: usize,
    /// Depth of the operation.
    base: usize,
    /// The next name is a table's.
    expecting: bool,
    /// The table's name as far as it was read, its depth, and whether a dot was last.
    name: Option<(String, usize, bool)>,
    /// The next table at any depth is the main one: `FROM (SELECT ...`.
    any_depth: bool,
    table: Option<String>,
    /// First table of a subquery or common table expression.
    inner_table: Option<String>,
    expressions: Vec<String>,
    /// Last name at the operation's depth.
    last_name: Option<String>,
    last_word: String,
    seen_index: bool,
    done: bool,
}

impl Reader {
    fn take(&mut self, token: Spaced<'_>) {
        if self.continue_name(token) {
            return;
        }
        self.end_name();
        match token.token {
            Token::Word(word) => self.word(word),
            Token::Quoted(quoted) => self.found_name(&unquoted(quoted)),
            Token::Literal(text) => self.literal(text),
            Token::Punctuation('(') => {
                self.any_depth |= self.expecting && self.depth == self.base;
                self.expecting = false;
                self.depth += 1;
            }
            Token::Punctuation(')') => self.depth = self.depth.saturating_sub(1),
            Token::Punctuation(';') => self.done = self.operation.is_some(),
            // `@table` and `#table` of SQL Server
            Token::Punctuation('@' | '#') => {}
            Token::Punctuation(_) | Token::Broken => self.expecting = false,
        }
    }

    /// `schema.table`
    fn continue_name(&mut self, token: Spaced<'_>) -> bool {
        let Some((name, _, dot)) = &mut self.name else { return false };
        let part = match token.token {
            Token::Punctuation('.') if !*dot => {
                *dot = true;
                return true;
            }
            Token::Word(word) if *dot => word.to_owned(),
            Token::Quoted(quoted) if *dot => unquoted(quoted),
            Token::Literal(text) if *dot && self.quotes_may_name && is_name(text) => unquoted(text),
            _ => return false,
        };
        name.push('.');
        name.push_str(&part);
        *dot = false;
        true
    }

    fn end_name(&mut self) {
        let Some((name, depth, _)) = self.name.take() else { return };
        if self.expressions.contains(&name.to_lowercase()) {
            return;
        }
        let name = name.chars().filter(|c| !c.is_control()).take(MAX_TABLE_CHARS).collect();
        if !self.in_with && (depth == self.base || self.any_depth) {
            self.table = Some(name);
            self.done = true;
        } else if self.inner_table.is_none() {
            self.inner_table = Some(name);
        }
    }

    fn found_name(&mut self, name: &str) {
        if self.expecting {
            self.expecting = false;
            self.name = Some((name.to_owned(), self.depth, false));
        } else if self.depth == self.base {
            self.last_name = Some(name.to_lowercase());
        }
    }

    /// Where the dialect is not known `"..."` may be a string, but behind `FROM` only a name has a meaning.
    fn literal(&mut self, text: &str) {
        if self.expecting && self.quotes_may_name && is_name(text) {
            self.found_name(&unquoted(text));
        }
        self.expecting = false;
    }

    fn word(&mut self, word: &str) {
        let upper = word.to_ascii_uppercase();
        let awaits_operation = self.place.is_none() || (self.place == Some(Where::Inner) && self.depth == self.base);
        match upper.as_str() {
            _ if awaits_operation && self.begin(&upper) => {}
            "AS" if self.in_with && self.depth == self.base => {
                let name = self.last_name.take();
                self.expressions.extend(name.filter(|_| self.expressions.len() < MAX_EXPRESSIONS));
            }
            "FROM" | "JOIN" if self.reads_tables() => self.expecting = self.last_word != "DISTINCT",
            "UPDATE" | "INTO" if self.in_with && self.depth > self.base => self.expecting = true,
            "TABLE" | "VIEW" if self.place == Some(Where::Object) => self.expecting = true,
            "INDEX" | "TRIGGER" => self.seen_index = true,
            "ON" if self.place == Some(Where::Object) && self.seen_index => self.expecting = true,
            modifier if self.expecting && MODIFIERS.contains(&modifier) => {}
            _ => self.found_name(word),
        }
        self.last_word = upper;
    }

    fn reads_tables(&self) -> bool {
        !matches!(self.place, None | Some(Where::Nowhere | Where::Object)) || self.in_with
    }

    /// Whether the word is an operation, which then begins.
    fn begin(&mut self, upper: &str) -> bool {
        let known = OPERATIONS.iter().find(|(name, _)| *name == upper);
        if self.in_with && !known.is_some_and(|(_, place)| matches!(place, Where::From | Where::Next)) {
            return false;
        }
        let Some(&(name, place)) = known else {
            // Something unknown is not searched; behind EXPLAIN there may be options.
            self.done = self.place.is_none();
            return false;
        };
        if self.explained && name == "ANALYZE" {
            return true;
        }
        self.in_with = name == "WITH";
        if !self.explained {
            self.operation = Some(name);
        }
        self.explained |= name == "EXPLAIN";
        self.place = Some(place);
        self.base = self.depth;
        self.expecting = place == Where::Next;
        self.done = place == Where::Nowhere;
        true
    }
}

fn is_name(literal: &str) -> bool {
    literal.starts_with('"') && looks_like_name(literal)
}

fn unquoted(quoted: &str) -> String {
    let mut chars = quoted.chars();
    chars.next();
    chars.next_back();
    chars.collect()
}
