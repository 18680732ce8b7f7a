//! This process's memory, read by the kernel on our behalf: an address that is not mapped is an error, never a fault.
//!
//! `process_vm_readv` on the own process copies what is there and says how far it came. It takes no lock that the
//! application can hold for long, sends no signal, and whatever the address is, it cannot harm the process.

use std::io;

/// A piece of memory to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Region {
    /// Its address.
    pub(crate) at: usize,
    /// Its length in bytes.
    pub(crate) len: usize,
}

impl Region {
    /// The least region that holds both.
    pub(crate) fn joined(&self, other: &Self) -> Self {
        let at = self.at.min(other.at);
        Self { at, len: self.at.saturating_add(self.len).max(other.at.saturating_add(other.len)) - at }
    }
}

/// The process's memory.
pub(crate) struct Memory {
    pid: libc::pid_t,
    remote: Vec<libc::iovec>,
}

// SAFETY: the vector holds addresses as numbers; nothing is ever reached through them but by the kernel.
unsafe impl Send for Memory {}

impl Memory {
    /// Of this process. A forked child needs its own.
    pub(crate) fn of_this_process() -> Self {
        Self { pid: rustix::process::getpid().as_raw_nonzero().get(), remote: Vec::new() }
    }

    /// Copies the regions, one after the other, in this order, into `into`, which must be as long as all of them
    /// together. Returns how many bytes were copied: fewer where a region is not mapped.
    ///
    /// # Errors
    /// When nothing could be read: the first region is not mapped, or the call is forbidden here.
    pub(crate) fn read(&mut self, regions: &[Region], into: &mut [u8]) -> io::Result<usize> {
        debug_assert_eq!(regions.iter().map(|region| region.len).sum::<usize>(), into.len());
        self.remote.clear();
        let iovec = |region: &Region| libc::iovec { iov_base: region.at as *mut libc::c_void, iov_len: region.len };
        self.remote.extend(regions.iter().map(iovec));
        let local = libc::iovec { iov_base: into.as_mut_ptr().cast(), iov_len: into.len() };
        // SAFETY: `local` describes `into`, which is borrowed mutably for the call; the remote addresses are only
        // numbers to the kernel, which checks each of them and writes at most `into.len()` bytes to `into`.
        let read = unsafe {
            let count = self.remote.len() as libc::c_ulong;
            libc::process_vm_readv(self.pid, &raw const local, 1, self.remote.as_ptr(), count, 0)
        };
        usize::try_from(read).map_err(|_| io::Error::last_os_error())
    }
}
