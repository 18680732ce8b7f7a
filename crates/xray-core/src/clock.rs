//! Time, as a value that tests can hold in their hand.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// A monotonic clock with a fixed relation to wall-clock time.
pub trait Clock: Send + Sync {
    /// Nanoseconds since an arbitrary start; never goes back.
    fn now_ns(&self) -> u64;
    /// The same instant as nanoseconds since the Unix epoch. Both clocks are read once, at start: a later step of the
    /// wall clock does not tear a session apart.
    fn unix_ns(&self) -> u64;
}

/// The system's clocks.
#[derive(Debug)]
pub struct SystemClock {
    start: Instant,
    start_unix_ns: u64,
}

impl SystemClock {
    /// A clock anchored now.
    pub fn new() -> Self {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { start: Instant::now(), start_unix_ns: since_epoch.as_nanos() as u64 }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn now_ns(&self) -> u64 {
        self.start.elapsed().as_nanos() as u64
    }

    fn unix_ns(&self) -> u64 {
        self.start_unix_ns + self.now_ns()
    }
}

/// A clock that moves only when told to.
#[derive(Debug, Default)]
pub struct FakeClock {
    now_ns: AtomicU64,
}

impl FakeClock {
    /// The Unix time of its zero: 2026-01-01T00:00:00Z.
    pub const ZERO_UNIX_NS: u64 = 1_767_225_600_000_000_000;

    /// Moves it forward.
    pub fn advance(&self, ns: u64) {
        self.now_ns.fetch_add(ns, Ordering::SeqCst);
    }
}

impl Clock for FakeClock {
    fn now_ns(&self) -> u64 {
        self.now_ns.load(Ordering::SeqCst)
    }

    fn unix_ns(&self) -> u64 {
        Self::ZERO_UNIX_NS + self.now_ns()
    }
}
