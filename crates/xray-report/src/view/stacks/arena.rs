//! A tree with the lines of each function merged: filled from either end, pruned by weight, drawn as rows.

use super::{Pruning, StackRow, Stacks, parent_of};
use crate::model::TreeNode;
use crate::view::numbers::share;
use crate::view::place::is_library;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

/// Callers followed from a function upwards.
const CALLERS: usize = 24;
/// Frames of a tree read from the bottom, about 40 MB: past it, functions that ran get no callers any more. The heaviest
/// come first.
const BOTTOM_UP_FRAMES: usize = 300_000;
/// Shortest run of library frames that is folded.
const RUN: usize = 3;

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

/// The merged tree while it is filled, pruned and drawn.
#[derive(Default)]
pub(super) struct Arena<'a> {
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

    pub(super) fn fill_top_down(&mut self, nodes: &'a [TreeNode], kind: Option<&str>) {
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

    pub(super) fn fill_bottom_up(&mut self, nodes: &'a [TreeNode], kind: Option<&str>) {
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

    pub(super) fn draw(&mut self, pruning: Pruning, most: usize) -> Stacks<'a> {
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
