//! Routes given as regular expressions (Django's `re_path`, Tornado), read as templates.
//!
//! Groups and character classes are parameters, escaped characters are themselves, anchors, lookarounds, flags and
//! quantifiers are nothing. An optional piece counts as there. This is a reading, not a matcher: two spellings of one
//! route must come out equal, and they do as long as both are written with the same literals.

use super::template::{Piece, bracketed};

/// Deeper groups are one parameter.
const MAX_DEPTH: usize = 32;

pub(super) fn pieces(text: &[char]) -> Vec<Piece> {
    let mut scan = Scan { text, at: 0 };
    let mut found = Found::default();
    while scan.at < text.len() {
        scan.sequence(&mut found, 0);
        scan.at += 1; // a `)` that nothing opened
    }
    found.pieces
}

/// Where the group that opens at `at` ends: behind its `)`, or at the end.
pub(super) fn end_of_group(text: &[char], at: usize) -> usize {
    let mut depth = 0_usize;
    let mut i = at;
    while i < text.len() {
        match text[i] {
            '\\' => i += 1,
            '[' => i = end_of_class(text, i) - 1,
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        i += 1;
        if depth == 0 {
            break;
        }
    }
    i.min(text.len())
}

/// Where the class that opens at `at` ends: behind its `]`, or at the end.
fn end_of_class(text: &[char], at: usize) -> usize {
    let mut i = at + 1;
    if text.get(i) == Some(&'^') {
        i += 1;
    }
    // First in a class, `]` is a member of it.
    if text.get(i) == Some(&']') {
        i += 1;
    }
    while i < text.len() && text[i] != ']' {
        i += if text[i] == '\\' { 2 } else { 1 };
    }
    (i + 1).min(text.len())
}

#[derive(Default)]
struct Found {
    pieces: Vec<Piece>,
    /// A `|` on the outermost level.
    alternatives: bool,
    /// Whether the last piece is a character class: the next one is the same parameter (`\d\d\d\d`).
    in_class: bool,
}

impl Found {
    fn push(&mut self, piece: Piece) {
        self.pieces.push(piece);
        self.in_class = false;
    }

    fn class(&mut self) {
        if !self.in_class {
            self.push(Piece::Parameter(String::new()));
        }
        self.in_class = true;
    }
}

struct Scan<'a> {
    text: &'a [char],
    at: usize,
}

impl Scan<'_> {
    fn next(&self, ahead: usize) -> Option<char> {
        self.text.get(self.at + ahead).copied()
    }

    /// Everything up to the end or the `)` that closes this level, which stays.
    fn sequence(&mut self, found: &mut Found, depth: usize) {
        while let Some(c) = self.next(0) {
            match c {
                ')' => return,
                '(' => self.group(found, depth),
                '[' => {
                    self.at = end_of_class(self.text, self.at);
                    found.class();
                }
                '\\' => self.escape(found),
                '^' | '$' | '*' | '+' | '?' => self.at += 1,
                '{' if self.next(1).is_some_and(|c| c.is_ascii_digit() || c == ',') => {
                    let length = self.text[self.at..].iter().position(|&c| c == '}');
                    self.at = length.map_or(self.text.len(), |n| self.at + n + 1);
                }
                '<' => self.bracketed(found, '>', |inner| inner.rsplit(':').next()),
                '{' => self.bracketed(found, '}', |inner| inner.split(':').next()),
                '.' if matches!(self.next(1), Some('*' | '+' | '{')) => {
                    self.at += 1;
                    found.class();
                }
                '|' => {
                    self.at += 1;
                    found.alternatives = true;
                    found.push(Piece::Literal('|'));
                }
                literal => {
                    self.at += 1;
                    found.push(Piece::Literal(literal));
                }
            }
        }
    }

    /// A parameter of another style: routes are put together from pieces.
    fn bracketed(&mut self, found: &mut Found, closing: char, name: fn(&str) -> Option<&str>) {
        let (piece, end) =
            bracketed(self.text, self.at, closing, name).unwrap_or((Piece::Literal(self.text[self.at]), self.at + 1));
        found.push(piece);
        self.at = end;
    }

    fn escape(&mut self, found: &mut Found) {
        match self.next(1) {
            Some('A' | 'Z' | 'z' | 'b' | 'B') | None => {}
            Some('d' | 'D' | 'w' | 'W' | 's' | 'S' | '0'..='9') => found.class(),
            Some(literal) => found.push(Piece::Literal(literal)),
        }
        self.at += 2;
    }

    fn group(&mut self, found: &mut Found, depth: usize) {
        let end = end_of_group(self.text, self.at);
        let head: String = self.text[self.at + 1..end].iter().take(4).collect();
        let named = match head.as_str() {
            h if h.starts_with("?P<") => Some(self.at + 4),
            h if h.starts_with("?<") && !h.starts_with("?<=") && !h.starts_with("?<!") => Some(self.at + 3),
            _ => None,
        };
        if let Some(name_at) = named {
            let name = self.text[name_at.min(end)..end].iter().take_while(|&&c| c != '>').collect();
            found.push(Piece::Parameter(name));
        } else if head.starts_with("?P=") {
            found.class();
        } else if ["?=", "?!", "?<", "?#"].iter().any(|look| head.starts_with(look)) {
            // consumes nothing
        } else if depth == MAX_DEPTH {
            found.push(Piece::Parameter(String::new()));
        } else {
            self.inside(found, depth, end);
        }
        self.at = end;
    }

    /// A group without a name: what is in it counts, unless all of it is one unnamed parameter.
    fn inside(&mut self, found: &mut Found, depth: usize, end: usize) {
        self.at += 1;
        let captures = self.next(0) != Some('?');
        if !captures {
            // `?:`, `?i:`, `?>`, or flags alone: `?i`
            let head = self.text[self.at..end].iter().position(|c| matches!(c, ':' | '>' | ')'));
            self.at += head.map_or(end - self.at, |n| n + usize::from(self.text[self.at + n] != ')'));
        }
        let mut inner = Found::default();
        self.sequence(&mut inner, depth + 1);
        let named = inner.pieces.iter().any(|p| matches!(p, Piece::Parameter(name) if !name.is_empty()));
        if (captures || inner.alternatives) && !named {
            found.push(Piece::Parameter(String::new()));
        } else {
            inner.pieces.into_iter().for_each(|piece| found.push(piece));
        }
    }
}
