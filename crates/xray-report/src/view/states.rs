//! What threads did, in words.

use crate::model::States;

/// What most of the time was.
pub(crate) fn main_state(states: &States) -> &'static str {
    let States { on_cpu, waiting_for_gil, waiting_for_core, blocked, unknown } = *states;
    let named = [
        (on_cpu, "on CPU"),
        (waiting_for_gil, "waits for GIL"),
        (waiting_for_core, "waits for core"),
        (blocked, "blocked"),
        (unknown, "unknown"),
    ];
    // The first of those with the most time.
    named.into_iter().rev().max_by_key(|(ns, _)| *ns).map_or("", |(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_with_the_most_time_is_named() {
        let states = States { on_cpu: 5, blocked: 7, ..States::default() };
        assert_eq!(main_state(&states), "blocked");
        assert_eq!(main_state(&States { on_cpu: 7, ..states }), "on CPU", "of two, what was asked for first");
    }
}
