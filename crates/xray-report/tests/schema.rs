//! Real output against `docs/report.schema.json`.
//!
//! The validator below knows the keywords that the schema uses and panics at any other, so that the schema cannot say
//! something that nobody checks. A validator crate would be 78 crates.
#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

#[path = "../../xray-core/tests/sessions/mod.rs"]
mod sessions;

use proptest::prelude::*;
use serde_json::Value;
use xray_core::model::SessionData;
use xray_report::build::{TreeSource, report, trace, tree};
use xray_report::{json, load_bytes, merge};

const SCHEMA: &str = include_str!("../../../docs/report.schema.json");
const GOLDEN: &[u8] = include_bytes!("../../xray-core/tests/golden/v1.xr");

/// Whether `value` fits `schema`; if not, where and why.
fn check(root: &Value, schema: &Value, value: &Value, at: &str) -> Result<(), String> {
    let fail = |why: String| Err(format!("{at}: {why}"));
    for (keyword, rule) in schema.as_object().unwrap() {
        match keyword.as_str() {
            "$schema" | "$defs" | "title" | "description" => {}
            "$ref" => {
                let name = rule.as_str().unwrap().strip_prefix("#/$defs/").unwrap();
                check(root, &root["$defs"][name], value, at)?;
            }
            "oneOf" => {
                let fits = rule.as_array().unwrap().iter().filter(|one| check(root, one, value, at).is_ok()).count();
                if fits != 1 {
                    return fail(format!("fits {fits} alternatives"));
                }
            }
            "type" => {
                let is = |name: &Value| match name.as_str().unwrap() {
                    "object" => value.is_object(),
                    "array" => value.is_array(),
                    "string" => value.is_string(),
                    "boolean" => value.is_boolean(),
                    "integer" => value.is_u64() || value.is_i64(),
                    "number" => value.is_number(),
                    "null" => value.is_null(),
                    other => panic!("unknown type {other}"),
                };
                if !rule.as_array().map_or_else(|| is(rule), |names| names.iter().any(is)) {
                    return fail(format!("is no {rule}"));
                }
            }
            "const" if value != rule => return fail(format!("is not {rule}")),
            "enum" if !rule.as_array().unwrap().contains(value) => return fail(format!("{value} is none of {rule}")),
            "const" | "enum" => {}
            "minimum" if value.as_f64().is_some_and(|n| n < rule.as_f64().unwrap()) => return fail("too small".into()),
            "maximum" if value.as_f64().is_some_and(|n| n > rule.as_f64().unwrap()) => return fail("too large".into()),
            "minItems" if value.as_array().is_some_and(|a| a.len() < rule.as_u64().unwrap() as usize) => {
                return fail("too short".into());
            }
            "maxItems" if value.as_array().is_some_and(|a| a.len() > rule.as_u64().unwrap() as usize) => {
                return fail("too long".into());
            }
            "minimum" | "maximum" | "minItems" | "maxItems" => {}
            "required" => {
                let missing = rule.as_array().unwrap().iter().find(|key| value.get(key.as_str().unwrap()).is_none());
                if let Some(key) = missing.filter(|_| value.is_object()) {
                    return fail(format!("has no {key}"));
                }
            }
            "properties" => {
                for (key, rule) in rule.as_object().unwrap() {
                    value.get(key).map_or(Ok(()), |inner| check(root, rule, inner, &format!("{at}.{key}")))?;
                }
            }
            "additionalProperties" => {
                for (key, inner) in value.as_object().into_iter().flatten() {
                    check(root, rule, inner, &format!("{at}.{key}"))?;
                }
            }
            "items" => {
                for (number, inner) in value.as_array().into_iter().flatten().enumerate() {
                    check(root, rule, inner, &format!("{at}[{number}]"))?;
                }
            }
            "pattern" => {
                let text = value.as_str().unwrap_or_default();
                let fits = match rule.as_str().unwrap() {
                    "Z$" => text.ends_with('Z'),
                    "^[0-9a-f]{16}$" => {
                        text.len() == 16 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
                    }
                    "^[a-z0-9_]+$" => {
                        !text.is_empty() && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'z' | b'_'))
                    }
                    other => panic!("unknown pattern {other}"),
                };
                if !fits {
                    return fail(format!("{text} does not match {rule}"));
                }
            }
            other => panic!("unknown keyword {other} at {at}"),
        }
    }
    Ok(())
}

/// Keys that the schema does not name: it would be incomplete.
fn unknown_keys(root: &Value, schema: &Value, value: &Value, at: &str) -> Vec<String> {
    if let Some(name) = schema["$ref"].as_str() {
        return unknown_keys(root, &root["$defs"][name.strip_prefix("#/$defs/").unwrap()], value, at);
    }
    let mut unknown = Vec::new();
    if let (Some(object), Some(known)) = (value.as_object(), schema["properties"].as_object()) {
        for (key, inner) in object {
            match known.get(key) {
                Some(rule) => unknown.extend(unknown_keys(root, rule, inner, &format!("{at}.{key}"))),
                None => unknown.push(format!("{at}.{key}")),
            }
        }
    }
    for inner in value.as_array().into_iter().flatten().filter(|_| schema["items"].is_object()) {
        unknown.extend(unknown_keys(root, &schema["items"], inner, &format!("{at}[]")));
    }
    unknown
}

/// Everything that can be printed about a session, with the name of its schema.
fn outputs(data: &SessionData) -> Vec<(&'static str, String)> {
    let report = report(data);
    let mut all: Vec<_> = [TreeSource::Samples, TreeSource::Calls]
        .map(|source| ("tree", json::to_line(&tree(data, source))))
        .into_iter()
        .collect();
    all.extend(report.traces.iter().map(|one| ("trace", json::to_line(&trace(data, &one.id).unwrap()))));
    all.push(("report", json::to_line(&report)));
    all
}

fn validate(data: &SessionData) {
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    for (name, text) in outputs(data) {
        let value: Value = serde_json::from_str(&text).unwrap();
        if let Err(why) = check(&schema, &schema["$defs"][name], &value, name) {
            panic!("{why}");
        }
        check(&schema, &schema, &value, name).unwrap();
        assert_eq!(unknown_keys(&schema, &schema["$defs"][name], &value, name), [""; 0]);
    }
}

fn golden() -> SessionData {
    load_bytes(&[("v1.xr".to_owned(), GOLDEN)]).unwrap()
}

#[test]
fn the_golden_session_fits_and_is_complete() {
    validate(&golden());
    assert_eq!(outputs(&golden()), outputs(&golden()), "the same text each time");
    let value: Value = serde_json::from_str(&json::to_line(&report(&golden()))).unwrap();
    assert_eq!(value["requests"]["matched"], 5);
    assert_eq!(value["session"]["started_at"], "2026-01-01T00:00:00Z");
    assert_eq!(value["latency"]["traced"]["p99_ns"], Value::Null);
    assert_eq!(value["traces"][0]["process"], "web-1:4711");
    assert_eq!(value["samples"]["achieved_hz"], 99.5);
}

#[test]
fn the_validator_can_fail() {
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    let good: Value = serde_json::from_str(&json::to_line(&report(&golden()))).unwrap();
    for (place, bad) in [
        ("/recovered", Value::from("no")),
        ("/session/stopped_by", Value::from("boredom")),
        ("/latency/all/p50_ns", Value::from(1.5)),
        ("/requests", Value::from(serde_json::Map::new())),
        ("/components/0/share", Value::from(2)),
    ] {
        let mut value = good.clone();
        *value.pointer_mut(place).unwrap() = bad;
        assert!(check(&schema, &schema["$defs"]["report"], &value, "report").is_err(), "{place}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(60) })]

    #[test]
    fn any_session_fits(session in sessions::session()) {
        validate(&merge::canonical(session));
    }
}
