//! `xray ps`, `xray transactions`, `xray session list`, and what is said when there is nothing.

use crate::fake_agent::{Behaviour, FakeAgent};
use crate::{APP, Place, TARGET};

#[test]
fn without_an_application_every_command_says_so() {
    let place = Place::new();
    place.run(&["transactions"]).with(3).in_one_line(&["no application", "xray run"]);
    place.run(&["session", "start", "-t", "x"]).with(3).in_one_line(&["no application"]);
    place.run(&["session", "start", "-t", "x", "--app", "shop"]).with(3).in_one_line(&["\"shop\""]);
    place.run(&["session", "status"]).with(3).in_one_line(&["no session is running"]);
    place.run(&["session", "stop"]).with(3).in_one_line(&["no session is running"]);
    place.run(&["session", "fetch", "abc"]).with(3).in_one_line(&["no session \"abc\""]);
    place.run(&["session", "stop", "../.."]).with(3).in_one_line(&["no session"]);
    assert!(place.run(&["ps"]).with(0).stderr.contains("no process"));
    assert!(place.run(&["session", "list"]).with(0).stderr.contains("no session yet"));
    assert_eq!(place.run(&["ps", "--json"]).with(0).json()["processes"], serde_json::json!([]));
}

#[test]
fn a_directory_of_sockets_that_others_can_write_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::new();
    std::fs::create_dir(place.sockets()).unwrap();
    std::fs::set_permissions(place.sockets(), std::fs::Permissions::from_mode(0o777)).unwrap();
    place.run(&["ps"]).with(3).in_one_line(&["chmod 700"]);
}

#[test]
fn processes_and_transactions_are_listed() {
    let place = Place::new();
    let _agents = [1, 2].map(|key| FakeAgent::start(&place, Behaviour { key, ..Behaviour::default() }));
    let ps = place.run(&["ps"]).with(0).text();
    assert_eq!(ps.lines().count(), 3, "{ps}");
    assert!(ps.contains(APP) && ps.contains("3.12.1") && ps.contains("Django 5.2.19") && ps.contains("idle"), "{ps}");
    let json = place.run(&["ps", "--json"]).with(0).json();
    assert_eq!(json["schema"], "xray.processes/1");
    assert_eq!(json["processes"][1]["app"], APP);

    let table = place.run(&["transactions"]).with(0).text();
    assert!(table.contains(TARGET) && table.contains("blog.views.tag_detail"), "{table}");
    assert!(table.contains(" 20 ") && table.contains("12.3 ms") && table.contains("45.6 ms"), "{table}");
    let json = place.run(&["tx", "--json", "--app", "blog"]).with(0).json();
    assert_eq!(json["schema"], "xray.transactions/1");
    assert_eq!(json["transactions"][0]["per_minute"], 3.0);
}

#[test]
fn with_several_applications_one_must_be_chosen() {
    let place = Place::new();
    let _blog = FakeAgent::start(&place, Behaviour::default());
    let _shop = FakeAgent::start_app(&place, "shop", Behaviour::default());
    place.run(&["transactions"]).with(3).in_one_line(&["--app", "\"shop\"", APP]);
    place.run(&["transactions", "--app", "o"]).with(3).in_one_line(&["several applications fit"]);
    place.run(&["transactions", "--app", "nix"]).with(3).in_one_line(&["\"nix\"", "\"shop\""]);
    place.run(&["transactions", "--app", "shop"]).with(0);
    place.run(&["transactions", "--app", "/srv"]).with(0);
}

#[test]
fn bad_usage_is_code_2_and_help_is_0() {
    let place = Place::new();
    assert!(place.run(&[]).with(2).stderr.contains("Usage"));
    assert!(place.run(&["session", "start", "-t", "x", "--hz", "0"]).with(2).stderr.contains("--hz"));
    let version = place.run(&["--version"]).with(0).text();
    assert!(version.starts_with("xray 0.") && version.contains("(file format 1, buil"), "{version}");
    for help in [&["--help"][..], &["session", "start", "--help"], &["report", "--help"]] {
        assert!(place.run(help).with(0).text().contains("Usage: xray"));
    }
}
