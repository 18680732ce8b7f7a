//! Where code stands: short file names, and whether a file is the application's or a library's.

/// The part of a path that tells files apart: from below `site-packages` or the standard library, else its last two
/// components.
pub(crate) fn short_path(path: &str) -> &str {
    for root in ["/site-packages/", "/dist-packages/"] {
        if let Some(at) = path.rfind(root) {
            return &path[at + root.len()..];
        }
    }
    if let Some(inside) = below_standard_library(path) {
        return inside;
    }
    let mut slashes = path.char_indices().rev().filter(|(_, c)| matches!(c, '/' | '\\'));
    slashes.nth(1).map_or(path, |(at, _)| &path[at + 1..])
}

/// Whether the file belongs to an installed package or to Python itself.
pub(crate) fn is_library(path: &str) -> bool {
    path.contains("/site-packages/")
        || path.contains("/dist-packages/")
        || path.starts_with("<frozen")
        || below_standard_library(path).is_some()
}

/// `.../lib/python3.12/json/decoder.py` -> `json/decoder.py`.
fn below_standard_library(path: &str) -> Option<&str> {
    let (_, after) = path.split_once("/lib/python3")?;
    after.split_once('/').map(|(_, inside)| inside)
}

/// `views.py:42`; only what is known.
pub(crate) fn place(file: Option<&str>, line: Option<u32>) -> String {
    match (file.filter(|f| !f.is_empty()), line.filter(|l| *l > 0)) {
        (Some(file), Some(line)) => format!("{}:{line}", short_path(file)),
        (Some(file), None) => short_path(file).to_owned(),
        (None, _) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_cut_to_what_tells_them_apart() {
        let cases = [
            ("/srv/blog/blog/views.py", "blog/views.py", false),
            ("/venv/lib/python3.11/site-packages/django/db/models/query.py", "django/db/models/query.py", true),
            ("/usr/lib/python3.12/json/decoder.py", "json/decoder.py", true),
            ("<frozen importlib._bootstrap>", "<frozen importlib._bootstrap>", true),
            ("C:\\app\\blog\\views.py", "blog\\views.py", false),
            ("views.py", "views.py", false),
            ("", "", false),
        ];
        for (path, short, library) in cases {
            assert_eq!((short_path(path), is_library(path)), (short, library), "{path}");
        }
        assert_eq!(place(Some("a/b/c.py"), Some(7)), "b/c.py:7");
        assert_eq!(place(Some("c.py"), Some(0)), "c.py");
        assert_eq!(place(None, Some(3)), "");
    }
}
