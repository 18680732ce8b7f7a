//! What threads waited for, as lines.

use super::numbers::{duration, percent, share};
use super::place::place;
use super::stacks::kind_totals;
use super::words::thread_kind;
use crate::model::{Report, TreeReport, Wait};

/// Lines of a table, unless everything is asked for.
const LINES: usize = 8;
/// Smallest part of a kind's time with a line of its own, unless everything is asked for.
const MIN_SHARE: f64 = 0.005;

/// One line.
#[derive(Debug, PartialEq)]
pub(crate) struct WaitRow<'a> {
    /// Who waited.
    pub(crate) threads: String,
    pub(crate) time: String,
    /// Of the time of all samples of these threads.
    pub(crate) percent: String,
    /// The thread that had the GIL, or the system call.
    pub(crate) on: &'a str,
    /// What that thread ran, or why the call is no loss.
    pub(crate) detail: &'a str,
    pub(crate) place: String,
}

/// Waits for the GIL, and who had it.
pub(crate) fn for_gil<'a>(report: &'a Report, samples: &TreeReport, full: bool) -> Vec<WaitRow<'a>> {
    rows(report, samples, full, |wait| wait.on == "gil")
}

/// Waits in system calls.
pub(crate) fn in_calls<'a>(report: &'a Report, samples: &TreeReport, full: bool) -> Vec<WaitRow<'a>> {
    rows(report, samples, full, |wait| wait.on != "gil")
}

fn rows<'a>(report: &'a Report, samples: &TreeReport, full: bool, wanted: fn(&Wait) -> bool) -> Vec<WaitRow<'a>> {
    let totals = kind_totals(samples);
    let of_kind = |wait: &Wait| {
        let total = totals.iter().find(|total| total.kind == wait.thread_kind);
        share(wait.ns, total.map_or(0, |total| total.weight_ns))
    };
    let rows = report.waits.iter().filter(|wait| wanted(wait)).filter(|wait| full || of_kind(wait) >= MIN_SHARE);
    let row = |wait: &'a Wait| {
        let (on, detail, place) = match (&wait.holder, &wait.call) {
            (Some(holder), _) => {
                (holder.thread.as_str(), holder.function.as_str(), place(holder.file.as_deref(), holder.line))
            }
            (None, Some(call)) => (call.as_str(), if wait.idle { "idle: waits for work" } else { "" }, String::new()),
            (None, None) => ("nobody", "it was changing hands", String::new()),
        };
        WaitRow {
            threads: thread_kind(wait.thread_kind).to_owned(),
            time: duration(wait.ns),
            percent: percent(of_kind(wait)),
            on,
            detail,
            place,
        }
    };
    rows.take(if full { usize::MAX } else { LINES }).map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::fixture::{report, samples};

    #[test]
    fn shares_are_of_the_time_of_the_threads_that_waited() {
        let (report, samples) = (report(), samples());
        let rows = for_gil(&report, &samples, false);
        let row = &rows[0];
        assert_eq!((row.threads.as_str(), row.percent.as_str()), ("matching requests", "40.0"));
        assert_eq!((row.on, row.detail, row.place.as_str()), ("hog", "spin", "blog/hog.py:12"));
        assert_eq!(rows[1].on, "nobody");
        let calls = in_calls(&report, &samples, false);
        assert_eq!((calls[0].on, calls[0].detail), ("epoll_wait", "idle: waits for work"));
        assert_eq!((calls[1].on, calls[1].detail), ("recvfrom", ""));
        assert_eq!(calls.len(), 2, "what is next to nothing has no line");
        assert_eq!(in_calls(&report, &samples, true).len(), 3);
    }
}
