//! The operating system: clocks, threads, processes. Every call that the standard library does not offer safely.

pub(crate) mod clock;
pub(crate) mod doing;
pub(crate) mod memory;
pub(crate) mod process;
pub(crate) mod thread;
