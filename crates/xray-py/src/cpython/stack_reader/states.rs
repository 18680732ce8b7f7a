//! What a thread does at the instant of a tick.
//!
//! The kernel says of each thread whether it sleeps, and on what; one that waits for the GIL sleeps on an address inside
//! of the GIL. Of the others it only says that they could run. Those that do are told by their CPU clock: it moves
//! between two looks at it.

use crate::os::doing::{self, Doing};
use crate::os::thread;
use xray_core::model::ThreadState;

/// What a thread does, and in which system call it sleeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Looked {
    pub(super) state: ThreadState,
    pub(super) call: Option<&'static str>,
}

/// Looks at a thread whose CPU clock was at `cpu_ns` a moment ago; it `moved` since the last tick. `is_gil` knows the
/// addresses that those sleep on who wait for the GIL.
pub(super) fn look(tid: u32, cpu_ns: u64, moved: bool, is_gil: impl Fn(u64) -> bool) -> Looked {
    let doing = doing::of_thread(tid);
    let state = match doing {
        Some(Doing::Sleeps { call, argument }) if call == libc::SYS_futex as u64 && is_gil(argument) => {
            ThreadState::WaitingForGil
        }
        Some(Doing::Sleeps { .. } | Doing::SleepsElsewhere) => ThreadState::Blocked,
        Some(Doing::Runs) if thread::cpu_ns(tid).is_some_and(|now_ns| now_ns > cpu_ns) => ThreadState::OnCpu,
        Some(Doing::Runs) => ThreadState::Waiting,
        // The kernel does not tell: a thread that has run since the last tick counts as one that runs.
        None if moved => ThreadState::OnCpu,
        None => ThreadState::Blocked,
    };
    let call = match doing {
        Some(Doing::Sleeps { call, .. }) if state == ThreadState::Blocked => Some(doing::name_of_call(call)),
        Some(Doing::SleepsElsewhere) => Some("outside of system calls"),
        _ => None,
    };
    Looked { state, call }
}

/// Whether a thread in this state must run before it is in another one.
pub(super) fn sleeps(state: ThreadState) -> bool {
    matches!(state, ThreadState::Blocked | ThreadState::WaitingForGil)
}

/// CPU time that a thread needs to look a few times whether the GIL is free, which it does every 5 ms.
const GLANCES_NS: u64 = 200_000;

/// Whether a thread that waited for the GIL, and has used so much CPU time since, still waits for it: it only looked
/// whether it is free. On a busy machine it waits for a core to do so for much of the time.
pub(super) fn still_waits(state: ThreadState, used_ns: u64) -> bool {
    matches!(state, ThreadState::Waiting | ThreadState::OnCpu) && used_ns < GLANCES_NS
}

/// The thread that the sampler has pushed off its core by waking up: without it, it would run. On a busy machine there
/// always is one, and it would never be seen running.
#[derive(Debug, Default)]
pub(super) struct Preempted {
    found: Option<(u64, usize)>,
}

impl Preempted {
    /// A thread that could run and does not. Of several that wait for the sampler's core, it is the one that has run
    /// most since the last tick.
    pub(super) fn consider(&mut self, at: usize, tid: u32, used_ns: u64) {
        let more = self.found.is_none_or(|(most_ns, _)| used_ns > most_ns);
        if more && doing::core_of_thread(tid) == Some(doing::own_core()) {
            self.found = Some((used_ns, at));
        }
    }

    /// Which one it is.
    pub(super) fn thread(&self) -> Option<usize> {
        self.found.map(|(_, at)| at)
    }
}
