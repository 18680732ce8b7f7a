//! Merging: any order and any grouping gives the same bytes.
#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

// The sessions of every shape that xray-core tests its files with.
#[path = "../../xray-core/tests/sessions/mod.rs"]
mod sessions;

use proptest::prelude::*;
use xray_core::format::write;
use xray_core::model::{SessionData, SessionId};
use xray_report::merge::{canonical, merge};

fn bytes(session: SessionData) -> Vec<u8> {
    write(&session).unwrap()
}

fn both(a: &SessionData, b: &SessionData) -> SessionData {
    merge(a.clone(), b.clone()).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(150) })]

    #[test]
    fn order_and_grouping_do_not_matter(
        a in sessions::session(),
        b in sessions::session(),
        c in sessions::session(),
    ) {
        let expected = bytes(both(&both(&a, &b), &c));
        for (x, y, z) in [(&a, &c, &b), (&b, &a, &c), (&b, &c, &a), (&c, &a, &b), (&c, &b, &a)] {
            prop_assert_eq!(&bytes(both(&both(x, y), z)), &expected);
            prop_assert_eq!(&bytes(both(x, &both(y, z))), &expected);
        }
    }

    #[test]
    fn nothing_is_lost_but_traces_over_the_limit(a in sessions::session(), b in sessions::session()) {
        let merged = both(&a, &b);
        prop_assert_eq!(merged.requests.traced, a.requests.traced.saturating_add(b.requests.traced));
        prop_assert_eq!(
            merged.traced.latency.count(),
            a.traced.latency.count() + b.traced.latency.count()
        );
        let calls = |session: &SessionData| session.call_tree.nodes.iter().fold(0_u64, |n, node| n.saturating_add(node.calls));
        prop_assert_eq!(calls(&merged), calls(&a).saturating_add(calls(&b)));
        prop_assert!(merged.traces.len() <= 5);
        prop_assert_eq!(merged.traces.len(), (a.traces.len() + b.traces.len()).min(5));
        prop_assert!(merged.symbols.entries().is_sorted());
    }

    #[test]
    fn the_canonical_form_is_one(a in sessions::session()) {
        let once = canonical(a);
        prop_assert_eq!(canonical(once.clone()), once);
    }
}

#[test]
fn different_sessions_are_refused() {
    use proptest::strategy::ValueTree;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let a = sessions::session().new_tree(&mut runner).unwrap().current();
    let mut b = a.clone();
    b.header.id = SessionId("another00000".to_owned());
    let message = merge(a, b).unwrap_err().to_string();
    assert!(message.contains("s0123456789a") && message.contains("another00000"), "{message}");
}
