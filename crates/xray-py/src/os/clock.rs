//! The tracer's clock: the processor's time stamp counter where the kernel itself trusts it, else the monotonic clock.
//!
//! Two clock reads are most of what a traced call costs: 12 ns each by `rdtsc` against 28 ns by `clock_gettime`.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Whether [`ticks`] reads the time stamp counter. Written once, by [`calibrate`], before any trace begins.
static TSC: AtomicBool = AtomicBool::new(false);
/// Bits of the TSC's nanoseconds per tick, once measured. No lock: a fork in the middle of measuring would leave the
/// child one that nobody opens.
static NS_PER_TICK: AtomicU64 = AtomicU64::new(0);

/// How long the two clocks are compared: their reads are good to some 50 ns, so this gives five digits.
const COMPARE_FOR: Duration = Duration::from_millis(20);

/// What a tick is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Calibration {
    /// Nanoseconds per tick.
    pub(crate) ns_per_tick: f64,
    /// `tsc` or `monotonic`.
    pub(crate) name: &'static str,
}

/// The clock now, in ticks.
#[inline(always)]
pub(crate) fn ticks() -> u64 {
    #[cfg(target_arch = "x86_64")]
    if TSC.load(Ordering::Relaxed) {
        // SAFETY: rdtsc has no preconditions; every x86-64 processor has it, and the kernel's own use of it as clock
        // source (checked by `calibrate`) shows that it is not disabled.
        return unsafe { core::arch::x86_64::_rdtsc() };
    }
    monotonic_ns()
}

/// The monotonic clock, in nanoseconds.
pub(crate) fn monotonic_ns() -> u64 {
    clock_ns(libc::CLOCK_MONOTONIC).unwrap_or(0)
}

/// A clock of the kernel, in nanoseconds; `None` when it does not exist (a thread that ended).
pub(crate) fn clock_ns(clock: libc::clockid_t) -> Option<u64> {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a valid, writable timespec; an unknown clock id makes the call fail, nothing else.
    let failed = unsafe { libc::clock_gettime(clock, &raw mut time) };
    (failed == 0).then(|| time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64)
}

/// Chooses the clock and measures its tick, once per process (20 ms, sleeping). Call it without the GIL.
pub(crate) fn calibrate() -> Calibration {
    let known = NS_PER_TICK.load(Ordering::Relaxed);
    if known != 0 {
        return Calibration { ns_per_tick: f64::from_bits(known), name: "tsc" };
    }
    if !tsc_is_clock_source() {
        return Calibration { ns_per_tick: 1.0, name: "monotonic" };
    }
    TSC.store(true, Ordering::Relaxed);
    let (start_ticks, start) = paired_read();
    std::thread::sleep(COMPARE_FOR);
    let (end_ticks, end) = paired_read();
    let ns_per_tick = end.duration_since(start).as_nanos() as f64 / end_ticks.wrapping_sub(start_ticks) as f64;
    NS_PER_TICK.store(ns_per_tick.to_bits(), Ordering::Relaxed);
    Calibration { ns_per_tick, name: "tsc" }
}

/// Both clocks at nearly one instant: the tightest of several tries.
fn paired_read() -> (u64, Instant) {
    (0..16)
        .map(|_| {
            let before = ticks();
            let instant = Instant::now();
            let after = ticks();
            (after.wrapping_sub(before), before.wrapping_add(after.wrapping_sub(before) / 2), instant)
        })
        .min_by_key(|(gap, ..)| *gap)
        .map_or_else(|| (ticks(), Instant::now()), |(_, ticks, instant)| (ticks, instant))
}

/// The kernel checks the counter for stability across cores and sleep states before it uses it as its clock.
fn tsc_is_clock_source() -> bool {
    cfg!(target_arch = "x86_64")
        && std::fs::read_to_string("/sys/devices/system/clocksource/clocksource0/current_clocksource")
            .is_ok_and(|name| name.trim() == "tsc")
}
