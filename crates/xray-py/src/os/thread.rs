//! Threads of this process: starting the agent's own, and the CPU clocks of all.

use super::clock::clock_ns;
use std::io;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::{Builder, JoinHandle};
use xray_core::control::descriptors;

/// Starts a thread that never receives a signal: signals belong to the application, and Python's main thread must be
/// the one that wakes up for them.
pub(crate) fn spawn<F>(name: &str, body: F) -> io::Result<JoinHandle<()>>
where
    F: FnOnce() + Send + 'static,
{
    // SAFETY: an all-zero sigset_t is a valid value to be overwritten; both calls write only to the sets given.
    let (all, mut before) = unsafe {
        let mut all: libc::sigset_t = std::mem::zeroed();
        libc::sigfillset(&raw mut all);
        (all, std::mem::zeroed::<libc::sigset_t>())
    };
    // SAFETY: both sets are initialised; the mask of the calling thread is restored below, and in between only the
    // thread is created, which inherits the mask.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, &raw mut before) };
    let started = Builder::new().name(name.to_owned()).stack_size(512 * 1024).spawn(|| {
        descriptors::this_thread_is_the_agents();
        let _own = Own::this_thread();
        body();
    });
    // SAFETY: `before` was filled by the call above.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const before, std::ptr::null_mut()) };
    started
}

/// Kernel ids of the agent's threads; 0 where there is none.
static OWN: [AtomicU32; 16] = [const { AtomicU32::new(0) }; 16];

/// The calling thread is one of the agent's, as long as this is there.
struct Own(Option<&'static AtomicU32>);

impl Own {
    fn this_thread() -> Self {
        let tid = tid();
        Self(OWN.iter().find(|slot| slot.compare_exchange(0, tid, Ordering::Relaxed, Ordering::Relaxed).is_ok()))
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        if let Some(slot) = self.0 {
            slot.store(0, Ordering::Relaxed);
        }
    }
}

/// Whether a thread is one of the agent's, by its kernel id.
pub(crate) fn is_own(tid: u32) -> bool {
    OWN.iter().any(|slot| slot.load(Ordering::Relaxed) == tid)
}

/// In a forked child: none of them is there.
pub(crate) fn forget_own() {
    OWN.iter().for_each(|slot| slot.store(0, Ordering::Relaxed));
}

/// Kernel id of the calling thread.
pub(crate) fn tid() -> u32 {
    rustix::thread::gettid().as_raw_nonzero().get() as u32
}

/// CPU time of the calling thread, in nanoseconds.
pub(crate) fn own_cpu_ns() -> u64 {
    clock_ns(libc::CLOCK_THREAD_CPUTIME_ID).unwrap_or(0)
}

/// CPU time of a thread of this process by its kernel id, in nanoseconds; `None` when it has ended.
pub(crate) fn cpu_ns(tid: u32) -> Option<u64> {
    // The kernel's encoding of "scheduler clock of this thread" (MAKE_THREAD_CPUCLOCK).
    const CPUCLOCK_PERTHREAD_SCHED: libc::clockid_t = 4 | 2;
    clock_ns((!(tid as libc::clockid_t) << 3) | CPUCLOCK_PERTHREAD_SCHED)
}

/// Lets timers of the calling thread fire on time: the default slack of 50 us would make every tick late.
pub(crate) fn precise_timers() {
    // SAFETY: PR_SET_TIMERSLACK takes one number and concerns only the calling thread.
    unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, 1_u64) };
}

/// Asks the scheduler for short turns on a core, which it gives sooner: on a busy machine a thread that wakes up would
/// otherwise wait for the end of another one's turn, which is milliseconds. Policy and priority stay what they are, and
/// the thread gets no more time than before. Kernels before 6.12 ignore it; where it is forbidden, nothing changes.
pub(crate) fn short_turns() {
    const SHORTEST_NS: u64 = 100_000;
    let size = size_of::<libc::sched_attr>() as u32;
    // SAFETY: all-zero is a valid value of this structure of numbers; the calls concern the calling thread only, and
    // write to, or read, as many bytes of it as they are told that it has.
    unsafe {
        let mut attributes: libc::sched_attr = std::mem::zeroed();
        if libc::syscall(libc::SYS_sched_getattr, 0, &raw mut attributes, size, 0) != 0
            || attributes.sched_policy != libc::SCHED_OTHER as u32
        {
            return;
        }
        attributes.sched_runtime = SHORTEST_NS;
        libc::syscall(libc::SYS_sched_setattr, 0, &raw const attributes, 0);
    }
}

/// Lowest address of the calling thread's stack and its size, if known.
#[cfg(not(Py_3_12))]
pub(crate) fn stack_bounds() -> Option<(usize, usize)> {
    let mut low = std::ptr::null_mut();
    let mut size = 0;
    // SAFETY: a zeroed attribute object is what pthread_getattr_np initialises; it is destroyed after use, and the
    // out-pointers are valid.
    unsafe {
        let mut attributes: libc::pthread_attr_t = std::mem::zeroed();
        if libc::pthread_getattr_np(libc::pthread_self(), &raw mut attributes) != 0 {
            return None;
        }
        let failed = libc::pthread_attr_getstack(&raw const attributes, &raw mut low, &raw mut size);
        libc::pthread_attr_destroy(&raw mut attributes);
        (failed == 0).then_some((low as usize, size))
    }
}
