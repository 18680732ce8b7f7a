//! The hot path: one call and one return of a traced context.

use super::functions::Functions;
use super::pool::{Child, Pool, ROOT};
use super::timeline::{Kept, Timeline};
use super::tree::RecordedTree;
use super::{CallKey, Entered, Entry, Exit};
use crate::limits::{RECORDER_DEPTH, RECORDER_FUNCTIONS, RECORDER_NODES, TIMELINE_ENTRIES};

/// From here on a frame's `node` is a position among the functions, not a node.
pub(super) const FUNCTION: u32 = 1 << 31;

/// One open call.
#[derive(Clone, Copy, Debug)]
struct Frame {
    key: u64,
    start: u64,
    /// Number of the event that entered it.
    entered: u64,
    /// Calls so far, this one included.
    calls: u64,
    /// Its node. For a hidden call: the one of the call below, where its callees belong.
    node: u32,
    /// Which of the directly nested calls of its node it is; 1 is the outermost.
    depth: u16,
    is_call: bool,
    hidden: bool,
}

/// The call tree and the timeline of one context, while they grow. All times are ticks of the caller's clock, which
/// may differ a little between cores: a time before the last one counts as the last one.
///
/// Nothing here allocates between [`Self::begin`] and [`Self::finish`], and nothing panics: events without sense are
/// ignored and counted.
///
/// - Direct recursion folds into one node: calls and depth are counted, its total once.
/// - When the nodes are used up, calls on new paths are counted by function, exactly, and come out below one node
///   [`super::NodeName::Other`].
/// - Calls nested deeper than [`RECORDER_DEPTH`] are counted in the same way, without times of their own.
#[derive(Debug)]
pub struct Recorder {
    now: u64,
    events: u64,
    calls: u64,
    stack: Vec<Frame>,
    pool: Pool,
    timeline: Timeline,
    depth_limit: usize,
    functions: Functions,
    /// Until when the time of the functions without nodes is given out.
    functions_until: u64,
    paths_folded: u64,
    /// Open calls that found the stack full.
    too_deep: u64,
    last_too_deep: u64,
    unmatched_returns: u64,
}

impl Default for Recorder {
    fn default() -> Self {
        Self::new()
    }
}

impl Recorder {
    /// A recorder with the bounds of [`crate::limits`]: about 5 MB, of which only what is used is ever touched.
    pub fn new() -> Self {
        Self::with_bounds(RECORDER_NODES, RECORDER_FUNCTIONS, TIMELINE_ENTRIES, RECORDER_DEPTH)
    }

    pub(super) fn with_bounds(nodes: usize, functions: usize, timeline: usize, depth: usize) -> Self {
        Self {
            now: 0,
            events: 0,
            calls: 0,
            stack: Vec::with_capacity(depth),
            pool: Pool::new(nodes),
            // The transaction's own entry is made at the end.
            timeline: Timeline::new(timeline - 1),
            depth_limit: depth,
            functions: Functions::new(functions),
            functions_until: 0,
            paths_folded: 0,
            too_deep: 0,
            last_too_deep: 0,
            unmatched_returns: 0,
        }
    }

    /// Empties it and opens node 0, the transaction (or thread) itself.
    pub fn begin(&mut self, now: u64) {
        self.now = now;
        self.events = 0;
        self.calls = 0;
        self.stack.clear();
        self.pool.begin();
        self.timeline.clear();
        self.functions.clear();
        self.functions_until = now;
        self.paths_folded = 0;
        self.too_deep = 0;
        self.last_too_deep = 0;
        self.unmatched_returns = 0;
        let root = &mut self.pool.nodes[ROOT as usize];
        root.calls = 1;
        let (key, start, node) = (root.key, now, ROOT);
        self.stack.push(Frame { key, start, entered: 0, calls: 0, node, depth: 1, is_call: true, hidden: false });
    }

    /// A call was entered. Ignored before [`Self::begin`].
    #[inline]
    pub fn enter(&mut self, key: CallKey, how: Entry, now: u64) -> Entered {
        self.events = self.events.wrapping_add(1);
        let now = self.advance(now);
        let below = match self.stack.last() {
            Some(top) if self.stack.len() < self.depth_limit => *top,
            Some(_) => return self.enter_too_deep(key, how),
            None => return Entered::Known,
        };
        if below.node >= FUNCTION {
            return self.enter_function(key, how, below, now);
        }
        let (node, depth, entered) = if self.pool.nodes[below.node as usize].key == key.0 {
            (below.node, self.recurse(below), Entered::Known)
        } else {
            match self.pool.child(below.node, key.0) {
                Child::Known(node) => (node, 1, Entered::Known),
                Child::New(node) => (node, 1, Entered::New),
                Child::Full => return self.enter_function(key, how, below, now),
            }
        };
        let is_call = how == Entry::Start;
        let found = &mut self.pool.nodes[node as usize];
        if found.hidden {
            self.push_hidden(key, below);
            return Entered::Known;
        }
        found.calls = found.calls.wrapping_add(u64::from(is_call));
        found.resumes = found.resumes.wrapping_add(u64::from(!is_call));
        self.calls = self.calls.wrapping_add(u64::from(is_call));
        self.push(key, now, node, depth, is_call);
        entered
    }

    /// The call on top was left. A key that is not on top closes all above the nearest call with that key; one that
    /// is nowhere is ignored and counted, or only ignored when nothing is open: it began before the trace.
    #[inline]
    pub fn leave(&mut self, key: CallKey, how: Exit, now: u64) {
        self.events = self.events.wrapping_add(1);
        let now = self.advance(now);
        match self.stack.last() {
            Some(top) if top.key == key.0 && self.stack.len() > 1 && self.too_deep == 0 => {
                let frame = *top;
                self.stack.pop();
                self.close(frame, how, now);
            }
            _ => self.leave_below_top(key, how, now),
        }
    }

    /// The call just entered is xray's own: it is not counted, its callees become those of its caller, and its time is
    /// its caller's. Right after an [`Self::enter`] that said [`Entered::New`]; at any other time it does nothing.
    pub fn hide_top(&mut self) {
        if self.too_deep > 0 {
            let (position, _) = self.functions.position(self.last_too_deep);
            if let Some(calls) = self.functions.at(position).hide() {
                self.calls -= calls;
                self.paths_folded -= calls;
            }
            return;
        }
        let [.., below, top] = self.stack.as_mut_slice() else { return };
        if top.hidden {
            return;
        }
        if top.node >= FUNCTION {
            let Some(calls) = self.functions.at(top.node - FUNCTION).hide() else { return };
            self.paths_folded -= calls;
        } else {
            let node = &mut self.pool.nodes[top.node as usize];
            if node.calls + node.resumes != 1 {
                return;
            }
            (node.calls, node.resumes, node.hidden) = (0, 0, true);
        }
        self.calls -= u64::from(top.is_call);
        (top.node, top.depth, top.hidden) = (below.node, below.depth, true);
    }

    /// Adds rows to the segment on top.
    pub fn add_rows(&mut self, rows: u64) {
        let Some(top) = self.stack.last() else { return };
        let sum = if top.node >= FUNCTION {
            &mut self.functions.at(top.node - FUNCTION).rows
        } else {
            &mut self.pool.rare[top.node as usize].rows
        };
        *sum = sum.saturating_add(rows);
    }

    /// Closes what is open and moves the tree out; the recorder keeps its memory and can [`Self::begin`] again.
    pub fn finish(&mut self, now: u64) -> RecordedTree {
        let now = self.advance(now);
        self.too_deep = 0;
        while self.stack.len() > 1
            && let Some(frame) = self.stack.pop()
        {
            self.close(frame, Exit::Return, now);
        }
        let mut duration = 0;
        if let Some(root) = self.stack.pop() {
            duration = now.saturating_sub(root.start);
            let node = &mut self.pool.nodes[ROOT as usize];
            (node.total, node.min, node.max) = (duration, duration, duration);
            self.timeline.kept.push(Kept {
                node: ROOT,
                is_call: true,
                start: root.start,
                duration,
                entered: 0,
                left: self.events.wrapping_add(1),
                inside: self.calls,
            });
        }
        let tree = RecordedTree::collect(
            &self.pool,
            &self.functions,
            &self.timeline,
            now.saturating_sub(duration),
            [self.calls, self.paths_folded, self.unmatched_returns, self.events],
        );
        self.timeline.clear();
        tree
    }

    /// Open calls, the transaction not counted.
    pub fn depth(&self) -> usize {
        self.stack.len().saturating_sub(1)
    }

    /// Calls of [`Self::enter`] and [`Self::leave`] since [`Self::begin`].
    pub fn events(&self) -> u64 {
        self.events
    }

    #[cfg(test)]
    pub(super) fn capacities(&self) -> [usize; 4] {
        let (nodes, rare) = (self.pool.nodes.capacity(), self.pool.rare.capacity());
        [self.stack.capacity(), nodes, rare, self.timeline.kept.capacity()]
    }

    #[inline]
    fn advance(&mut self, now: u64) -> u64 {
        self.now = self.now.max(now);
        self.now
    }

    #[inline]
    fn push(&mut self, key: CallKey, now: u64, node: u32, depth: u16, is_call: bool) {
        let (entered, calls) = (self.events, self.calls);
        self.stack.push(Frame { key: key.0, start: now, entered, calls, node, depth, is_call, hidden: false });
    }

    #[cold]
    fn push_hidden(&mut self, key: CallKey, below: Frame) {
        self.stack.push(Frame { key: key.0, hidden: true, ..below });
    }

    #[cold]
    fn recurse(&mut self, below: Frame) -> u16 {
        let depth = below.depth.saturating_add(1);
        let deepest = &mut self.pool.rare[below.node as usize].recursion_depth;
        *deepest = (*deepest).max(u32::from(depth));
        depth
    }

    #[inline]
    fn close(&mut self, frame: Frame, how: Exit, now: u64) {
        if frame.hidden {
            return;
        }
        let duration = now.saturating_sub(frame.start);
        if frame.node >= FUNCTION {
            self.close_function(frame, how, duration, now);
        } else {
            let node = &mut self.pool.nodes[frame.node as usize];
            if frame.depth == 1 {
                node.total = node.total.saturating_add(duration);
            }
            node.min = node.min.min(duration);
            node.max = node.max.max(duration);
            if how == Exit::Unwind {
                let errors = &mut self.pool.rare[frame.node as usize].errors;
                *errors = errors.saturating_add(1);
            }
        }
        if duration >= self.timeline.threshold {
            self.keep(frame, duration);
        }
    }

    #[inline(never)]
    fn keep(&mut self, frame: Frame, duration: u64) {
        let Frame { node, is_call, start, entered, .. } = frame;
        let (left, inside) = (self.events, self.calls.wrapping_sub(frame.calls));
        self.timeline.push(Kept { node, is_call, start, duration, entered, left, inside });
    }

    #[cold]
    fn enter_function(&mut self, key: CallKey, how: Entry, below: Frame, now: u64) -> Entered {
        self.give_out_function_time(below, now);
        let (position, new) = self.functions.position(key.0);
        let function = self.functions.at(position);
        if function.hidden {
            self.push_hidden(key, below);
            return Entered::Known;
        }
        let is_call = how == Entry::Start;
        function.count(is_call);
        function.active += 1;
        function.recursion_depth = function.recursion_depth.max(function.active);
        self.calls = self.calls.wrapping_add(u64::from(is_call));
        self.paths_folded += u64::from(is_call);
        self.push(key, now, FUNCTION + position, 1, is_call);
        if new { Entered::New } else { Entered::Known }
    }

    #[cold]
    fn close_function(&mut self, frame: Frame, how: Exit, duration: u64, now: u64) {
        self.give_out_function_time(frame, now);
        let function = self.functions.at(frame.node - FUNCTION);
        function.active = function.active.saturating_sub(1);
        if function.active == 0 {
            function.total = function.total.saturating_add(duration);
        }
        function.min = function.min.min(duration);
        function.max = function.max.max(duration);
        function.errors += u64::from(how == Exit::Unwind);
        if let Some(below) = self.stack.last()
            && below.node < FUNCTION
        {
            let folded = &mut self.pool.rare[below.node as usize].folded;
            *folded = folded.saturating_add(duration);
        }
    }

    /// The time since the last event among functions without nodes is the self time of the one that ran.
    fn give_out_function_time(&mut self, running: Frame, now: u64) {
        if running.node >= FUNCTION {
            let function = self.functions.at(running.node - FUNCTION);
            function.self_ticks = function.self_ticks.saturating_add(now.saturating_sub(self.functions_until));
        }
        self.functions_until = now;
    }

    #[cold]
    fn enter_too_deep(&mut self, key: CallKey, how: Entry) -> Entered {
        self.too_deep += 1;
        self.last_too_deep = key.0;
        let (position, new) = self.functions.position(key.0);
        let function = self.functions.at(position);
        if !function.hidden {
            let is_call = how == Entry::Start;
            function.count(is_call);
            self.calls = self.calls.wrapping_add(u64::from(is_call));
            self.paths_folded += u64::from(is_call);
        }
        if new { Entered::New } else { Entered::Known }
    }

    #[cold]
    fn leave_below_top(&mut self, key: CallKey, how: Exit, now: u64) {
        if self.too_deep > 0 {
            self.too_deep -= 1;
            let (position, _) = self.functions.position(key.0);
            self.functions.at(position).errors += u64::from(how == Exit::Unwind);
            return;
        }
        if self.stack.len() <= 1 {
            return;
        }
        let Some(at) = self.stack.iter().skip(1).rposition(|frame| frame.key == key.0).map(|at| at + 1) else {
            self.unmatched_returns += 1;
            return;
        };
        let above = &self.stack[at + 1..];
        let transparent = |frame: &Frame| frame.hidden || CallKey(frame.key).is_segment();
        if self.stack[at].hidden && above.iter().all(transparent) {
            // xray's own function opened a segment that outlives it.
            self.stack.remove(at);
            return;
        }
        if above.iter().all(|frame| frame.hidden) {
            // xray's own function closes a segment that was open before it.
            let frame = self.stack.remove(at);
            let below = self.stack[at - 1];
            for hidden in &mut self.stack[at..] {
                (hidden.node, hidden.depth) = (below.node, below.depth);
            }
            self.close(frame, how, now);
            return;
        }
        while self.stack.len() > at + 1
            && let Some(frame) = self.stack.pop()
        {
            self.close(frame, Exit::Return, now);
        }
        if let Some(frame) = self.stack.pop() {
            self.close(frame, how, now);
        }
    }
}
