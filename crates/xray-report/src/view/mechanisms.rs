//! How processes traced and sampled: one sentence for all that did the same.

use super::numbers::counted;
use crate::model::Process;
use std::collections::BTreeMap;

/// Different answers told; there are rarely two.
const MOST: usize = 6;

/// One sentence for each way, the most common first.
pub(crate) fn mechanisms(processes: &[Process]) -> Vec<String> {
    let mut ways: BTreeMap<String, u64> = BTreeMap::new();
    for p in processes {
        let way = format!(
            "traced by {} ({}), sampled by {} ({}), clock {}",
            name(&p.tracer.mechanism),
            p.tracer.reason,
            name(&p.sampler.mechanism),
            p.sampler.reason,
            p.tracer.clock
        );
        *ways.entry(way).or_default() += 1;
    }
    let mut ways: Vec<(String, u64)> = ways.into_iter().collect();
    ways.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
    ways.truncate(MOST);
    ways.into_iter().map(|(way, n)| format!("{} {way}.", counted(n, "process", "processes"))).collect()
}

fn name(mechanism: &str) -> &str {
    match mechanism {
        "monitoring" => "sys.monitoring",
        "eval_frame" => "the evaluation hook",
        "gil" => "reads under the GIL",
        "gil_free" => "reads without the GIL",
        "none" => "nothing",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::fixture::report;

    #[test]
    fn processes_that_did_the_same_share_a_sentence() {
        let told = mechanisms(&report().session.processes);
        assert_eq!(told.len(), 1);
        assert!(told[0].starts_with("2 processes traced by sys.monitoring (Python 3.12"), "{}", told[0]);
    }
}
