//! The whole report at three widths, and what every report must keep to whatever a file holds.

use super::*;
use crate::view::fixture;
use proptest::prelude::*;
use unicode_width::UnicodeWidthStr;

const WIDTHS: [usize; 3] = [60, 100, 160];

fn whole(options: &Options) -> String {
    report(&fixture::report(), &fixture::samples(), &fixture::calls(), options)
}

fn assert_fits(text: &str, width: usize) {
    for line in text.lines() {
        assert!(line.width() <= width, "{} columns of {width}: {line}", line.width());
        assert_eq!(line, line.trim_end(), "white space at the end");
    }
}

#[test]
fn the_report_at_each_width() {
    for width in WIDTHS {
        let text = whole(&Options::plain(width));
        assert_fits(&text, width);
        insta::assert_snapshot!(format!("report_{width}"), text);
    }
}

#[test]
fn a_trace_at_each_width() {
    for width in WIDTHS {
        let text = trace(&fixture::trace(), &Options::plain(width));
        assert_fits(&text, width);
        insta::assert_snapshot!(format!("trace_{width}"), text);
    }
}

#[test]
fn a_tree_both_ways() {
    for (name, direction) in [("top_down", Direction::TopDown), ("bottom_up", Direction::BottomUp)] {
        for width in WIDTHS {
            let text = tree(&fixture::samples(), direction, &Options::plain(width));
            assert_fits(&text, width);
            insta::assert_snapshot!(format!("tree_{name}_{width}"), text);
        }
    }
}

#[test]
fn every_width_fits() {
    for width in (40..=200).step_by(7) {
        let options = Options { full: true, ..Options::plain(width) };
        assert_fits(&whole(&options), width);
        assert_fits(&trace(&fixture::trace(), &options), width);
    }
    assert_eq!(whole(&Options::plain(1)), whole(&Options::plain(NARROWEST)));
}

#[test]
fn colours_change_nothing_but_colours() {
    let coloured = whole(&Options { theme: Theme::coloured(), ..Options::plain(100) });
    assert!(coloured.contains("\u{1b}["));
    assert!(!whole(&Options::plain(100)).contains('\u{1b}'));
    assert_eq!(anstream_strip(&coloured), whole(&Options::plain(100)));
}

/// Without the sequences that styles write.
fn anstream_strip(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("\u{1b}[") {
        out.push_str(before);
        rest = after.split_once('m').expect("a style ends in m").1;
    }
    out + rest
}

#[test]
fn the_verdict_comes_first_and_warnings_next() {
    let mut damaged = fixture::report();
    damaged.recovered = true;
    damaged.verdict.text = "All is well.".into();
    let text = report(&damaged, &fixture::samples(), &fixture::calls(), &Options::plain(100));
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "All is well.");
    assert!(lines[1].starts_with("! The file is damaged"), "{}", lines[1]);
}

#[test]
fn an_empty_session_is_drawn_too() {
    let mut empty = fixture::report();
    empty.latency = fixture::latencies(&[], &[]);
    empty.components.clear();
    empty.traces.clear();
    empty.series.clear();
    empty.session.processes.clear();
    let none = |source| TreeReport { schema: "xray.tree/1", source, nodes: Vec::new() };
    let text = report(&empty, &none("samples"), &none("calls"), &Options::plain(80));
    assert!(text.contains("No trace was kept.") && text.contains("No samples were taken."));
    assert_fits(&text, 80);
}

#[test]
fn a_very_deep_trace_keeps_to_the_width() {
    let mut deep = fixture::trace();
    deep.trace.nodes = (0..3_000).map(|at| fixture::node(at - 1, "step", 1)).collect();
    deep.trace.timeline = (0..2_000).map(|at| fixture::entry(at, at, 252_000_000 - 2 * at, 0)).collect();
    let text = trace(&deep, &Options { full: true, ..Options::plain(60) });
    assert_fits(&text, 60);
    assert!(text.contains("1999› step"));
    let limited = trace(&deep, &Options::plain(60));
    assert!(limited.contains("… 1,940 more"), "{limited}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn hostile_names_neither_act_nor_break_lines(name in any::<String>(), width in 40_usize..120) {
        let name = format!("{name}\u{1b}]0;owned\u{7}\n\u{202e}");
        let mut hostile = fixture::report();
        hostile.verdict.text = name.clone();
        hostile.session.app = name.clone();
        hostile.components[1].name = name.clone();
        hostile.components[0].detail = Some(name.clone());
        hostile.traces[0].id = name.chars().take(10).collect();
        hostile.traces[0].process = name.clone();
        hostile.traces[0].started_at = name.clone();
        hostile.session.processes[0].python = name.chars().take(5).collect();
        hostile.notes[0].message = name.clone();
        hostile.decisions[0].because = name.clone();
        let mut samples = fixture::samples();
        samples.nodes[5].name = name.clone();
        samples.nodes[5].file = Some(name.clone());
        let text = report(&hostile, &samples, &fixture::calls(), &Options::plain(width));
        prop_assert!(!text.chars().any(|c| c.is_control() && c != '\n'));
        let reversed = text.contains('\u{202e}');
        prop_assert!(!reversed);
        prop_assert!(text.lines().all(|line| line.width() <= width));

        let mut bad_trace = fixture::trace();
        bad_trace.trace.nodes[2].name = name.clone();
        bad_trace.trace.nodes[3].detail = Some(name.clone());
        bad_trace.trace.summary.attributes.insert(name.clone(), name);
        let text = trace(&bad_trace, &Options::plain(width));
        prop_assert!(!text.chars().any(|c| c.is_control() && c != '\n'));
        prop_assert!(text.lines().all(|line| line.width() <= width));
    }
}
