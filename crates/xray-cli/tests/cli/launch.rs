//! `xray run`: becomes the program, with the agent inside.

use crate::{Place, Ran};
use std::process::Command;

fn package(place: &Place) -> String {
    let bootstrap = place.directory.path().join("xray/_bootstrap");
    std::fs::create_dir_all(&bootstrap).unwrap();
    std::fs::write(bootstrap.join("sitecustomize.py"), "").unwrap();
    place.directory.path().join("xray").to_str().unwrap().to_owned()
}

fn prepared(place: &Place, arguments: &[&str]) -> Command {
    let mut command = place.command(arguments);
    command.env("XRAY_PACKAGE_DIR", package(place));
    command
}

fn run(place: &Place, arguments: &[&str]) -> Ran {
    Ran::from(prepared(place, arguments).output().unwrap())
}

fn variable(environment: &str, name: &str) -> Option<String> {
    environment.lines().find_map(|line| Some(line.strip_prefix(name)?.strip_prefix('=')?.to_owned()))
}

#[test]
fn the_program_gets_the_agent_and_its_own_arguments() {
    let place = Place::new();
    let environment = run(&place, &["run", "--app", "shop", "--", "env"]).with(0).text();
    let bootstrap = format!("{}/_bootstrap", package(&place));
    assert_eq!(variable(&environment, "PYTHONPATH"), Some(bootstrap.clone()));
    assert_eq!(variable(&environment, "XRAY_APP").as_deref(), Some("shop"));
    assert_eq!(variable(&environment, "XRAY_PACKAGE_DIR"), None);

    let mut command = prepared(&place, &["run", "env"]);
    let environment = Ran::from(command.env("PYTHONPATH", "/mine").output().unwrap()).with(0).text();
    assert_eq!(variable(&environment, "PYTHONPATH"), Some(format!("{bootstrap}:/mine")));
    let work = place.work().canonicalize().unwrap();
    assert_eq!(variable(&environment, "XRAY_APP"), Some(format!("env {}", work.display())));

    assert_eq!(run(&place, &["run", "--", "echo", "--app", "-x"]).with(0).text(), "--app -x\n");
}

#[test]
fn process_id_exit_code_and_signals_are_the_programs_own() {
    let place = Place::new();
    run(&place, &["run", "--", "sh", "-c", "exit 7"]).with(7);
    for signal in ["TERM", "PIPE", "INT"] {
        let killed = run(&place, &["run", "--", "sh", "-c", &format!("kill -{signal} $$; sleep 5")]);
        assert_eq!(killed.code, None, "{signal} must have its default effect");
    }
    let ran = run(&place, &["run", "--", "sh", "-c", "test $XRAY_RUN_PID = $$"]);
    ran.with(0);
}

#[test]
fn what_cannot_be_run_is_one_line() {
    let place = Place::new();
    run(&place, &["run", "--", "no-such-program"]).with(2).in_one_line(&["no-such-program", "not found"]);
    run(&place, &["run", "--", "/"]).with(2).in_one_line(&["cannot be run"]);
    let mut broken = place.command(&["run", "--", "env"]);
    let ran = Ran::from(broken.env("XRAY_PACKAGE_DIR", place.work()).output().unwrap());
    ran.with(2).in_one_line(&["sitecustomize.py", "reinstall"]);
    let mut without = place.command(&["run", "--", "env"]);
    Ran::from(without.env("PATH", place.work()).output().unwrap()).with(2).in_one_line(&["pip install xray-session"]);
}
