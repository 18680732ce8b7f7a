//! Who may know whom, as ARCHITECTURE.md says it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use xray_tests::source::{code_only, rust_files, top};

/// What each crate may depend on, of our own.
const MAY_KNOW: [(&str, &[&str]); 6] = [
    ("xray-core", &[]),
    ("xray-report", &["xray-core"]),
    ("xray-cli", &["xray-core", "xray-report"]),
    ("xray-py", &["xray-core", "xray-report", "xray-cli"]),
    ("xray-tests", &["xray-core", "xray-report", "xray-cli"]),
    ("xray-benches", &["xray-core", "xray-report"]),
];

/// Packages that only these crates may name.
const RESERVED: [(&str, &[&str]); 6] = [
    ("pyo3", &["xray-py"]),
    ("pyo3-build-config", &["xray-py"]),
    ("libc", &["xray-py"]),
    ("clap", &["xray-cli"]),
    ("bincode", &["xray-core"]),
    ("signal-hook", &["xray-cli"]),
];

/// Words that only one file may use, because it guards what is dangerous about them.
const ONE_PLACE: [(&str, &str); 1] = [("bincode::", "crates/xray-core/src/format/codec.rs")];

/// Package name to the names of its dependencies of all kinds.
fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .current_dir(top())
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).expect("cargo metadata prints JSON");
    let text = |value: &serde_json::Value| value.as_str().expect("a name is a string").to_owned();
    let packages = metadata["packages"].as_array().expect("a list of packages");
    packages
        .iter()
        .map(|package| {
            let entries = package["dependencies"].as_array().expect("a list of dependencies");
            (text(&package["name"]), entries.iter().map(|entry| text(&entry["name"])).collect())
        })
        .collect()
}

#[test]
fn crates_know_only_whom_they_may() {
    let graph = dependencies();
    let listed: BTreeMap<_, _> = MAY_KNOW.into_iter().collect();
    for (package, dependencies) in &graph {
        let allowed = listed.get(package.as_str()).unwrap_or_else(|| panic!("{package} is not in MAY_KNOW: add it"));
        for dependency in dependencies.iter().filter(|name| graph.contains_key(*name)) {
            assert!(allowed.contains(&dependency.as_str()), "{package} must not depend on {dependency}");
        }
    }
    assert_eq!(graph.len(), listed.len(), "MAY_KNOW lists crates that do not exist");
}

#[test]
fn packages_stay_where_they_belong() {
    let graph = dependencies();
    for (reserved, owners) in RESERVED {
        for (package, dependencies) in &graph {
            let may = owners.contains(&package.as_str());
            assert!(may || !dependencies.contains(reserved), "{package} must not depend on {reserved}: {owners:?} may");
        }
    }
}

#[test]
fn dangerous_libraries_are_named_in_one_file() {
    let top = top();
    for (word, place) in ONE_PLACE {
        for file in rust_files(&top.join("crates")) {
            let code = code_only(&std::fs::read_to_string(&file).expect("a source file is readable"));
            let name = file.strip_prefix(&top).expect("a file of the checkout");
            assert!(
                !code.contains(word) || name == Path::new(place),
                "{}: only {place} may use {word}",
                name.display()
            );
        }
    }
}
