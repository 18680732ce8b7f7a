//! Merging, pruning, folding and limits of trees.

use super::*;
use crate::view::fixture::{samples, stack_node};
use proptest::prelude::*;

const ALL: Pruning = Pruning { min_share: 0.0, rows: usize::MAX, fold_library: false };

fn names(stacks: &Stacks<'_>) -> Vec<String> {
    stacks
        .rows
        .iter()
        .map(|row| match row {
            StackRow::Frame { depth, name, weight_ns, .. } => format!("{depth} {name} {weight_ns}"),
            StackRow::Folded { depth, frames } => format!("{depth} folded {frames}"),
            StackRow::More { depth, members, weight_ns } => format!("{depth} more {members} {weight_ns}"),
        })
        .collect()
}

fn tree(nodes: Vec<TreeNode>) -> TreeReport {
    TreeReport { schema: "xray.tree/1", source: "samples", nodes }
}

#[test]
fn merges_lines_and_tells_the_hottest() {
    let nodes = vec![
        stack_node(-1, "view", "views.py", 10, 100, 0),
        stack_node(0, "slug", "text.py", 5, 30, 30),
        stack_node(0, "slug", "text.py", 7, 70, 70),
    ];
    let tree = tree(nodes);
    let stacks = stacks(&tree, None, Direction::TopDown, ALL);
    assert_eq!(names(&stacks), ["0 view 100", "1 slug 100"]);
    assert!(matches!(stacks.rows[1], StackRow::Frame { line: Some(7), .. }));
}

#[test]
fn bottom_up_starts_where_time_was_spent() {
    let nodes = vec![
        stack_node(-1, "view", "v.py", 1, 100, 10),
        stack_node(0, "a", "v.py", 2, 50, 0),
        stack_node(1, "hot", "v.py", 3, 50, 50),
        stack_node(0, "hot", "v.py", 3, 40, 40),
    ];
    let tree = tree(nodes);
    let stacks = stacks(&tree, None, Direction::BottomUp, ALL);
    assert_eq!(stacks.total_ns, 100);
    assert_eq!(names(&stacks), ["0 hot 90", "1 a 50", "2 view 50", "1 view 40", "0 view 10"]);
}

#[test]
fn small_branches_and_library_runs_are_told_not_drawn() {
    let mut nodes = vec![stack_node(-1, "main", "app.py", 1, 1_000, 0)];
    for depth in 0..4 {
        nodes.push(stack_node(depth, "pass_on", "/venv/lib/python3.11/site-packages/lib/x.py", 1, 985, 0));
    }
    nodes.push(stack_node(4, "view", "app.py", 1, 985, 985));
    nodes.push(stack_node(0, "small", "app.py", 1, 9, 9));
    nodes.push(stack_node(0, "smaller", "app.py", 1, 6, 6));
    let tree = tree(nodes);
    let pruning = Pruning { min_share: 0.01, rows: 50, fold_library: true };
    let drawn = stacks(&tree, None, Direction::TopDown, pruning);
    assert_eq!(names(&drawn), ["0 main 1000", "1 folded 4", "2 view 985", "1 more 2 15"]);
}

#[test]
fn kinds_are_told_apart() {
    let samples = samples();
    let kinds: Vec<_> = kind_totals(&samples).into_iter().map(|t| t.kind).collect();
    assert_eq!(kinds, ["target", "web", "other"]);
    let target = stacks(&samples, Some("target"), Direction::TopDown, ALL);
    assert!(target.total_ns < stacks(&samples, None, Direction::TopDown, ALL).total_ns);
}

proptest! {
    #[test]
    fn any_tree_is_drawn_within_its_limits(
        nodes in prop::collection::vec((-2_i64..30, 0_u8..4, 0_u64..100, 0_u64..100), 0..30),
        rows in 1_usize..20,
        fold_library in any::<bool>(),
    ) {
        let file = "/lib/python3.12/x.py";
        let nodes = nodes.iter().map(|(p, n, w, s)| stack_node(*p, &format!("f{n}"), file, 1, *w, *s)).collect();
        let tree = tree(nodes);
        for direction in [Direction::TopDown, Direction::BottomUp] {
            let drawn = stacks(&tree, None, direction, Pruning { min_share: 0.01, rows, fold_library });
            let frames = drawn.rows.iter().filter(|r| matches!(r, StackRow::Frame { .. })).count();
            prop_assert!(frames <= rows);
        }
    }
}
