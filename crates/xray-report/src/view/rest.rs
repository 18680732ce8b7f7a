//! The components that are listed, and the rest of them as one.

use crate::model::Component;
use std::borrow::Cow;

/// The first `most` components, and one for all others together with the report's own remainder; none when nothing is
/// left over.
pub(crate) fn split(components: &[Component], most: usize) -> (Vec<&Component>, Option<Component>) {
    let (remainder, own): (Vec<&Component>, Vec<&Component>) = components.iter().partition(|c| c.kind == "remainder");
    let (shown, left) = own.split_at(own.len().min(most));
    let mut rest: Option<Cow<'_, Component>> = remainder.first().map(|c| Cow::Borrowed(*c));
    if !left.is_empty() {
        let mut sum = rest.map_or_else(nothing, Cow::into_owned);
        for component in left {
            sum.calls = sum.calls.saturating_add(component.calls);
            sum.calls_per_request += component.calls_per_request;
            sum.self_ns = sum.self_ns.saturating_add(component.self_ns);
            sum.share += component.share;
            sum.members = Some(sum.members.unwrap_or(0) + 1);
        }
        rest = Some(Cow::Owned(sum));
    }
    (shown.to_vec(), rest.map(Cow::into_owned).filter(|rest| rest.members != Some(0)))
}

fn nothing() -> Component {
    Component {
        id: "remainder".to_owned(),
        name: "remainder".to_owned(),
        kind: "remainder",
        file: None,
        line: None,
        detail: None,
        calls: 0,
        calls_per_request: 0.0,
        total_ns: 0,
        self_ns: 0,
        share: 0.0,
        source: "traced",
        members: Some(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::fixture::report;

    #[test]
    fn nothing_is_lost_between_the_list_and_the_rest() {
        let components = report().components;
        let all: u64 = components.iter().map(|c| c.self_ns).sum();
        let members: u64 = components.iter().map(|c| c.members.unwrap_or(1)).sum();
        for most in 0..components.len() + 1 {
            let (shown, rest) = split(&components, most);
            let sum: u64 = shown.iter().copied().chain(&rest).map(|c| c.self_ns).sum();
            let told: u64 = shown.iter().copied().chain(&rest).map(|c| c.members.unwrap_or(1)).sum();
            assert_eq!((sum, told), (all, members), "at most {most}");
        }
        assert_eq!(split(&[], 5), (vec![], None));
    }
}
