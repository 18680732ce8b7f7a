//! The budget against simulated processes with a fake clock.

use super::*;
use crate::clock::{Clock, FakeClock};
use crate::id::mix;

const TICK_NS: u64 = 200_000_000;

/// A process whose work is requests: each costs CPU time, and a traced one costs events on top.
struct Process {
    clock: FakeClock,
    budget: Budget,
    usage: Usage,
    decisions: Vec<Decision>,
    /// Own CPU time of each request.
    request_ns: f64,
    /// Tracer events of each traced request.
    events: f64,
    /// CPU time of one sample of all threads.
    sample_ns: f64,
    ticks: u64,
    /// Largest random deviation of the events from one tick to the next, as a share.
    noise: f64,
}

const EVENT_COST_NS: u32 = 100;

impl Process {
    fn new(config: BudgetConfig) -> Self {
        Self {
            clock: FakeClock::default(),
            budget: Budget::new(config),
            usage: Usage::default(),
            decisions: Vec::new(),
            request_ns: 10e6,
            events: 100_000.0,
            sample_ns: 30e3,
            ticks: 0,
            noise: 0.0,
        }
    }

    /// One tick with so many requests, or as many as one core can do.
    fn tick(&mut self, requests: Option<f64>) {
        let random = mix(self.ticks) as f64 / u64::MAX as f64 * 2.0 - 1.0;
        let tracing_ns = self.budget.share() * self.events * (1.0 + self.noise * random) * f64::from(EVENT_COST_NS);
        let sampler_ns = f64::from(self.budget.sample_rate()) * self.sample_ns * TICK_NS as f64 / 1e9;
        let core = TICK_NS as f64 - sampler_ns;
        let requests = requests.unwrap_or(core / (self.request_ns + tracing_ns));
        self.usage.process_cpu_ns += (requests * (self.request_ns + tracing_ns) + sampler_ns) as u64;
        self.usage.sampler_cpu_ns += sampler_ns as u64;
        self.usage.events += (requests * tracing_ns / f64::from(EVENT_COST_NS)) as u64;
        self.ticks += 1;
        self.clock.advance(TICK_NS);
        self.usage.at_ns = self.clock.now_ns();
        self.decisions.extend(self.budget.observe(self.usage));
    }

    fn run(&mut self, seconds: u64, requests_per_second: Option<f64>) {
        for _ in 0..seconds * SECOND_NS / TICK_NS {
            self.tick(requests_per_second.map(|r| r * TICK_NS as f64 / 1e9));
        }
    }
}

fn config() -> BudgetConfig {
    BudgetConfig { process: ProcessKey(1), share: 0.75, hz: 100, max_overhead: 0.05, event_cost_ns: EVENT_COST_NS }
}

#[test]
fn a_saturated_cpu_bound_load_settles_within_the_budget() {
    for events in [2e3, 5e3, 1e4, 3e4, 1e5, 3e5] {
        let mut process = Process::new(config());
        process.events = events;
        process.run(20, None);
        let (settled, decisions) = (process.budget.share(), process.decisions.len());
        for _ in 0..300 {
            process.tick(None);
            assert!(process.budget.overhead() <= 0.06, "{events} events: {}", process.budget.overhead());
        }
        assert_eq!((process.budget.share(), process.decisions.len()), (settled, decisions), "{events} events");
        assert!(settled == 0.75 || process.budget.overhead() >= 0.02, "{events} events: the budget is used");
    }
}

#[test]
fn a_noisy_load_settles_too() {
    for (events, noise) in [(1e5, 0.3), (5e3, 0.3), (1.2e4, 0.5), (6.3e4, 0.2)] {
        let mut process = Process::new(config());
        (process.events, process.noise) = (events, noise);
        process.run(20, None);
        let before = process.decisions.len();
        let mut over = 0;
        for _ in 0..1_500 {
            process.tick(None);
            over += u32::from(process.budget.overhead() > 0.06);
        }
        assert!(over < 75, "{events} events: over the budget in {over} of 1500 ticks");
        let changes = process.decisions.len() - before;
        assert!(changes <= 24, "{events} events: {changes} changes in 300 s");
    }
}

#[test]
fn a_quiet_process_is_traced_whole() {
    for request_ns in [1e6, 30e6, 100e6] {
        let mut process = Process::new(config());
        process.request_ns = request_ns;
        process.run(120, Some(1.0));
        assert_eq!(process.budget.share(), 0.75);
        assert_eq!(process.budget.sample_rate(), 100);
        assert!(process.decisions.is_empty());
    }
}

#[test]
fn one_request_each_second_at_a_stroke_is_traced_whole() {
    let mut process = Process::new(config());
    process.events = 500_000.0;
    for tick in 0..600_u64 {
        process.tick(Some(if tick.is_multiple_of(5) { 1.0 } else { 0.0 }));
    }
    assert!(process.decisions.is_empty(), "{:?}", process.decisions);
}

#[test]
fn an_idle_process_with_a_busy_sampler_is_left_alone() {
    let mut process = Process::new(config());
    process.run(60, Some(0.0));
    assert!(process.decisions.is_empty());
}

#[test]
fn halves_once_per_settling_time_and_says_why() {
    let mut process = Process::new(config());
    process.run(8, None);
    let shares: Vec<f64> = process.decisions.iter().map(|d| d.to).collect();
    assert_eq!(shares[..3], [0.375, 0.1875, 0.09375]);
    for pair in process.decisions.windows(2) {
        assert!(pair[1].at_ns - pair[0].at_ns >= SETTLE_NS);
        assert_eq!(pair[0].to, pair[1].from);
    }
    let first = &process.decisions[0];
    assert_eq!((first.what.as_str(), first.from, first.process), ("traced_share", 0.75, ProcessKey(1)));
    assert_eq!(first.because, "overhead 43 % of CPU over 1 s, budget 5 %");
}

#[test]
fn at_its_floor_the_sampling_rate_falls_and_both_come_back_rate_first() {
    let mut process = Process::new(config());
    (process.events, process.sample_ns) = (1e8, 300e3);
    process.run(60, None);
    assert_eq!(process.budget.share(), 0.75 * SHARE_FLOOR);
    assert_eq!(process.budget.sample_rate(), LOWEST_HZ);
    let cut = process.decisions.len();
    (process.events, process.sample_ns) = (10.0, 1e3);
    process.run(120, None);
    assert_eq!((process.budget.share(), process.budget.sample_rate()), (0.75, 100));
    let recovery: Vec<&str> = process.decisions[cut..].iter().map(|d| d.what.as_str()).collect();
    assert!(recovery.is_sorted_by_key(|&what| what == "traced_share"), "{recovery:?}");
    assert!(process.decisions.iter().any(|d| d.because.contains("below half of the budget, 2.5 %")));
}

#[test]
fn a_sampler_that_costs_too_much_by_itself_does_not_cost_traces() {
    let mut process = Process::new(BudgetConfig { hz: 1_000, ..config() });
    (process.events, process.sample_ns) = (1e3, 200e3);
    process.run(30, None);
    assert_eq!(process.budget.share(), 0.75);
    assert_eq!(process.budget.sample_rate(), 125);
}

#[test]
fn a_process_that_became_quiet_traces_all_again() {
    let mut process = Process::new(config());
    process.run(20, None);
    assert!(process.budget.share() < 0.1);
    process.run(60, Some(2.0));
    assert_eq!(process.budget.share(), 0.75);
    assert!(process.decisions.last().unwrap().because.starts_with("the process uses"));
}

#[test]
fn max_overhead_of_one_switches_it_off() {
    let mut process = Process::new(BudgetConfig { max_overhead: 1.0, share: 1.0, ..config() });
    process.events = 1e8;
    process.run(60, None);
    assert!(process.decisions.is_empty());
    assert_eq!((process.budget.share(), process.budget.sample_rate()), (1.0, 100));
    assert!(process.budget.overhead() > 0.9, "it is still told");
}

#[test]
fn a_budget_of_zero_cuts_to_the_floor_and_stays() {
    let mut process = Process::new(BudgetConfig { max_overhead: 0.0, ..config() });
    process.run(60, None);
    assert_eq!((process.budget.share(), process.budget.sample_rate()), (0.75 * SHARE_FLOOR, LOWEST_HZ));
}

#[test]
fn the_window_is_bounded_and_time_that_stands_still_is_harmless() {
    let mut budget = Budget::new(config());
    for i in 0..200_000_u64 {
        let usage = Usage { at_ns: i * 100_000, process_cpu_ns: i * 100_000, ..Usage::default() };
        budget.observe(usage);
        budget.observe(usage);
        assert!(budget.window.len() <= 128);
    }
    budget.observe(Usage::default());
    assert!(budget.overhead().is_finite());
}
