//! The sentences that the terminal and the page both print.

use super::loss::losses;
use super::numbers::{count, counted, duration, percent, signed_percent};
use crate::model::{Difference, EventCost, Report, Session, TracingCost};

/// A fact with its label.
pub(crate) type Fact = (&'static str, String);

/// What may mislead a reader who stops after the first line: recovery, losses, warnings (a lost process is one).
pub(crate) fn alerts(report: &Report) -> Vec<String> {
    let mut alerts = Vec::new();
    if report.recovered {
        alerts.push("The file is damaged or cut; this is what could be recovered.".to_owned());
    }
    alerts.extend(losses(&report.loss).into_iter().filter(|line| line.misleads).map(|line| format!("{}.", line.text)));
    alerts.extend(report.notes.iter().filter(|note| note.severity == "warning").map(|note| note.message.clone()));
    alerts
}

/// The requests of the session in one sentence.
pub(crate) fn requests(report: &Report) -> String {
    let r = &report.requests;
    let mut text = format!(
        "{}: {} traced, {} timed only (control); {} other",
        counted(r.matched, "matching request", "matching requests"),
        count(r.traced),
        count(r.control),
        count(r.other)
    );
    for (n, what) in [
        (r.errors, "failed"),
        (r.incomplete, "not finished when the session ended"),
        (r.discarded, "armed and then found to have another name"),
    ] {
        if n > 0 {
            text.push_str(&format!("; {} {what}", count(n)));
        }
    }
    text.push('.');
    text
}

/// What tracing cost: each line a sentence.
pub(crate) fn tracing_cost(cost: &TracingCost, budget: f64) -> Vec<String> {
    let mut lines = Vec::new();
    for (what, difference) in [("CPU time", &cost.cpu), ("Response time", &cost.wall)] {
        if let Some(difference) = difference {
            lines.push(format!("{what} of a traced request, compared with control: {}", interval(difference)));
        }
    }
    if let Some(reason) = &cost.reason {
        lines.push(format!("No comparison of traced with control: {}.", reason.trim_end_matches('.')));
    }
    lines.extend(cost.event.as_ref().map(event_cost));
    lines.push(match cost.process_share {
        Some(share) => format!(
            "xray used {} % of the processes' CPU time (tracer, sampler and agent; budget {} %).",
            percent(share),
            percent(budget)
        ),
        None => "xray's share of the processes' CPU time is not known.".to_owned(),
    });
    lines
}

/// What the budget counts with, checked against the arms.
fn event_cost(event: &EventCost) -> String {
    let EventCost { measured_ns, arms_ns, ci95_ns: [low, high] } = event;
    let text = format!(
        "One call is two events: each was measured at {measured_ns:.0} ns when recording began; the CPU time of traced and \
         control requests says {arms_ns:.0} ns (95 % interval {low:.0} to {high:.0})"
    );
    if measured_ns < low {
        format!("{text}: xray's share, counted with the first, is more than the next line says.")
    } else {
        format!("{text}.")
    }
}

fn interval(d: &Difference) -> String {
    let [low, high] = d.ci95;
    let text =
        format!("{} (95 % interval {} to {})", signed_percent(d.difference), signed_percent(low), signed_percent(high));
    if low <= 0.0 && high >= 0.0 { format!("{text}; it may as well be nothing.") } else { format!("{text}.") }
}

/// The session's own facts.
pub(crate) fn session(session: &Session) -> Vec<Fact> {
    let limits = &session.limits;
    let mut asked =
        vec![duration(limits.duration_ns), format!("{} kept", counted(limits.traces.into(), "trace", "traces"))];
    if let Some(n) = limits.stop_after {
        asked.push(format!("stop after {}", counted(n, "trace", "traces")));
    }
    if limits.min_ns > 0 {
        asked.push(format!("only from {}", duration(limits.min_ns)));
    }
    asked.push(format!("{} % traced", percent(limits.share)));
    asked.push(format!("overhead at most {} %", percent(limits.max_overhead)));
    asked.push(format!("{} Hz", count(limits.hz.into())));
    let target = &session.target;
    let target = if target.given == target.canonical {
        format!("{} ({})", target.canonical, target.kind)
    } else {
        format!("{} ({}), given as {}", target.canonical, target.kind, target.given)
    };
    vec![
        ("Session", session.id.clone()),
        ("Application", session.app.clone()),
        ("Target", target),
        ("Started", instant(&session.started_at)),
        ("Ended", format!("{}, after {}", instant(&session.ended_at), duration(session.duration_ns))),
        ("Ended by", stopped_by(session.stopped_by).to_owned()),
        ("Limits", asked.join(", ")),
    ]
}

fn stopped_by(code: &'static str) -> &'static str {
    match code {
        "time" => "its time was up",
        "traces" => "it had its number of traces",
        "user" => "the user",
        "exit" => "the application exited",
        "refused" => "xray switched itself off (see the notes)",
        "lost" => "not known: no process lived to write it",
        other => other,
    }
}

/// The sampler's facts in one sentence.
pub(crate) fn sampling(report: &Report) -> String {
    let s = &report.samples;
    let achieved = s.achieved_hz.map_or_else(String::new, |hz| format!(", {hz:.1} reached"));
    let mut text = format!(
        "{} of at most {}, {} of them in matching requests; {} Hz asked{achieved}",
        counted(s.count, "sample", "samples"),
        counted(s.threads, "thread", "threads"),
        count(s.on_target),
        count(s.rate_hz.into()),
    );
    for (n, what) in [(s.missed, "ticks missed"), (s.torn, "stacks not whole")] {
        if n > 0 {
            text.push_str(&format!("; {} {what}", count(n)));
        }
    }
    text.push_str(&format!("; the sampler took {} of CPU.", duration(s.sampler_cpu_ns)));
    text
}

/// A kind of thread, for a reader.
pub(crate) fn thread_kind(kind: &str) -> &str {
    match kind {
        "target" => "matching requests",
        "web" => "other web requests",
        "background" => "background tasks",
        "other" => "no transaction",
        kind => kind,
    }
}

/// `2026-11-22 14:03:05 UTC` of an RFC 3339 instant; what is not one stays.
pub(crate) fn instant(rfc3339: &str) -> String {
    rfc3339.parse::<jiff::Timestamp>().map_or_else(|_| rfc3339.to_owned(), |at| at.strftime("%F %T UTC").to_string())
}

/// `14:03:05.123` of an RFC 3339 instant; what is not one stays.
pub(crate) fn clock_time(rfc3339: &str) -> String {
    rfc3339.parse::<jiff::Timestamp>().map_or_else(|_| rfc3339.to_owned(), |at| at.strftime("%T%.3f").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::fixture::report;

    #[test]
    fn an_interval_around_zero_is_called_that() {
        let near = Difference { difference: 0.01, ci95: [-0.02, 0.04] };
        let clear = Difference { difference: 0.12, ci95: [0.08, 0.16] };
        let cost = TracingCost { cpu: Some(clear), wall: Some(near), process_share: None, event: None, reason: None };
        let lines = tracing_cost(&cost, 0.05);
        assert!(lines[0].contains("+12.0 % (95 % interval +8.0 % to +16.0 %)."), "{}", lines[0]);
        assert!(lines[1].ends_with("it may as well be nothing."), "{}", lines[1]);
    }

    #[test]
    fn all_that_may_mislead_is_said_first() {
        let mut report = report();
        report.recovered = true;
        let alerts = alerts(&report);
        assert!(alerts[0].contains("recovered"));
        assert!(alerts.iter().any(|a| a == "A debugger was attached."));
    }

    #[test]
    fn instants_read_as_times_and_nonsense_stays() {
        assert_eq!(instant("2026-11-22T14:03:05.123456Z"), "2026-11-22 14:03:05 UTC");
        assert_eq!(clock_time("2026-11-22T14:03:05.1239Z"), "14:03:05.123");
        assert_eq!(clock_time("yesterday"), "yesterday");
    }
}
