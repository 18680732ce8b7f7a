//! What is special about a trace or a segment, in a few characters.

use super::numbers::{count, counted};
use crate::model::{TraceNode, TraceSummary};

impl TraceSummary {
    /// Its exception, and what is missing; empty when nothing is special.
    pub(crate) fn flags(&self) -> String {
        let mut flags = Vec::new();
        if let Some(error) = &self.error {
            flags.push(format!("✗ {error}"));
        }
        if !self.complete {
            let reason = self.attributes.get("incomplete").map(|why| format!(": {why}")).unwrap_or_default();
            flags.push(format!("incomplete{reason}"));
        }
        flags.join(", ")
    }
}

impl TraceNode {
    /// The name, with the mark of an exception in front, where a cut cannot hide it.
    pub(crate) fn marked_name(&self) -> String {
        let mut name = String::new();
        if self.errors > 0 {
            name.push_str("✗ ");
            if self.calls > 1 {
                name.push_str(&format!("{} of {} ", count(self.errors), count(self.calls)));
            }
        }
        name.push_str(&self.name);
        if self.recursion_depth > 1 {
            name.push_str(&format!(" (recursion {} deep)", count(self.recursion_depth.into())));
        }
        if self.kind == "sql" && self.calls == 1 {
            name.push_str(&format!(" ({})", counted(self.rows, "row", "rows")));
        }
        name
    }
}

#[cfg(test)]
mod tests {
    use crate::view::fixture::{node, report};

    #[test]
    fn marks_say_what_is_special() {
        let traces = report().traces;
        let flags: Vec<String> = traces.iter().map(|t| t.flags()).collect();
        assert_eq!(flags, ["", "✗ django.db.utils.OperationalError", "incomplete: the session ended"]);
        let mut fib = node(0, "fib", 5);
        (fib.errors, fib.recursion_depth) = (2, 20);
        assert_eq!(fib.marked_name(), "✗ 2 of 5 fib (recursion 20 deep)");
        let mut query = node(0, "blog_post - SELECT", 1);
        (query.kind, query.rows) = ("sql", 1);
        assert_eq!(query.marked_name(), "blog_post - SELECT (1 row)");
    }
}
