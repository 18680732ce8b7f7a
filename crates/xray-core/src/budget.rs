//! The overhead budget: what xray may cost the process, kept by tracing less.
//!
//! Overhead is (tracer events × measured cost of one + sampler CPU + agent CPU) / process CPU, over the last 5 s or
//! since the last change, whichever is shorter: what was spent before a change says nothing about its effect. Above
//! the budget the traced share halves, down to 1/64 of the configured one, then the sampling rate, down to 1 Hz;
//! the other way round while the sampler costs more than everything else together, for then fewer traces would save
//! nothing. Below half of the budget it recovers by doubling, the sampling rate first. Between half of it and the
//! whole nothing changes, so a steady load settles.
//!
//! A process that uses less than a quarter of one core has the time: there the budget never cuts, and what it cut
//! before recovers. At one request a second every request is traced.

use crate::model::{Decision, ProcessKey};
use std::collections::VecDeque;

const SECOND_NS: u64 = 1_000_000_000;
/// Span over which overhead is measured.
pub const WINDOW_NS: u64 = 5 * SECOND_NS;
/// Shortest time from one change to the next: the change must have had its effect.
pub const SETTLE_NS: u64 = SECOND_NS;
/// Shortest time from a change to a recovery, at first. It doubles, up to [`RECOVER_MAX_NS`], each time a recovery
/// proved wrong at once, so a load at the edge does not swing for ever.
pub const RECOVER_NS: u64 = 2 * SECOND_NS;
/// Longest time that a recovery waits.
pub const RECOVER_MAX_NS: u64 = 30 * SECOND_NS;
/// The traced share never falls below this part of the configured one.
pub const SHARE_FLOOR: f64 = 1.0 / 64.0;
/// Lowest sampling rate.
pub const LOWEST_HZ: u32 = 1;
/// A process that uses less than this share of one core is not held to the budget.
pub const BUSY_CORES: f64 = 0.25;
/// Least process CPU time in the window from which overhead is told at all.
pub const MIN_PROCESS_CPU_NS: u64 = 50_000_000;
/// Closest measurements that are both remembered: bounds the window's memory.
const SPACING_NS: u64 = 50_000_000;

/// What one process is allowed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BudgetConfig {
    /// Who decides, for the record.
    pub process: ProcessKey,
    /// Share of matching transactions to trace, 0 to 1.
    pub share: f64,
    /// Samples a second; 0 when there is no sampler.
    pub hz: u32,
    /// Share of the process's CPU time that xray may use; from 1 on there is no budget.
    pub max_overhead: f64,
    /// Measured cost of one tracer event, in nanoseconds.
    pub event_cost_ns: u32,
}

/// Totals since the session began in this process; none ever falls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// When they were read, after the session's start.
    pub at_ns: u64,
    /// CPU time of the whole process, xray included.
    pub process_cpu_ns: u64,
    /// CPU time of the sampler thread.
    pub sampler_cpu_ns: u64,
    /// CPU time of xray's other threads.
    pub agent_cpu_ns: u64,
    /// Tracer events.
    pub events: u64,
}

/// The budget of one process.
#[derive(Clone, Debug)]
pub struct Budget {
    config: BudgetConfig,
    share: f64,
    hz: u32,
    /// Oldest first; the first is the newest one that is at least [`WINDOW_NS`] old.
    window: VecDeque<Usage>,
    last_change: Option<Change>,
    recover_ns: u64,
}

#[derive(Clone, Copy, Debug)]
struct Change {
    /// The measurement that caused it: the next window starts there.
    after: Usage,
    was_recovery: bool,
}

/// xray's use of a span of time.
#[derive(Clone, Copy, Debug)]
struct Span {
    wall_ns: u64,
    process_cpu_ns: u64,
    tracer_ns: f64,
    agent_ns: f64,
    sampler_ns: f64,
}

impl Span {
    fn between(from: Usage, to: Usage, event_cost_ns: u32) -> Self {
        let grown = |of: fn(Usage) -> u64| of(to).saturating_sub(of(from));
        Self {
            wall_ns: grown(|u| u.at_ns),
            process_cpu_ns: grown(|u| u.process_cpu_ns),
            tracer_ns: grown(|u| u.events) as f64 * f64::from(event_cost_ns),
            agent_ns: grown(|u| u.agent_cpu_ns) as f64,
            sampler_ns: grown(|u| u.sampler_cpu_ns) as f64,
        }
    }

    /// xray's share of the process's CPU time; `None` with too little of it to tell.
    fn overhead(&self) -> Option<f64> {
        let spent_ns = self.tracer_ns + self.agent_ns + self.sampler_ns;
        (self.process_cpu_ns >= MIN_PROCESS_CPU_NS).then(|| spent_ns / self.process_cpu_ns as f64)
    }

    /// Cores that the process keeps busy.
    fn cores(&self) -> f64 {
        self.process_cpu_ns as f64 / self.wall_ns.max(1) as f64
    }
}

impl Budget {
    /// The full share and rate, until measurements say otherwise.
    pub fn new(config: BudgetConfig) -> Self {
        let window = VecDeque::from([Usage::default()]);
        Self { config, share: config.share, hz: config.hz, window, last_change: None, recover_ns: RECOVER_NS }
    }

    /// Share of matching transactions that may be traced now.
    pub fn share(&self) -> f64 {
        self.share
    }

    /// Samples a second now.
    pub fn sample_rate(&self) -> u32 {
        self.hz
    }

    /// xray's share of the process's CPU time over the last 5 s; 0 while there is too little of it to tell.
    pub fn overhead(&self) -> f64 {
        let newest = self.window.back().copied().unwrap_or_default();
        let oldest = self.window.front().copied().unwrap_or_default();
        Span::between(oldest, newest, self.config.event_cost_ns).overhead().unwrap_or(0.0)
    }

    /// Takes one measurement and says what changes because of it: at most one thing at a time. Call it from ten times
    /// a second to once in a few seconds.
    pub fn observe(&mut self, usage: Usage) -> Option<Decision> {
        self.remember(usage);
        if self.config.max_overhead >= 1.0 {
            return None;
        }
        let oldest = self.window.front().copied().unwrap_or_default();
        let from = self.last_change.map_or(oldest, |c| if c.after.at_ns > oldest.at_ns { c.after } else { oldest });
        let span = Span::between(from, usage, self.config.event_cost_ns);
        let since_change = usage.at_ns.saturating_sub(self.last_change.map_or(0, |c| c.after.at_ns));
        if since_change < SETTLE_NS {
            return None;
        }
        let overhead = span.overhead()?;
        let (budget, cores) = (self.config.max_overhead, span.cores());
        if cores >= BUSY_CORES && overhead > budget {
            let because =
                format!("overhead {} of CPU over {}, budget {}", percent(overhead), seconds(span), percent(budget));
            return self.cut(usage, span, because);
        }
        let because = if cores < BUSY_CORES {
            format!("the process uses {} of one core over {}", percent(cores), seconds(span))
        } else if overhead < budget / 2.0 {
            let half = percent(budget / 2.0);
            format!("overhead {} of CPU over {}, below half of the budget, {half}", percent(overhead), seconds(span))
        } else {
            return None;
        };
        if since_change < self.recover_ns { None } else { self.recover(usage, because) }
    }

    fn remember(&mut self, usage: Usage) {
        while self.window.get(1).is_some_and(|second| usage.at_ns.saturating_sub(second.at_ns) >= WINDOW_NS) {
            self.window.pop_front();
        }
        // The newest is always the back; one that is too close to the one before it replaces the newest.
        let before_newest = self.window.len().checked_sub(2).and_then(|i| self.window.get(i));
        if before_newest.is_some_and(|before| usage.at_ns.saturating_sub(before.at_ns) < SPACING_NS) {
            self.window.pop_back();
        }
        self.window.push_back(usage);
    }

    fn cut(&mut self, usage: Usage, span: Span, because: String) -> Option<Decision> {
        let floor = self.config.share * SHARE_FLOOR;
        let sampler_costs_most = span.sampler_ns > span.tracer_ns + span.agent_ns;
        let decision = if self.share > floor && !(sampler_costs_most && self.hz > LOWEST_HZ) {
            self.set_share((self.share / 2.0).max(floor), usage, because)
        } else if self.hz > LOWEST_HZ {
            self.set_rate((self.hz / 2).max(LOWEST_HZ), usage, because)
        } else {
            return None;
        };
        if self.last_change.is_some_and(|change| change.was_recovery) {
            self.recover_ns = (self.recover_ns * 2).min(RECOVER_MAX_NS);
        }
        self.last_change = Some(Change { after: usage, was_recovery: false });
        Some(decision)
    }

    fn recover(&mut self, usage: Usage, because: String) -> Option<Decision> {
        let decision = if self.hz < self.config.hz {
            self.set_rate(self.hz.saturating_mul(2).min(self.config.hz), usage, because)
        } else if self.share < self.config.share {
            self.set_share((self.share * 2.0).min(self.config.share), usage, because)
        } else {
            return None;
        };
        self.last_change = Some(Change { after: usage, was_recovery: true });
        Some(decision)
    }

    fn set_share(&mut self, to: f64, usage: Usage, because: String) -> Decision {
        let from = std::mem::replace(&mut self.share, to);
        self.decision("traced_share", from, to, usage, because)
    }

    fn set_rate(&mut self, to: u32, usage: Usage, because: String) -> Decision {
        let from = std::mem::replace(&mut self.hz, to);
        self.decision("sample_rate", f64::from(from), f64::from(to), usage, because)
    }

    fn decision(&self, what: &str, from: f64, to: f64, usage: Usage, because: String) -> Decision {
        Decision { process: self.config.process, at_ns: usage.at_ns, what: what.to_owned(), from, to, because }
    }
}

fn percent(share: f64) -> String {
    let text = format!("{:.1}", share * 100.0);
    format!("{} %", text.strip_suffix(".0").unwrap_or(&text))
}

fn seconds(span: Span) -> String {
    let text = format!("{:.1}", span.wall_ns as f64 / SECOND_NS as f64);
    format!("{} s", text.strip_suffix(".0").unwrap_or(&text))
}

#[cfg(test)]
mod tests;
