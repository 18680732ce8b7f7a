//! What tracing cost: the traced arm compared with the control arm, which ran in the same processes in the same time.

use crate::model::{Difference, EventCost, TracingCost};
use xray_core::model::{ArmStats, SessionData, SymbolKind};

/// Fewer transactions than this in one arm and the interval would rest on the shape of the distribution.
const LEAST: u64 = 30;

pub(super) fn tracing_cost(data: &SessionData) -> TracingCost {
    let (traced, control) = (data.traced.latency.count(), data.control.latency.count());
    let process_share =
        (data.process_cpu_ns > 0).then(|| (data.xray_cpu_ns as f64 / data.process_cpu_ns as f64).min(1.0));
    let reason = if traced == 0 {
        Some("no transaction was traced".to_owned())
    } else if control == 0 {
        Some("there is no control: every matching transaction was traced (use --share below 1)".to_owned())
    } else if traced.min(control) < LEAST {
        Some(format!(
            "too few transactions: {traced} traced and {control} as control, a comparison needs {LEAST} of each"
        ))
    } else {
        None
    };
    if reason.is_some() {
        return TracingCost { cpu: None, wall: None, process_share, event: None, reason };
    }
    let wall = |arm: &ArmStats| Moments::of(arm.latency.count(), arm.wall_sum_ns, arm.wall_square_sum);
    let cpu = |arm: &ArmStats| Moments::of(arm.latency.count(), arm.cpu_sum_ns, arm.cpu_square_sum);
    TracingCost {
        cpu: difference(cpu(&data.traced), cpu(&data.control)),
        wall: difference(wall(&data.traced), wall(&data.control)),
        process_share,
        event: event_cost(data, cpu(&data.traced), cpu(&data.control)),
        reason: None,
    }
}

/// The cost of one event that was measured when the session was armed, beside the one that follows from the CPU times of
/// the arms: how much more the traced ones took, over their events.
fn event_cost(data: &SessionData, traced: Moments, control: Moments) -> Option<EventCost> {
    let of_functions = |symbol| data.symbols.get(symbol).is_some_and(|s| s.kind == SymbolKind::Function);
    let functions = data.call_tree.nodes.iter().filter(|node| of_functions(node.symbol));
    // One event when a call begins or goes on, and one when it ends or waits.
    let events = 2.0 * functions.map(|node| node.calls as f64 + node.resumes as f64).sum::<f64>();
    let measured: Vec<f64> = data
        .processes
        .iter()
        .map(|process| f64::from(process.capabilities.event_cost_ns))
        .filter(|ns| *ns > 0.0)
        .collect();
    let more = traced.more_than(control);
    let per_event = |ns: f64| ns * traced.count / events;
    let cost = EventCost {
        measured_ns: measured.iter().sum::<f64>() / measured.len() as f64,
        arms_ns: per_event(more.estimate),
        ci95_ns: [per_event(more.estimate - more.margin), per_event(more.estimate + more.margin)],
    };
    let all = [cost.measured_ns, cost.arms_ns, cost.ci95_ns[0], cost.ci95_ns[1]];
    all.iter().all(|value| value.is_finite()).then_some(cost)
}

/// Count, mean, and variance of the mean.
#[derive(Clone, Copy)]
struct Moments {
    count: f64,
    mean: f64,
    variance_of_mean: f64,
}

impl Moments {
    fn of(count: u64, sum: u128, square_sum: u128) -> Self {
        let n = count as f64;
        // The difference of two large numbers: exact as long as integers hold it.
        let spread = match (u128::from(count).checked_mul(square_sum), sum.checked_mul(sum)) {
            (Some(a), Some(b)) => a.saturating_sub(b) as f64,
            _ => (n * square_sum as f64 - sum as f64 * sum as f64).max(0.0),
        };
        Self { count: n, mean: sum as f64 / n, variance_of_mean: spread / (n * n * (n - 1.0)) }
    }

    /// Difference of two means, with half of Welch's interval.
    fn more_than(self, other: Self) -> Estimate {
        let margin = welch_margin((self.variance_of_mean, self.count), (other.variance_of_mean, other.count));
        Estimate { estimate: self.mean - other.mean, margin }
    }
}

/// A value, and how far its 95 % interval reaches to both sides.
struct Estimate {
    estimate: f64,
    margin: f64,
}

/// Half of Welch's 95 % interval of a sum of two independent terms, each with its variance and its count.
fn welch_margin((a, a_count): (f64, f64), (b, b_count): (f64, f64)) -> f64 {
    let variance = a + b;
    let freedom = variance.powi(2) / (a.powi(2) / (a_count - 1.0) + b.powi(2) / (b_count - 1.0));
    // Without any spread the interval is a point, and the degrees of freedom are 0 / 0.
    if variance > 0.0 { student_t975(freedom) * variance.sqrt() } else { 0.0 }
}

/// Ratio of the means minus 1, with Welch's interval by the delta method. `None` when it would not be a number.
fn difference(traced: Moments, control: Moments) -> Option<Difference> {
    let ratio = traced.mean / control.mean;
    let of_traced = traced.variance_of_mean / control.mean.powi(2);
    let of_control = control.variance_of_mean * ratio.powi(2) / control.mean.powi(2);
    let margin = welch_margin((of_traced, traced.count), (of_control, control.count));
    let difference = ratio - 1.0;
    let all = [difference, difference - margin, difference + margin];
    all.iter().all(|value| value.is_finite()).then_some(Difference { difference, ci95: [all[1], all[2]] })
}

/// The 97.5 % quantile of Student's t, by Cornish and Fisher's expansion: right within 0.1 % from 4 degrees on.
fn student_t975(freedom: f64) -> f64 {
    const Z: f64 = 1.959_963_984_540_054;
    let z = |power| Z.powi(power);
    let first = (z(3) + Z) / 4.0;
    let second = (5.0 * z(5) + 16.0 * z(3) + 3.0 * Z) / 96.0;
    let third = (3.0 * z(7) + 19.0 * z(5) + 17.0 * z(3) - 15.0 * Z) / 384.0;
    Z + first / freedom + second / freedom.powi(2) + third / freedom.powi(3)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moments(values: &[u64]) -> Moments {
        let sum = values.iter().map(|v| u128::from(*v)).sum();
        let squares = values.iter().map(|v| u128::from(*v) * u128::from(*v)).sum();
        Moments::of(values.len() as u64, sum, squares)
    }

    #[test]
    fn quantiles_are_those_of_the_table() {
        for (freedom, table) in [(10.0, 2.228), (30.0, 2.042), (60.0, 2.000), (1e9, 1.960)] {
            assert!((student_t975(freedom) - table).abs() < 0.002, "{freedom}");
        }
    }

    #[test]
    fn moments_are_exact_for_large_values() {
        // An hour, give or take a nanosecond: in floats the squares would swallow the variance of 2/3.
        let hour = 3_600_000_000_000;
        let m = moments(&[hour - 1, hour, hour + 1]);
        assert!((m.variance_of_mean - 1.0 / 3.0).abs() < 1e-9, "{}", m.variance_of_mean);
    }

    #[test]
    fn a_known_difference_lies_in_its_interval() {
        // Deterministic spread of +-20 % around 10 ms and 11.5 ms.
        let spread = |base: u64| (0..200_u64).map(|i| base + (i * 37 % 101) * base / 250).collect::<Vec<_>>();
        let found = difference(moments(&spread(11_500_000)), moments(&spread(10_000_000))).unwrap();
        assert!((found.difference - 0.15).abs() < 0.001, "{found:?}");
        assert!(found.ci95[0] < 0.15 && 0.15 < found.ci95[1] && found.ci95[1] - found.ci95[0] < 0.08, "{found:?}");
    }

    #[test]
    fn an_event_costs_what_traced_transactions_took_more() {
        let (traced, control) = (moments(&[10_900, 11_100, 11_000]), moments(&[9_900, 10_100, 10_000]));
        let more = traced.more_than(control);
        assert!((more.estimate - 1000.0).abs() < 1e-9);
        // Variance of each mean 10,000 / 3, four degrees of freedom: t = 2.776.
        assert!((more.margin - 2.776 * (20_000.0_f64 / 3.0).sqrt()).abs() < 1.0, "{}", more.margin);
    }

    #[test]
    fn what_is_not_a_number_is_not_told() {
        assert_eq!(difference(moments(&[5, 5]), moments(&[0, 0])), None);
        let still = difference(moments(&[6, 6]), moments(&[5, 5])).unwrap();
        assert_eq!(still.ci95[0], still.ci95[1]);
    }
}
