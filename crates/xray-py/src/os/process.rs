//! This process, as the operating system knows it.

use super::clock::clock_ns;

/// CPU time of all threads of the process, in nanoseconds.
pub(crate) fn cpu_ns() -> u64 {
    clock_ns(libc::CLOCK_PROCESS_CPUTIME_ID).unwrap_or(0)
}

/// Host name, or `localhost`.
pub(crate) fn host_name() -> String {
    rustix::system::uname().nodename().to_str().map_or_else(|_| "localhost".to_owned(), str::to_owned)
}

/// Closes a descriptor that a forked child has inherited and that nothing in it owns.
pub(crate) fn close_inherited(descriptor: i32) {
    // SAFETY: the caller knows that the owner of this descriptor number was a thread of the parent process, whose
    // Rust values exist in the child as forgotten memory only: nothing else will use or close it.
    unsafe { libc::close(descriptor) };
}
