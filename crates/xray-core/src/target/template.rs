//! Route templates in the spellings of the frameworks, and their one canonical form.

use super::regex_route;

/// A part of a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// Text that stands for itself.
    Literal(char),
    /// A parameter with its name, if it has one.
    Parameter(String),
}

/// The canonical form of a route template: a leading slash, and `{}` for each parameter whatever its name, type and
/// spelling. It is its own canonical form.
///
/// Understood are `<tag>`, `<str:tag>`, `{tag}`, `{tag:path}`, `:tag`, and regular expressions as Django's `re_path`
/// takes them (`^tags/(?P<tag>[^/]+)/$`), also in pieces of one route.
pub fn canonical_route(template: &str) -> String {
    let (mut found, is_regex) = pieces(template);
    loop {
        let canonical = render(&found, |_| "{}".to_owned());
        // Brackets that do not pair become a parameter once what is between them is one: `<{<}>`. Each round has fewer
        // pieces. What a regular expression matches is not read as a template again.
        let (again, _) = pieces(&canonical);
        if is_regex || again.len() >= found.len() {
            return canonical;
        }
        found = again;
    }
}

/// A route template for people: as the framework writes it, with a leading slash, and a regular expression simplified
/// to `/tags/<tag>/`.
pub fn display_route(template: &str) -> String {
    match pieces(template) {
        (pieces, true) => render(&pieces, |name| format!("<{}>", if name.is_empty() { "arg" } else { name })),
        (_, false) if template.starts_with('/') => template.to_owned(),
        (_, false) => format!("/{template}"),
    }
}

/// Whether it has a parameter: a route without any may be a concrete path.
pub(super) fn has_parameters(template: &str) -> bool {
    pieces(template).0.iter().any(|p| matches!(p, Piece::Parameter(_)))
}

/// Whether it is a regular expression.
pub(super) fn is_regex(template: &str) -> bool {
    pieces(template).1
}

fn render(pieces: &[Piece], parameter: impl Fn(&str) -> String) -> String {
    let mut route = String::new();
    if pieces.first() != Some(&Piece::Literal('/')) {
        route.push('/');
    }
    for piece in pieces {
        match piece {
            Piece::Literal(c) => route.push(*c),
            Piece::Parameter(name) => route.push_str(&parameter(name)),
        }
    }
    route
}

/// The pieces, and whether the route is a regular expression.
fn pieces(template: &str) -> (Vec<Piece>, bool) {
    let text: Vec<char> = template.chars().collect();
    let mut pieces = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let (piece, end) = parameter(&text, at).unwrap_or((Piece::Literal(text[at]), at + 1));
        pieces.push(piece);
        at = end;
    }
    // Outside of parameters these have no other use in a route.
    let is_regex = pieces.last() == Some(&Piece::Literal('$'))
        || pieces.iter().any(|p| matches!(p, Piece::Literal('^' | '(' | '\\')));
    if is_regex { (regex_route::pieces(&text), true) } else { (pieces, false) }
}

/// The parameter that begins at a place, and where it ends.
fn parameter(text: &[char], at: usize) -> Option<(Piece, usize)> {
    match text[at] {
        '<' => bracketed(text, at, '>', |inner| inner.rsplit(':').next()),
        '{' => bracketed(text, at, '}', |inner| inner.split(':').next()),
        ':' if at == 0 || text[at - 1] == '/' => colon(text, at),
        _ => None,
    }
}

/// `<str:tag>`, `{tag:path}`, `{}`; converters may hold brackets: `<any(a,b):x>`, `{year:\d{4}}`.
pub(super) fn bracketed(
    text: &[char],
    at: usize,
    closing: char,
    name: fn(&str) -> Option<&str>,
) -> Option<(Piece, usize)> {
    let opening = text[at];
    let (mut depth, mut parentheses) = (0_usize, 0_usize);
    for (i, &c) in text.iter().enumerate().skip(at) {
        match c {
            '(' => parentheses += 1,
            ')' => parentheses = parentheses.saturating_sub(1),
            _ if parentheses > 0 => {}
            _ if c == opening => depth += 1,
            _ if c == closing => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            let inner: String = text[at + 1..i].iter().collect();
            return Some((Piece::Parameter(name(&inner).unwrap_or_default().to_owned()), i + 1));
        }
    }
    None
}

/// `:tag`, with Express's `:tag(\d+)` and `:tag?`.
fn colon(text: &[char], at: usize) -> Option<(Piece, usize)> {
    let is_word = |c: &char| c.is_alphanumeric() || *c == '_';
    let name: String = text[at + 1..].iter().take_while(|c| is_word(c)).collect();
    if !name.starts_with(|c: char| c.is_alphabetic() || c == '_') {
        return None;
    }
    let mut end = at + 1 + name.chars().count();
    if text.get(end) == Some(&'(') {
        end = regex_route::end_of_group(text, end);
    }
    if text.get(end) == Some(&'?') {
        end += 1;
    }
    Some((Piece::Parameter(name), end))
}
