//! A running session on standard error: one line that changes on a terminal, a line now and then elsewhere.

use crate::console;
use crate::errors::CliError;
use crate::interrupt::Interrupts;
use crate::units::{clock, count as many, duration, one_line, percent};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::time::{Duration, Instant};
use xray_core::control::coordinator::{AppSession, Next};
use xray_core::control::progress::AppProgress;
use xray_core::control::protocol::AgentState;
use xray_core::model::Limits;

/// Time between two looks at the processes.
const INTERVAL: Duration = Duration::from_millis(200);
/// Time between two lines when nobody watches a terminal.
const LINE_INTERVAL: Duration = Duration::from_secs(5);
/// A session without a match for this long says so.
const QUIET_NS: u64 = 10_000_000_000;

/// How watching ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The session is finished.
    Finished,
    /// The user does not want to wait any longer.
    GivenUp,
}

/// Watches a session to its end. The first Ctrl-C ends the session, the second one the waiting.
///
/// # Errors
/// [`CliError`].
pub(crate) fn watch(session: &mut AppSession, interrupts: &Interrupts) -> Result<End, CliError> {
    drive(session, &|_| match interrupts.count() {
        0 => Next::Continue,
        1 => Next::Stop,
        _ => Next::Leave,
    })
}

/// Watches a session to its end without ending it: Ctrl-C ends only the waiting.
///
/// # Errors
/// [`CliError`].
pub(crate) fn wait(session: &mut AppSession, interrupts: &Interrupts) -> Result<End, CliError> {
    drive(session, &|_| if interrupts.count() == 0 { Next::Continue } else { Next::Leave })
}

fn drive(session: &mut AppSession, next: &dyn Fn(&AppProgress) -> Next) -> Result<End, CliError> {
    let header = &session.file().spec.header;
    let mut view = View::new(&header.target.given, &header.limits);
    let last = session.wait(INTERVAL, &mut |progress| {
        view.show(progress);
        next(progress)
    });
    view.close();
    Ok(if last?.state == AgentState::Finished { End::Finished } else { End::GivenUp })
}

/// What the user sees.
struct View {
    bar: Option<ProgressBar>,
    limits: Limits,
    target: String,
    last_line: Option<Instant>,
    said_quiet: bool,
    said_draining: bool,
    said_refused: usize,
}

impl View {
    fn new(target: &str, limits: &Limits) -> Self {
        let bar = console::stderr_is_terminal().then(|| {
            let style =
                ProgressStyle::with_template("{bar:20} {prefix}\n{wide_msg}").expect("the template is constant");
            let length = limits.duration_ns / 1_000_000;
            ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::stderr()).with_style(style)
        });
        let view = Self {
            bar,
            limits: limits.clone(),
            target: one_line(target),
            last_line: None,
            said_quiet: false,
            said_draining: false,
            said_refused: 0,
        };
        view.say(&format!(
            "recording {} for at most {}; Ctrl-C ends it, nothing is lost",
            view.target,
            clock(limits.duration_ns)
        ));
        view
    }

    fn show(&mut self, progress: &AppProgress) {
        for reason in progress.refused.iter().skip(self.said_refused) {
            self.say(&format!("a process does not take part: {reason}"));
        }
        self.said_refused = self.said_refused.max(progress.refused.len());
        if !self.said_quiet && progress.elapsed_ns >= QUIET_NS && progress.matched() == 0 {
            self.said_quiet = true;
            self.say(&format!(
                "no request has matched {} for {} s, {} others were seen; `xray transactions` lists the names",
                self.target,
                QUIET_NS / 1_000_000_000,
                progress.other
            ));
        }
        if !self.said_draining && progress.state == AgentState::Draining {
            self.said_draining = true;
            self.say("recording has ended; waiting up to 10 s for open requests");
        }
        if let Some(bar) = &self.bar {
            bar.set_position(progress.elapsed_ns / 1_000_000);
            // Two lines, so that everything is there at 80 columns.
            bar.set_prefix(counts(progress, self.limits.duration_ns, Some(&self.limits)));
            bar.set_message(times(progress));
        } else if self.last_line.is_none_or(|at| at.elapsed() >= LINE_INTERVAL) {
            self.last_line = Some(Instant::now());
            let counts = counts(progress, self.limits.duration_ns, Some(&self.limits));
            console::note(&format!("{counts}  {}", times(progress)));
        }
    }

    fn say(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| console::note(text)),
            None => console::note(text),
        }
    }

    fn close(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// Time and counts, against the limits where there are any.
pub(super) fn counts(progress: &AppProgress, duration_ns: u64, limits: Option<&Limits>) -> String {
    let traces = match limits.map(|limits| (limits.stop_after, limits.traces)) {
        Some((Some(stop_after), _)) => format!("{} traces of {stop_after}", progress.traced),
        Some((None, kept)) => format!("{} traces (keeps {kept})", progress.traced),
        None => format!("{} traces", progress.traced),
    };
    let (elapsed, total) = (clock(progress.elapsed_ns), clock(duration_ns));
    format!("{elapsed}/{total}  {traces}  {} matched, {} other", progress.matched(), progress.other)
}

/// Response times, samples, cost, and what is wrong.
pub(super) fn times(progress: &AppProgress) -> String {
    let (p50, p95) = (progress.latency.percentile(50.0), progress.latency.percentile(95.0));
    let mut text = format!(
        "p50 {}, p95 {}  {} samples  cost {}",
        duration(p50),
        duration(p95),
        progress.samples,
        percent(progress.overhead)
    );
    let processes =
        |count: usize, what| (count > 0).then(|| format!("  {} {what}", many(count as u64, "process", "processes")));
    text.extend((progress.lost > 0).then(|| format!("  {} lost", many(progress.lost, "event", "events"))));
    text.extend(processes(progress.gone, "gone"));
    text.extend(processes(progress.silent, "silent"));
    text
}
