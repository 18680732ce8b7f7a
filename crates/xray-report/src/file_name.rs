//! The name of a session's file when the user gives none.

use xray_core::control::directory::slug;

/// `<slug>-<UTC time>.xr`: `tags-tag-20261122T180500Z.xr`.
pub fn default_file_name(transaction: &str) -> String {
    format!("{}-{}.xr", slug(transaction), jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ"))
}

#[cfg(test)]
mod tests {
    use super::default_file_name;

    #[test]
    fn says_what_and_when_and_stays_in_its_directory() {
        let name = default_file_name("GET /tags/<tag>/");
        assert!(name.starts_with("get-tags-tag-") && name.ends_with("Z.xr"), "{name}");
        assert!(default_file_name("../../etc/passwd").starts_with("etc-passwd-"));
    }
}
