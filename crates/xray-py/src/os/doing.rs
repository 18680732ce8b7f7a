//! What a thread of this process does right now, as the kernel says.
//!
//! `/proc/self/task/TID/syscall` is `running`, or the number of the system call that the thread sleeps in and its
//! arguments. A thread may read it of the threads of its own process, unless the process is not dumpable.
//!
//! Files are opened for each look: kept ones would be one descriptor of the application's for each of its threads, and
//! copies of them in its children.

use std::fs::File;
use std::io::Read;
use syscalls::Sysno;

/// What a thread does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Doing {
    /// It is on a core, or waits for one.
    Runs,
    /// It sleeps in this system call, whose first argument this is.
    Sleeps { call: u64, argument: u64 },
    /// It sleeps, outside of a system call (a page that is being read, say).
    SleepsElsewhere,
}

/// Looks; `None` when the kernel does not say.
pub(crate) fn of_thread(tid: u32) -> Option<Doing> {
    parse(&read(&format!("/proc/self/task/{tid}/syscall"), &mut [0; 256])?)
}

/// The core that a thread is on, or was on last.
pub(crate) fn core_of_thread(tid: u32) -> Option<usize> {
    core_in(&read(&format!("/proc/self/task/{tid}/stat"), &mut [0; 1024])?)
}

/// The calling thread's core.
pub(crate) fn own_core() -> usize {
    rustix::thread::sched_getcpu()
}

/// What a system call is called.
pub(crate) fn name_of_call(call: u64) -> &'static str {
    usize::try_from(call).ok().and_then(Sysno::new).map_or("an unknown system call", |call| call.name())
}

fn read(path: &str, into: &mut [u8]) -> Option<String> {
    let read = File::open(path).ok()?.read(into).ok()?;
    Some(String::from_utf8_lossy(&into[..read]).into_owned())
}

fn parse(text: &str) -> Option<Doing> {
    let mut words = text.split_ascii_whitespace();
    match words.next()? {
        "running" => Some(Doing::Runs),
        "-1" => Some(Doing::SleepsElsewhere),
        call => {
            let argument = words.next()?.strip_prefix("0x")?;
            Some(Doing::Sleeps { call: call.parse().ok()?, argument: u64::from_str_radix(argument, 16).ok()? })
        }
    }
}

/// Field 39; the name, which may have spaces and parentheses, ends with the last parenthesis and is field 2.
fn core_in(text: &str) -> Option<usize> {
    let (_, after_name) = text.rsplit_once(')')?;
    after_name.split_ascii_whitespace().nth(39 - 3)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_words_are_understood() {
        assert_eq!(parse("running\n"), Some(Doing::Runs));
        assert_eq!(parse("-1 0x7ffc 0x7f00\n"), Some(Doing::SleepsElsewhere));
        let futex = parse("202 0x55d4c0de 0x189 0x0 0x0 0x0 0xffffffff 0x7ffd 0x7f\n");
        assert_eq!(futex, Some(Doing::Sleeps { call: 202, argument: 0x55d4_c0de }));
        assert_eq!(parse(""), None);
        let fields = (4..=52).map(|number| number.to_string()).collect::<Vec<_>>().join(" ");
        assert_eq!(core_in(&format!("17 (a) b (c) S {fields}")), Some(39));
    }

    #[test]
    fn a_thread_that_sleeps_is_seen_in_its_system_call() {
        let (send_tid, tid) = std::sync::mpsc::channel();
        let (wake, woken) = std::sync::mpsc::channel::<()>();
        let sleeper = std::thread::spawn(move || {
            send_tid.send(crate::os::thread::tid()).unwrap();
            let _ = woken.recv();
        });
        let tid = tid.recv().unwrap();
        let sleeps = |doing| matches!(doing, Some(Doing::Sleeps { call, .. }) if call == libc::SYS_futex as u64);
        while !sleeps(of_thread(tid)) {
            std::thread::yield_now();
        }
        assert!(core_of_thread(tid).is_some());
        drop(wake);
        sleeper.join().unwrap();
    }

    #[test]
    fn a_thread_that_computes_is_seen_running() {
        use std::sync::atomic::{AtomicBool, Ordering};
        static DONE: AtomicBool = AtomicBool::new(false);
        let (send_tid, tid) = std::sync::mpsc::channel();
        let computer = std::thread::spawn(move || {
            send_tid.send(crate::os::thread::tid()).unwrap();
            while !DONE.load(Ordering::Relaxed) {
                std::hint::spin_loop();
            }
        });
        let tid = tid.recv().unwrap();
        // It may still be inside of the call that sent its number.
        while of_thread(tid) != Some(Doing::Runs) {
            std::thread::yield_now();
        }
        DONE.store(true, Ordering::Relaxed);
        computer.join().unwrap();
    }
}
