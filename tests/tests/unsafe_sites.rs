//! `unsafe` only where ARCHITECTURE.md allows it, and each block with the reason why it is sound.

use std::path::{Path, PathBuf};

use xray_tests::source::{code_only, rust_files, top};

/// The only folders that may contain `unsafe`.
const ALLOWED: [&str; 2] = ["crates/xray-py/src/cpython", "crates/xray-py/src/os"];

/// How far above a block its note may begin: notes of many lines exist, other statements end the search.
const NOTE_LINES: usize = 40;

/// One `unsafe` in code.
struct Site {
    file: PathBuf,
    /// Index of its line.
    line: usize,
    /// Opens a block or an `impl`: the compiler's checks end here, so a reason is needed.
    needs_note: bool,
}

fn sites(file: &Path, code: &str) -> Vec<Site> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices("unsafe")
        .filter(|(at, word)| !code[..*at].ends_with(is_word) && !code[at + word.len()..].starts_with(is_word))
        .map(|(at, word)| {
            let rest = code[at + word.len()..].trim_start();
            let line = code[..at].matches('\n').count();
            Site { file: file.to_path_buf(), line, needs_note: rest.starts_with('{') || rest.starts_with("impl") }
        })
        .collect()
}

/// Whether a `SAFETY:` comment stands on the line, or above the statement that the line belongs to.
fn has_note(source: &[&str], code: &[&str], line: usize) -> bool {
    if source[line].contains("SAFETY:") {
        return true;
    }
    for above in (line.saturating_sub(NOTE_LINES)..line).rev() {
        let (text, code) = (source[above].trim(), code[above].trim());
        if text.starts_with("//") && text.contains("SAFETY:") {
            return true;
        }
        let statement_ends = code.ends_with([';', '{', '}']);
        if text.is_empty() || (statement_ends && !code.starts_with("unsafe")) {
            return false;
        }
    }
    false
}

#[test]
fn unsafe_only_where_it_belongs() {
    let top = top();
    for folder in ["crates", "tests", "benches"] {
        for file in rust_files(&top.join(folder)) {
            let name = file.strip_prefix(&top).expect("a file of the checkout");
            if ALLOWED.iter().any(|allowed| name.starts_with(allowed)) {
                continue;
            }
            let source = std::fs::read_to_string(&file).expect("a source file is readable");
            if let Some(site) = sites(name, &code_only(&source)).first() {
                panic!("{}:{}: `unsafe` is only for {ALLOWED:?}", site.file.display(), site.line + 1);
            }
        }
    }
}

#[test]
fn every_unsafe_block_says_why_it_is_sound() {
    let top = top();
    let mut missing = Vec::new();
    for file in ALLOWED.iter().map(|folder| top.join(folder)).filter(|folder| folder.is_dir()) {
        for file in rust_files(&file) {
            let source = std::fs::read_to_string(&file).expect("a source file is readable");
            let code = code_only(&source);
            let (source_lines, code_lines): (Vec<_>, Vec<_>) = (source.lines().collect(), code.lines().collect());
            for site in sites(&file, &code).iter().filter(|site| site.needs_note) {
                if !has_note(&source_lines, &code_lines, site.line) {
                    missing.push(format!("{}:{}", site.file.display(), site.line + 1));
                }
            }
        }
    }
    assert!(missing.is_empty(), "no SAFETY note at {missing:#?}");
}

#[test]
fn a_missing_note_is_found() {
    let source = "fn f() {\n    g();\n    unsafe { h() };\n    // SAFETY: h has no preconditions\n    let x =\n        unsafe { h() };\n}\n";
    let code = code_only(source);
    let (source_lines, code_lines): (Vec<_>, Vec<_>) = (source.lines().collect(), code.lines().collect());
    let found: Vec<bool> =
        sites(Path::new("f.rs"), &code).iter().map(|site| has_note(&source_lines, &code_lines, site.line)).collect();
    assert_eq!(found, [false, true]);
}
