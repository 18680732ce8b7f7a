//! Rust sources of the workspace, with comments and literals told apart from code.

use std::fs;
use std::path::{Path, PathBuf};

/// The top of the checkout.
pub fn top() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().expect("the tests are a folder of the checkout").to_path_buf()
}

/// All `.rs` files below `directory`, sorted.
pub fn rust_files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![directory.to_path_buf()];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(&directory).expect("a folder of the checkout is readable") {
            let path = entry.expect("a folder of the checkout is readable").path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// `source` with every comment, string and character literal blanked; line breaks stay, so lines keep their numbers.
pub fn code_only(source: &str) -> String {
    let text: Vec<char> = source.chars().collect();
    let mut code = String::with_capacity(source.len());
    let mut at = 0;
    while at < text.len() {
        let end = literal_end(&text, at);
        if end == at {
            code.push(text[at]);
            at += 1;
        } else {
            code.extend(text[at..end].iter().map(|&c| if c == '\n' { '\n' } else { ' ' }));
            at = end;
        }
    }
    code
}

/// Where the comment or literal that begins at `at` ends; `at` itself when none begins there.
fn literal_end(text: &[char], at: usize) -> usize {
    let next = |offset: usize| text.get(at + offset).copied();
    let after_word = at > 0 && (text[at - 1].is_alphanumeric() || text[at - 1] == '_');
    match text[at] {
        '/' if next(1) == Some('/') => find(text, at, |&c| c == '\n').unwrap_or(text.len()),
        '/' if next(1) == Some('*') => block_comment_end(text, at),
        'r' if !after_word || text[at - 1] == 'b' || text[at - 1] == 'c' => raw_string_end(text, at).unwrap_or(at),
        '"' => quoted_end(text, at, '"'),
        // A quote is a character unless it begins a lifetime: 'a' and '\n', not 'static.
        '\'' if next(1) == Some('\\') || next(2) == Some('\'') => quoted_end(text, at, '\''),
        _ => at,
    }
}

fn find(text: &[char], from: usize, wanted: impl Fn(&char) -> bool) -> Option<usize> {
    text[from..].iter().position(wanted).map(|offset| from + offset)
}

fn quoted_end(text: &[char], at: usize, quote: char) -> usize {
    let mut position = at + 1;
    while position < text.len() {
        match text[position] {
            '\\' => position += 2,
            c if c == quote => return position + 1,
            _ => position += 1,
        }
    }
    text.len()
}

fn block_comment_end(text: &[char], at: usize) -> usize {
    let (mut depth, mut position) = (0, at);
    while position < text.len() {
        match (text[position], text.get(position + 1)) {
            ('/', Some('*')) => (depth, position) = (depth + 1, position + 2),
            ('*', Some('/')) if depth == 1 => return position + 2,
            ('*', Some('/')) => (depth, position) = (depth - 1, position + 2),
            _ => position += 1,
        }
    }
    text.len()
}

/// End of `r"..."` or `r#"..."#`; None when `at` begins something else, a raw identifier for example.
fn raw_string_end(text: &[char], at: usize) -> Option<usize> {
    let quote = find(text, at + 1, |&c| c != '#')?;
    if text[quote] != '"' {
        return None;
    }
    let closing: Vec<char> = std::iter::once('"').chain(std::iter::repeat_n('#', quote - at - 1)).collect();
    let end = text[quote + 1..].windows(closing.len()).position(|window| window == closing.as_slice());
    Some(end.map_or(text.len(), |offset| quote + 1 + offset + closing.len()))
}

#[cfg(test)]
mod tests {
    use super::code_only;

    #[test]
    fn comments_and_literals_are_blanked_and_lines_kept() {
        let source = "let a = \"unsafe \\\" {\"; // unsafe\n/* unsafe /* nested */ unsafe */ let b = r#\"unsafe\"#;\n";
        let code = code_only(source);
        assert!(!code.contains("unsafe"), "{code}");
        assert!(code.contains("let a =") && code.contains("let b ="), "{code}");
        assert_eq!(code.matches('\n').count(), 2);
    }

    #[test]
    fn lifetimes_and_characters_are_told_apart() {
        let code = code_only("fn f<'a>(x: &'a str) -> char { '\"' } unsafe { '\\'' } b'x'; r#type; br\"unsafe\"");
        assert_eq!(code.matches("unsafe").count(), 1, "{code}");
        assert!(code.contains("&'a str") && code.contains("r#type"), "{code}");
    }
}
