//! Trees of samples or calls as lines: merged by function, pruned, with runs of library frames folded.

use super::numbers::share;
use super::place::is_library;
use super::words::thread_kind;
use crate::model::{TreeNode, TreeReport};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

/// Callers followed from a function upwards.
const CALLERS: usize = 24;
/// Frames of a tree read from the bottom, about 40 MB: past it, functions that ran get no callers any more. The heaviest
/// come first.
const BOTTOM_UP_FRAMES: usize = 300_000;
/// Shortest run of library frames that is folded.
const RUN: usize = 3;

/// Which way a tree is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the outermost frame to what it called.
    TopDown,
    /// From the functions that ran to their callers.
    BottomUp,
}

/// How much of a tree is shown.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pruning {
    /// Smallest share of the whole that has a line of its own.
    pub(crate) min_share: f64,
    /// Most lines.
    pub(crate) rows: usize,
    /// Whether runs of library frames fold to one line.
    pub(crate) fold_library: bool,
}

/// One line.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum StackRow<'a> {
    /// A function on its path.
    Frame {
        depth: usize,
        name: &'a str,
        file: Option<&'a str>,
        /// The line with the most time of its own, else of all its time.
        line: Option<u32>,
        count: u64,
        weight_ns: u64,
        self_ns: u64,
    },
    /// Library frames with one callee each.
    Folded { depth: usize, frames: usize },
    /// What was left out here.
    More { depth: usize, members: usize, weight_ns: u64 },
}

/// A tree ready to be drawn.
#[derive(Debug, PartialEq)]
pub(crate) struct Stacks<'a> {
    /// Time of the whole.
    pub(crate) total_ns: u64,
    /// The lines.
    pub(crate) rows: Vec<StackRow<'a>>,
}

/// Samples and time of one kind of thread.
#[derive(Debug, PartialEq)]
pub(crate) struct KindTotal {
    pub(crate) kind: &'static str,
    pub(crate) count: u64,
    pub(crate) weight_ns: u64,
}

/// The kinds of threads, in this order, that have samples.
pub(crate) fn kind_totals(tree: &TreeReport) -> Vec<KindTotal> {
    let roots = || tree.nodes.iter().enumerate().filter(|(at, node)| parent_of(node, *at).is_none());
    ["target", "web", "background", "other"]
        .into_iter()
        .map(|kind| {
            let own = || roots().filter(|(_, node)| node.thread_kind == Some(kind));
            KindTotal {
                kind,
                count: own().fold(0, |sum, (_, n)| sum.saturating_add(n.count)),
                weight_ns: own().fold(0, |sum, (_, n)| sum.saturating_add(n.weight_ns)),
            }
        })
        .filter(|total| total.count > 0)
        .collect()
}

/// What a drawing of a tree is called.
pub(crate) fn title(tree: &TreeReport, kind: Option<&str>, direction: Direction) -> String {
    let way = match direction {
        Direction::TopDown => "top-down",
        Direction::BottomUp => "bottom-up, by own time",
    };
    match kind {
        Some(kind) => format!("Where samples were: {}, {way}", thread_kind(kind)),
        None if tree.source == "calls" => format!("Calls of all traced requests, exact, {way}"),
        None => format!("Where samples were, {way}"),
    }
}

/// The tree, or only what one kind of thread did.
pub(crate) fn stacks<'a>(
    tree: &'a TreeReport,
    kind: Option<&str>,
    direction: Direction,
    pruning: Pruning,
) -> Stacks<'a> {
    let mut arena = Arena::default();
    match direction {
        Direction::TopDown => arena.fill_top_down(&tree.nodes, kind),
        Direction::BottomUp => arena.fill_bottom_up(&tree.nodes, kind),
    }
    // Folding library frames makes room for others: begin with more frames than there are lines.
    for surplus in [8, 4, 2] {
        let drawn = arena.draw(pruning, pruning.rows.saturating_mul(surplus));
        if drawn.rows.len() <= pruning.rows {
            return drawn;
        }
    }
    arena.draw(pruning, pruning.rows)
}

fn parent_of(node: &TreeNode, at: usize) -> Option<usize> {
    usize::try_from(node.parent).ok().filter(|parent| *parent < at)
}

/// For each node whether it is of the kind; a node without a kind is of its parent's.
fn of_kind(nodes: &[TreeNode], kind: Option<&str>) -> Vec<bool> {
    let mut chosen: Vec<bool> = Vec::with_capacity(nodes.len());
    for (at, node) in nodes.iter().enumerate() {
        let of_this = match (kind, node.thread_kind) {
            (None, _) => true,
            (Some(wanted), Some(its)) => wanted == its,
            (Some(_), None) => parent_of(node, at).is_some_and(|parent| chosen[parent]),
        };
        chosen.push(of_this);
    }
    chosen
}

/// One function on one path, lines merged.
struct Frame<'a> {
    name: &'a str,
    file: Option<&'a str>,
    line: Option<u32>,
    line_weight: (u64, u64),
    count: u64,
    weight_ns: u64,
    self_ns: u64,
    children: Vec<usize>,
    shown: bool,
}

#[derive(Default)]
struct Arena<'a> {
    frames: Vec<Frame<'a>>,
    roots: Vec<usize>,
    /// By parent and function.
    index: HashMap<(usize, usize), usize>,
    total_ns: u64,
}

/// For each node a number that stands for its function: names are long and compared once, not at each of their callers.
fn functions(nodes: &[TreeNode]) -> Vec<usize> {
    let mut known = HashMap::new();
    let names = nodes.iter().map(|node| (node.name.as_str(), node.file.as_deref()));
    names.enumerate().map(|(at, name)| *known.entry(name).or_insert(at)).collect()
}

impl<'a> Arena<'a> {
    /// The frame of this function below `parent`.
    fn frame(&mut self, parent: Option<usize>, function: usize, of: &'a TreeNode) -> usize {
        let key = (parent.unwrap_or(usize::MAX), function);
        if let Some(at) = self.index.get(&key) {
            return *at;
        }
        let at = self.frames.len();
        self.index.insert(key, at);
        self.frames.push(Frame {
            name: &of.name,
            file: of.file.as_deref(),
            line: None,
            line_weight: (0, 0),
            count: 0,
            weight_ns: 0,
            self_ns: 0,
            children: Vec::new(),
            shown: false,
        });
        match parent {
            Some(parent) => self.frames[parent].children.push(at),
            None => self.roots.push(at),
        }
        at
    }

    fn add(&mut self, at: usize, of: &TreeNode, count: u64, weight_ns: u64, self_ns: u64) {
        let frame = &mut self.frames[at];
        frame.count = frame.count.saturating_add(count);
        frame.weight_ns = frame.weight_ns.saturating_add(weight_ns);
        frame.self_ns = frame.self_ns.saturating_add(self_ns);
        if frame.line.is_none() || (self_ns, weight_ns) > frame.line_weight {
            frame.line = of.line;
            frame.line_weight = (self_ns, weight_ns);
        }
    }

    fn fill_top_down(&mut self, nodes: &'a [TreeNode], kind: Option<&str>) {
        let chosen = of_kind(nodes, kind);
        let function = functions(nodes);
        let mut frame_of = vec![0; nodes.len()];
        for (at, node) in nodes.iter().enumerate().filter(|(at, _)| chosen[*at]) {
            let parent = parent_of(node, at).filter(|parent| chosen[*parent]);
            frame_of[at] = self.frame(parent.map(|p| frame_of[p]), function[at], node);
            self.add(frame_of[at], node, node.count, node.weight_ns, node.self_ns);
            if parent.is_none() {
                self.total_ns = self.total_ns.saturating_add(node.weight_ns);
            }
        }
    }

    fn fill_bottom_up(&mut self, nodes: &'a [TreeNode], kind: Option<&str>) {
        let chosen = of_kind(nodes, kind);
        let function = functions(nodes);
        let mut ran: Vec<usize> = (0..nodes.len()).filter(|at| chosen[*at] && nodes[*at].self_ns > 0).collect();
        ran.sort_by_key(|at| Reverse(nodes[*at].self_ns));
        for at in ran {
            let node = &nodes[at];
            self.total_ns = self.total_ns.saturating_add(node.self_ns);
            let mut frame = self.frame(None, function[at], node);
            self.add(frame, node, node.count, node.self_ns, node.self_ns);
            let mut below = at;
            for _ in 0..CALLERS {
                if self.frames.len() >= BOTTOM_UP_FRAMES {
                    break;
                }
                let Some(caller) = parent_of(&nodes[below], below).filter(|c| chosen[*c]) else { break };
                frame = self.frame(Some(frame), function[caller], &nodes[caller]);
                self.add(frame, &nodes[caller], node.count, node.self_ns, 0);
                below = caller;
            }
        }
    }

    /// Marks the heaviest frames as shown, each after the one around it.
    fn choose(&mut self, pruning: Pruning, most: usize) {
        for frame in &mut self.frames {
            frame.shown = false;
        }
        let total = self.total_ns;
        let key = |frames: &[Frame<'_>], at: usize| (frames[at].weight_ns, Reverse(at));
        let mut waiting: BinaryHeap<_> = self.roots.iter().map(|at| key(&self.frames, *at)).collect();
        for _ in 0..most {
            let Some((weight, Reverse(at))) = waiting.pop() else { break };
            if share(weight, total) < pruning.min_share {
                continue;
            }
            self.frames[at].shown = true;
            waiting.extend(self.frames[at].children.iter().map(|child| key(&self.frames, *child)));
        }
    }

    /// The shown ones of some frames, heaviest first, and what is left of them.
    fn split(&self, among: &[usize]) -> (Vec<usize>, usize, u64) {
        let mut shown: Vec<usize> = among.iter().copied().filter(|at| self.frames[*at].shown).collect();
        shown.sort_by_key(|at| {
            let frame = &self.frames[*at];
            (Reverse(frame.weight_ns), frame.name, frame.file)
        });
        let left = || among.iter().filter(|at| !self.frames[**at].shown);
        (shown, left().count(), left().fold(0, |sum, at| sum.saturating_add(self.frames[*at].weight_ns)))
    }

    fn draw(&mut self, pruning: Pruning, most: usize) -> Stacks<'a> {
        self.choose(pruning, most);
        let mut rows = Vec::new();
        enum Step {
            Visit(usize, usize),
            More(usize, usize, u64),
        }
        let mut steps = Vec::new();
        let push = |steps: &mut Vec<Step>, arena: &Self, among: &[usize], depth: usize, always: bool| {
            let (shown, members, weight) = arena.split(among);
            // Below a frame, leftovers under the threshold are noise; at the top the reader wants the sum.
            if members > 0 && (always || share(weight, arena.total_ns) >= pruning.min_share) {
                steps.push(Step::More(depth, members, weight));
            }
            steps.extend(shown.into_iter().rev().map(|at| Step::Visit(at, depth)));
        };
        push(&mut steps, self, &self.roots, 0, true);
        while let Some(step) = steps.pop() {
            let (at, depth) = match step {
                Step::Visit(at, depth) => (at, depth),
                Step::More(depth, members, weight_ns) => {
                    rows.push(StackRow::More { depth, members, weight_ns });
                    continue;
                }
            };
            let run = if pruning.fold_library && depth > 0 { self.library_run(at) } else { Vec::new() };
            if run.len() >= RUN {
                rows.push(StackRow::Folded { depth, frames: run.len() });
                let last = run[run.len() - 1];
                push(&mut steps, self, &self.frames[last].children, depth + 1, false);
                continue;
            }
            let f = &self.frames[at];
            rows.push(StackRow::Frame {
                depth,
                name: f.name,
                file: f.file,
                line: f.line,
                count: f.count,
                weight_ns: f.weight_ns,
                self_ns: f.self_ns,
            });
            push(&mut steps, self, &f.children, depth + 1, false);
        }
        Stacks { total_ns: self.total_ns, rows }
    }

    /// The library frames from `at` downwards that only pass on: one callee, no time worth telling of their own.
    fn library_run(&self, mut at: usize) -> Vec<usize> {
        let mut run = Vec::new();
        loop {
            let frame = &self.frames[at];
            if !frame.file.is_some_and(is_library) {
                return run;
            }
            let mut shown = frame.children.iter().filter(|child| self.frames[**child].shown);
            let (Some(only), None) = (shown.next(), shown.next()) else { return run };
            let passes_on = frame.weight_ns.saturating_sub(self.frames[*only].weight_ns) <= self.total_ns / 100;
            if !passes_on {
                return run;
            }
            run.push(at);
            at = *only;
        }
    }
}

#[cfg(test)]
mod tests {
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
}
