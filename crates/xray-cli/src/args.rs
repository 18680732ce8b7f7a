//! The command line as clap sees it; its help texts are the documentation. Nothing of clap leaves this file.

use crate::errors::USAGE;
use crate::options::{
    Color, Command, FileOptions, PsOptions, ReportOptions, RunOptions, Selection, SessionCommand, StartOptions,
    TransactionsOptions, TreeSource, View, nanoseconds,
};
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;
use xray_core::model::Limits;

/// Longest session: a day.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);
const DEFAULT_DURATION: Duration = Duration::from_secs(60);

#[derive(Parser)]
#[command(
    name = "xray",
    bin_name = "xray",
    version = crate::version(),
    about = "X-Ray sessions for Python in production",
    long_about = "X-Ray sessions for Python in production: trace every function call of the requests that match one \
                  transaction, sample all threads beside them, and get one report.",
    after_help = "Examples:\n  \
        xray run -- gunicorn -w 4 blog.wsgi\n  \
        xray transactions\n  \
        xray session start --transaction '/tags/<tag>/' --minutes 5 -o session.xr\n  \
        xray report session.xr\n\n\
        Exit codes: 0 done, also when ended early; 1 the answer is no (nothing matched); 2 bad usage or unreadable \
        file; 3 no application, unknown transaction, or the agent refused.",
    max_term_width = 100,
    subcommand_required = true,
    arg_required_else_help = true
)]
struct Cli {
    #[command(subcommand)]
    command: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Run a Python program with the agent inside
    ///
    /// xray becomes the program: process id, exit code and signals are the program's own. The program's Python must
    /// have the package (pip install xray-session). Children of the program (workers, reloaders) have the agent, too.
    /// XRAY_DISABLE=1 turns it off.
    Run(RunArgs),
    /// List the processes that have an agent
    ///
    /// A process's agent starts with its first request or task, so workers that have served nothing yet do not appear.
    Ps(JsonArgs),
    /// List the transactions of an application: names for --transaction
    ///
    /// Names come from the application's router and from what its processes have served. Counts and rates are sums
    /// over all processes, percentiles are over the latest requests of each name.
    #[command(visible_alias = "tx")]
    Transactions(TransactionsArgs),
    /// Start, watch, stop and fetch sessions
    Session {
        #[command(subcommand)]
        verb: SessionVerb,
    },
    /// Show the report of a session
    ///
    /// Several files, or parts of one session, are merged. A damaged file is reported as far as it can be read, with
    /// the loss in its first line.
    Report(ReportArgs),
    /// List the chunks of a session file or part, damaged ones included
    Dump {
        /// Session file (.xr) or part (.xr.part)
        file: PathBuf,
    },
}

#[derive(Args)]
struct RunArgs {
    /// Name of the application; all processes with one name are one application
    ///
    /// Without it: XRAY_APP, else the program and its working directory.
    #[arg(long, env = "XRAY_APP", value_parser = app_name)]
    app: Option<String>,
    /// The program and its arguments
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true, value_name = "PROGRAM")]
    program: Vec<OsString>,
}

#[derive(Args)]
struct JsonArgs {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
struct AppArgs {
    /// Application: its name, or a part of it that fits only one; not needed while only one runs
    #[arg(long, env = "XRAY_APP")]
    app: Option<String>,
}

#[derive(Args)]
struct TransactionsArgs {
    #[command(flatten)]
    app: AppArgs,
    #[command(flatten)]
    json: JsonArgs,
}

#[derive(Subcommand)]
enum SessionVerb {
    /// Trace the requests of one transaction for a while, and write a session file
    ///
    /// Reaches all processes of the application, also those that start meanwhile. Ends at the first of: its time,
    /// --stop-after, Ctrl-C, `xray session stop`; the file is complete in each case. A second Ctrl-C does not wait for
    /// requests that are still open. When this command dies the session goes on: see `xray session fetch`.
    Start(StartArgs),
    /// List sessions: the running ones, and the last finished ones of each application
    List(JsonArgs),
    /// Show how a session goes
    Status {
        #[command(flatten)]
        selection: SelectionArgs,
        #[command(flatten)]
        json: JsonArgs,
    },
    /// End a running session; nothing that it has recorded is lost
    Stop {
        #[command(flatten)]
        selection: SelectionArgs,
    },
    /// Write the file of a session that was detached, or whose command died
    ///
    /// Waits for the end of a running session (Ctrl-C stops waiting, not the session). Parts of processes that died
    /// are recovered.
    Fetch {
        /// Session: the id that `xray session list` shows
        id: String,
        #[command(flatten)]
        output: OutputArgs,
        #[command(flatten)]
        json: JsonArgs,
    },
}

#[derive(Args)]
struct SelectionArgs {
    /// Session: the id that `xray session list` shows; without it, the one that runs now
    id: Option<String>,
    #[command(flatten)]
    app: AppArgs,
}

#[derive(Args)]
struct OutputArgs {
    /// File to write; `-` is standard output [default: made of the transaction and the time, as
    /// tags-tag-20261122T174034Z.xr]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Overwrite the file if it exists
    #[arg(long)]
    force: bool,
}

#[derive(Args)]
struct StartArgs {
    /// The transaction: a route, handler, task or block name, glob, or re:REGEX
    ///
    /// '/tags/<tag>/', 'GET /tags/{tag}/', '/tags/django/', 'blog.views.tag_detail', 'tag-detail' (url name), '/api/*',
    /// 're:^/v[12]/'. `xray transactions` lists what there is.
    #[arg(short, long, value_name = "NAME", value_parser = not_empty)]
    transaction: String,
    /// Longest time, in minutes [default: 1]
    #[arg(short, long, value_name = "N", value_parser = minutes, conflicts_with = "seconds")]
    minutes: Option<Duration>,
    /// Longest time, in seconds
    #[arg(short, long, value_name = "N", value_parser = seconds)]
    seconds: Option<Duration>,
    /// Traces to keep: the slowest, the failed, and a random share of the rest
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    traces: u32,
    /// End after this number of traces, over all processes
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    stop_after: Option<u64>,
    /// Keep only traces that took at least this long, in milliseconds; all are counted
    #[arg(long, value_name = "MS", default_value = "0", value_parser = milliseconds)]
    min_ms: Duration,
    /// Share of matching requests to trace, as 0.75 or 75%; the others are timed, to measure what tracing costs
    #[arg(long, value_name = "SHARE", default_value = "0.75", value_parser = share)]
    share: f64,
    /// Share of each process's CPU time that xray may use, as 0.05 or 5%; over it, fewer requests are traced
    #[arg(long, value_name = "SHARE", default_value = "0.05", value_parser = share)]
    max_overhead: f64,
    /// Samples of all threads per second
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    hz: u32,
    #[command(flatten)]
    app: AppArgs,
    /// Start although no process knows the transaction yet
    #[arg(long)]
    unseen: bool,
    #[command(flatten)]
    output: OutputArgs,
    /// Return at once and leave the session running: see `xray session fetch`
    #[arg(short, long, conflicts_with_all = ["output", "force"])]
    detach: bool,
    #[command(flatten)]
    json: JsonArgs,
    /// Seed of every random choice, to repeat a session's decisions [default: random]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
}

#[derive(Args)]
struct ReportArgs {
    /// Session files (.xr) or parts (.xr.part) of one session; `-` is standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Show one trace: its segments with counts, times and starts; the report lists the ids
    #[arg(long, value_name = "ID", conflicts_with = "tree")]
    trace: Option<String>,
    /// Show one tree in full: of all samples, or of all traced calls
    #[arg(long, value_enum)]
    tree: Option<TreeArg>,
    /// With --tree: from the functions at the ends of stacks to their callers
    #[arg(long, requires = "tree")]
    bottom_up: bool,
    /// With --tree samples: by elapsed time, or by the CPU time that the threads used
    #[arg(long, value_enum, requires = "tree", default_value_t = ByArg::Wall)]
    by: ByArg,
    /// Format of the output
    #[arg(long, value_enum, default_value_t = FormatArg::Text)]
    format: FormatArg,
    /// Show every line instead of the largest
    #[arg(long)]
    full: bool,
    /// Write the report as one self-contained page instead
    #[arg(long, value_name = "FILE", conflicts_with_all = ["trace", "tree", "format"])]
    html: Option<PathBuf>,
    /// Overwrite the page if it exists
    #[arg(long, requires = "html")]
    force: bool,
    /// Columns of the text [default: the terminal's, 100 when piped]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(40..))]
    width: Option<u16>,
    /// Colours
    #[arg(long, value_enum, default_value_t = ColorArg::Auto)]
    color: ColorArg,
}

#[derive(Clone, Copy, ValueEnum)]
enum TreeArg {
    /// What the threads did, by stack
    Samples,
    /// Sum of all traced calls
    Calls,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum ByArg {
    /// Elapsed time
    Wall,
    /// CPU time
    Cpu,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum FormatArg {
    /// For people
    Text,
    /// For programs: schema xray.report/1, xray.trace/1 or xray.tree/1
    Json,
}

#[derive(Clone, Copy, ValueEnum)]
enum ColorArg {
    /// On a terminal, unless NO_COLOR is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// The command of a command line, or what clap has to say: an error, a help text, the version.
pub(crate) fn parse(argv: impl IntoIterator<Item = OsString>) -> Result<Command, clap::Error> {
    let command = match Cli::try_parse_from(argv)?.command {
        Verb::Run(args) => {
            let mut words = args.program.into_iter();
            let program = words.next().unwrap_or_default();
            Command::Run(RunOptions { app: args.app, program, arguments: words.collect() })
        }
        Verb::Ps(args) => Command::Ps(PsOptions { json: args.json }),
        Verb::Transactions(args) => {
            Command::Transactions(TransactionsOptions { app: args.app.app, json: args.json.json })
        }
        Verb::Session { verb } => Command::Session(session(verb)?),
        Verb::Report(args) => Command::Report(report(args)),
        Verb::Dump { file } => Command::Dump(file),
    };
    Ok(command)
}

/// Prints what clap has to say; returns the exit code.
pub(crate) fn explain(early: &clap::Error) -> i32 {
    // A closed output is no reason to say more.
    let _ = early.print();
    if early.use_stderr() { USAGE } else { 0 }
}

fn session(verb: SessionVerb) -> Result<SessionCommand, clap::Error> {
    Ok(match verb {
        SessionVerb::Start(args) => SessionCommand::Start(start(args)?),
        SessionVerb::List(args) => SessionCommand::List { json: args.json },
        SessionVerb::Status { selection, json } => {
            SessionCommand::Status { selection: selection.into(), json: json.json }
        }
        SessionVerb::Stop { selection } => SessionCommand::Stop { selection: selection.into() },
        SessionVerb::Fetch { id, output, json } => {
            let output = FileOptions::from(output);
            one_use_of_stdout(&output, json.json)?;
            SessionCommand::Fetch { id, output, json: json.json }
        }
    })
}

fn start(args: StartArgs) -> Result<StartOptions, clap::Error> {
    let duration = args.minutes.or(args.seconds).unwrap_or(DEFAULT_DURATION);
    let limits = Limits {
        duration_ns: nanoseconds(duration),
        traces: args.traces,
        stop_after: args.stop_after,
        min_ns: nanoseconds(args.min_ms),
        share: args.share,
        max_overhead: args.max_overhead,
        hz: args.hz,
    };
    let output = FileOptions::from(args.output);
    one_use_of_stdout(&output, args.json.json)?;
    Ok(StartOptions {
        transaction: args.transaction,
        app: args.app.app,
        limits,
        seed: args.seed,
        unseen: args.unseen,
        output,
        detach: args.detach,
        json: args.json.json,
    })
}

fn one_use_of_stdout(output: &FileOptions, json: bool) -> Result<(), clap::Error> {
    if output.is_stdout() && json {
        let message = "`-o -` and --json both use standard output: choose one\n";
        return Err(clap::Error::raw(clap::error::ErrorKind::ArgumentConflict, message));
    }
    Ok(())
}

fn report(args: ReportArgs) -> ReportOptions {
    let view = match (args.trace, args.tree) {
        (Some(id), _) => View::Trace(id),
        (None, Some(tree)) => View::Tree {
            source: match tree {
                TreeArg::Samples => TreeSource::Samples,
                TreeArg::Calls => TreeSource::Calls,
            },
            bottom_up: args.bottom_up,
            by_cpu: args.by == ByArg::Cpu,
        },
        (None, None) => View::Report,
    };
    ReportOptions {
        files: args.files,
        view,
        json: args.format == FormatArg::Json,
        full: args.full,
        html: args.html.map(|path| FileOptions { path: Some(path), force: args.force }),
        width: args.width.map(usize::from),
        color: match args.color {
            ColorArg::Auto => Color::Auto,
            ColorArg::Always => Color::Always,
            ColorArg::Never => Color::Never,
        },
    }
}

impl From<SelectionArgs> for Selection {
    fn from(args: SelectionArgs) -> Self {
        Self { id: args.id, app: args.app.app }
    }
}

impl From<OutputArgs> for FileOptions {
    fn from(args: OutputArgs) -> Self {
        Self { path: args.output, force: args.force }
    }
}

fn not_empty(text: &str) -> Result<String, String> {
    if text.trim().is_empty() {
        Err("a name is needed; `xray transactions` lists them".to_owned())
    } else {
        Ok(text.to_owned())
    }
}

fn app_name(text: &str) -> Result<String, String> {
    let longest = xray_core::limits::APP_NAME_BYTES as usize;
    match text.len() {
        0 => Err("the name is empty".to_owned()),
        length if length > longest => Err(format!("the name is longer than {longest} bytes")),
        _ => Ok(text.to_owned()),
    }
}

fn minutes(text: &str) -> Result<Duration, String> {
    session_time(number(text)? * 60.0)
}

fn seconds(text: &str) -> Result<Duration, String> {
    session_time(number(text)?)
}

fn session_time(seconds: f64) -> Result<Duration, String> {
    match Duration::try_from_secs_f64(seconds) {
        Ok(time) if time >= Duration::from_millis(100) && time <= LONGEST => Ok(time),
        _ => Err("a session lasts from 0.1 seconds to 24 hours".to_owned()),
    }
}

fn milliseconds(text: &str) -> Result<Duration, String> {
    match Duration::try_from_secs_f64(number(text)? / 1e3) {
        Ok(time) if time <= LONGEST => Ok(time),
        _ => Err("between 0 and one day, in milliseconds".to_owned()),
    }
}

fn share(text: &str) -> Result<f64, String> {
    let value = match text.strip_suffix('%') {
        Some(percent) => number(percent.trim_end())? / 100.0,
        None => number(text)?,
    };
    if value > 0.0 && value <= 1.0 {
        Ok(value)
    } else {
        Err("a share is over 0 and at most 1 (or over 0% and at most 100%)".to_owned())
    }
}

fn number(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() => Ok(value),
        _ => Err("not a number".to_owned()),
    }
}

#[cfg(test)]
mod tests;
