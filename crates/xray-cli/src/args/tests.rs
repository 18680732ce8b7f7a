use super::*;
use clap::CommandFactory;

fn words(line: &str) -> Vec<OsString> {
    std::iter::once("xray").chain(line.split_whitespace()).map(OsString::from).collect()
}

fn parsed(line: &str) -> Command {
    parse(words(line)).unwrap_or_else(|error| panic!("{line}: {error}"))
}

fn started(line: &str) -> StartOptions {
    match parsed(&format!("session start {line}")) {
        Command::Session(SessionCommand::Start(options)) => options,
        other => panic!("{other:?}"),
    }
}

#[test]
fn clap_finds_no_fault() {
    Cli::command().debug_assert();
}

#[test]
fn defaults_of_a_session() {
    let options = started("--transaction /tags/<tag>/");
    let limits = Limits {
        duration_ns: 60_000_000_000,
        traces: 100,
        stop_after: None,
        min_ns: 0,
        share: 0.75,
        max_overhead: 0.05,
        hz: 100,
    };
    assert_eq!(options.limits, limits);
    assert_eq!(options.transaction, "/tags/<tag>/");
    assert_eq!((options.seed, options.unseen, options.detach, options.json), (None, false, false, false));
    assert_eq!(options.output, FileOptions { path: None, force: false });
}

#[test]
fn every_option_of_a_session() {
    let options = started(
        "-t x --minutes 2.5 --traces 7 --stop-after 9 --min-ms 1.5 --share 100% --max-overhead 2.5% --hz 250 \
         --app blog --unseen -o - --force --seed 42",
    );
    let limits = Limits {
        duration_ns: 150_000_000_000,
        traces: 7,
        stop_after: Some(9),
        min_ns: 1_500_000,
        share: 1.0,
        max_overhead: 0.025,
        hz: 250,
    };
    assert_eq!(options.limits, limits);
    assert_eq!((options.app.as_deref(), options.seed, options.unseen), (Some("blog"), Some(42), true));
    assert!(options.output.is_stdout() && options.output.force);
    assert_eq!(started("-t x --seconds 20").limits.duration_ns, 20_000_000_000);
}

#[test]
fn what_is_refused_with_code_2() {
    for line in [
        "",
        "no-such-command",
        "session",
        "session start",
        "session start --transaction",
        "session start -t x --minutes 1 --seconds 1",
        "session start -t x --minutes 0",
        "session start -t x --minutes -1",
        "session start -t x --minutes 1441",
        "session start -t x --seconds nan",
        "session start -t x --seconds inf",
        "session start -t x --seconds 1e300",
        "session start -t x --share 0",
        "session start -t x --share 1.5",
        "session start -t x --share 101%",
        "session start -t x --max-overhead -0.1",
        "session start -t x --traces 0",
        "session start -t x --stop-after 0",
        "session start -t x --min-ms -1",
        "session start -t x --hz 0",
        "session start -t x --hz 1001",
        "session start -t x -o - --json",
        "session start -t x --detach -o file",
        "session start -t x --fail-if p95>1s",
        "session fetch",
        "session fetch abc -o - --json",
        "report",
        "report a --trace 1 --tree calls",
        "report a --bottom-up",
        "report a --html b --format json",
        "report a --width 10",
        "report a --color blue",
        "dump",
        "run",
    ] {
        let error = parse(words(line)).map(|_| ()).expect_err(line);
        assert_eq!(if error.use_stderr() { USAGE } else { 0 }, USAGE, "{line}");
    }
}

#[test]
fn help_and_version_are_no_errors() {
    for line in ["--help", "--version", "session start --help", "help session"] {
        assert!(!parse(words(line)).expect_err(line).use_stderr(), "{line}");
    }
    let version = parse(words("--version")).unwrap_err().to_string();
    assert!(version.contains(env!("CARGO_PKG_VERSION")) && version.contains("format"), "{version}");
}

#[test]
fn a_program_keeps_its_own_options() {
    let expected = RunOptions {
        app: Some("blog".to_owned()),
        program: "gunicorn".into(),
        arguments: ["-w", "2", "--app", "x", "blog.wsgi"].map(OsString::from).to_vec(),
    };
    for line in ["run --app blog -- gunicorn -w 2 --app x blog.wsgi", "run --app blog gunicorn -w 2 --app x blog.wsgi"]
    {
        assert_eq!(
            parsed(line),
            Command::Run(RunOptions { app: expected.app.clone(), ..expected_copy(&expected) }),
            "{line}"
        );
    }
}

fn expected_copy(options: &RunOptions) -> RunOptions {
    RunOptions { app: options.app.clone(), program: options.program.clone(), arguments: options.arguments.clone() }
}

#[test]
fn views_of_a_report() {
    let view = |line: &str| match parsed(line) {
        Command::Report(options) => options.view,
        other => panic!("{other:?}"),
    };
    assert_eq!(view("report a b"), View::Report);
    assert_eq!(view("report a --trace 00ff"), View::Trace("00ff".to_owned()));
    assert_eq!(
        view("report a --tree calls"),
        View::Tree { source: TreeSource::Calls, bottom_up: false, by_cpu: false }
    );
    assert_eq!(
        view("report a --tree samples --bottom-up"),
        View::Tree { source: TreeSource::Samples, bottom_up: true, by_cpu: false }
    );
}
