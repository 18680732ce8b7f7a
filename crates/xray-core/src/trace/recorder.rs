//! The hot path: one call and one return of a traced context.

use super::allowance::Allowance;
use super::arguments::Arguments;
use super::functions::Functions;
use super::place::{FUNCTION, Place};
use super::pool::{Child, Pool, ROOT};
use super::timeline::{Kept, Timeline};
use super::tree::RecordedTree;
use super::{CallKey, Entered, Entry, Exit};
use crate::limits::{TIMELINE_ENTRIES, TRACE_BYTES};

/// One open call.
#[derive(Clone, Copy, Debug)]
struct Frame {
    key: u64,
    start: u64,
    /// Number of the event that entered it.
    entered: u64,
    /// Calls so far, this one included.
    calls: u64,
    place: Place,
}

/// Open calls that a new recorder has room for.
const FIRST_DEPTH: usize = 32;
/// Left for the functions and the timeline, when the stack takes memory.
const KEEP: usize = TRACE_BYTES / 8;

/// The call tree and the timeline of one context, while they grow. All times are ticks of the caller's clock, which
/// may differ a little between cores: a time before the last one counts as the last one.
///
/// Memory is taken from the trace's [`Allowance`] as it is needed, and only where something is seen for the first time or
/// is deeper than all before. Nothing panics: events without sense are ignored and counted.
///
/// - Direct recursion folds into one node: calls and depth are counted, its total once.
/// - When there is no memory for more nodes, calls on new paths are counted by function, exactly, and come out below
///   one node [`super::NodeName::Other`].
/// - Calls nested so deep that there is no memory for them are counted in the same way, without times of their own.
///
/// What every event touches comes first, in two cache lines: between two events the application uses the cache.
#[derive(Debug)]
#[repr(C, align(64))]
pub struct Recorder {
    now: u64,
    events: u64,
    calls: u64,
    /// A call is on top when more than so many are open: 1, the root; `usize::MAX` while there are calls too deep.
    base: usize,
    /// What is deeper than its capacity, when that cannot grow, is only counted.
    stack: Vec<Frame>,
    /// Until when the time of the functions without nodes is given out.
    functions_until: u64,
    timeline: Timeline,
    pool: Pool,
    memory: Allowance,
    most_depth: usize,
    functions: Functions,
    arguments: Arguments,
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
    /// A recorder that is bounded by its trace's memory alone.
    pub fn new() -> Self {
        Self::with_bounds(usize::MAX, usize::MAX, TIMELINE_ENTRIES, usize::MAX)
    }

    pub(super) fn with_bounds(nodes: usize, functions: usize, timeline: usize, depth: usize) -> Self {
        Self {
            now: 0,
            events: 0,
            calls: 0,
            memory: Allowance::of(0),
            stack: Vec::new(),
            most_depth: depth,
            base: 1,
            pool: Pool::new(nodes),
            // The transaction's own entry is made at the end.
            timeline: Timeline::new(timeline - 1),
            functions: Functions::new(functions),
            arguments: Arguments::default(),
            functions_until: 0,
            paths_folded: 0,
            too_deep: 0,
            last_too_deep: 0,
            unmatched_returns: 0,
        }
    }

    /// Empties it and opens node 0, the transaction (or thread) itself. What it still holds from before is taken from
    /// `memory`, or given up. The paths of earlier traces are known to it, until [`Self::forget_paths`].
    pub fn begin(&mut self, now: u64, memory: Allowance) {
        if !self.stack.is_empty() {
            self.forget_paths();
        }
        self.now = now;
        self.events = 0;
        self.calls = 0;
        self.functions.clear();
        self.arguments.clear();
        self.begin_stack(&memory);
        self.pool.begin(&memory);
        self.timeline.begin(&memory);
        self.memory = memory;
        self.functions_until = now;
        self.paths_folded = 0;
        (self.too_deep, self.base) = (0, 1);
        self.last_too_deep = 0;
        self.unmatched_returns = 0;
        self.pool.nodes[ROOT as usize].calls = 1;
        let place = Place::new(ROOT, 1, true);
        self.stack.push(Frame { key: 0, start: now, entered: 0, calls: 0, place });
    }

    /// Forgets the paths of earlier traces: when a key may stand for something else now, or may be wanted marked.
    pub fn forget_paths(&mut self) {
        self.pool.clear();
    }

    fn begin_stack(&mut self, memory: &Allowance) {
        self.stack.clear();
        let (held, first) = (self.stack.capacity(), FIRST_DEPTH.min(self.most_depth));
        if held > first && memory.take(held * size_of::<Frame>(), KEEP) {
            return;
        }
        memory.take_anyway(first * size_of::<Frame>());
        self.stack = Vec::with_capacity(first);
    }

    /// Makes room for deeper calls.
    #[cold]
    fn deepen(&mut self) -> bool {
        let grown = self.memory.grow(self.stack.len(), self.most_depth, size_of::<Frame>(), KEEP);
        grown.inspect(|more| self.stack.reserve_exact(*more)).is_some()
    }

    /// Memory in use.
    pub fn bytes(&self) -> usize {
        let stack = self.stack.capacity() * size_of::<Frame>();
        stack + self.pool.bytes() + self.timeline.bytes() + self.functions.bytes() + self.arguments.bytes()
    }

    /// A call was entered. Ignored before [`Self::begin`].
    ///
    /// Always part of its caller, as [`Self::leave`] is: saving registers for a call costs a fifth of what it does.
    #[inline(always)]
    pub fn enter(&mut self, key: CallKey, how: Entry, now: u64) -> Entered {
        self.events = self.events.wrapping_add(1);
        let now = self.advance(now);
        // Nothing here but the common cases. Nothing is written between the check of the capacity and the push, so that the
        // compiler leaves the growing out.
        if let Some(top) = self.stack.last()
            && top.place.node() < FUNCTION
            && let below = top.place
            && let Some((node, depth)) = self.near(below, key)
            && self.stack.len() < self.stack.capacity()
        {
            self.push(key, how, now, node, depth);
            self.count(node, how);
            if depth == 1 {
                self.pool.nodes[below.node() as usize].last_child = node;
            } else {
                self.pool.deepen(node, depth);
            }
            return Entered::Known;
        }
        self.enter_elsewhere(key, how, now)
    }

    /// The call on top was left. A key that is not on top closes all above the nearest call with that key; one that
    /// is nowhere is ignored and counted, or only ignored when nothing is open: it began before the trace.
    #[inline(always)]
    pub fn leave(&mut self, key: CallKey, how: Exit, now: u64) {
        self.events = self.events.wrapping_add(1);
        let now = self.advance(now);
        let open = self.stack.len();
        if let Some(top) = self.stack.last()
            && top.key == key.0
            && open > self.base
            && how != Exit::Unwind
            && !top.place.is_special()
        {
            let duration = now.wrapping_sub(top.start);
            add_duration(&mut self.pool, top.place, duration);
            if duration >= self.timeline.threshold {
                self.keep_top(duration);
            }
            self.stack.truncate(open - 1);
        } else {
            self.leave_specially(key, how, now);
        }
    }

    /// The call just entered is xray's own: it is not counted, its callees become those of its caller, and its time is
    /// its caller's. Right after an [`Self::enter`] that said [`Entered::New`]; at any other time it does nothing.
    pub fn hide_top(&mut self) {
        if self.too_deep > 0 {
            let (position, _) = self.functions.position(self.last_too_deep, &self.memory);
            if let Some(calls) = self.functions.at(position).hide() {
                self.calls -= calls;
                self.paths_folded -= calls;
            }
            return;
        }
        let [.., below, top] = self.stack.as_mut_slice() else { return };
        if top.place.is_hidden() {
            return;
        }
        let node = top.place.node();
        if node >= FUNCTION {
            let Some(calls) = self.functions.at(node - FUNCTION).hide() else { return };
            self.paths_folded -= calls;
        } else {
            let counts = &mut self.pool.nodes[node as usize];
            if counts.calls + counts.resumes != 1 {
                return;
            }
            (counts.calls, counts.resumes) = (0, 0);
            self.pool.hide(node);
        }
        self.calls -= u64::from(top.place.is_call());
        top.place = below.place.hidden();
    }

    /// The arguments of the function just entered are wanted, now and whenever it is called on this path. Right after
    /// an [`Self::enter`] that said [`Entered::New`]. A function without a node has no arguments.
    pub fn mark_top(&mut self) {
        if let Some(top) = self.stack.last().map(|top| top.place)
            && self.too_deep == 0
            && !top.is_special()
        {
            self.pool.nodes[top.node() as usize].mark();
        }
    }

    /// The arguments of the call just entered, when it is a marked one.
    pub fn describe_top(&mut self, arguments: &str) {
        let Some(Frame { place, entered, .. }) = self.stack.last() else { return };
        if place.is_special() || !self.pool.nodes[place.node() as usize].is_marked() || *entered != self.events {
            return;
        }
        let open = self.stack.iter().map(|frame| (frame.entered, u64::MAX));
        let ended = self.timeline.kept.iter().map(|call| (call.entered, call.duration));
        self.arguments.add(*entered, arguments, &self.memory, || open.chain(ended).collect());
    }

    /// Adds rows to the segment on top.
    pub fn add_rows(&mut self, rows: u64) {
        let Some(top) = self.stack.last().map(|top| top.place.node()) else { return };
        let sum = if top >= FUNCTION {
            &mut self.functions.at(top - FUNCTION).rows
        } else {
            &mut self.pool.rare[top as usize].rows
        };
        *sum = sum.saturating_add(rows);
    }

    /// Closes what is open and moves the tree out; the recorder keeps its memory and can [`Self::begin`] again.
    pub fn finish(&mut self, now: u64) -> RecordedTree {
        let now = self.advance(now);
        (self.too_deep, self.base) = (0, 1);
        while self.stack.len() > 1 {
            self.close_top(Exit::Return, now);
        }
        let mut duration = 0;
        if let Some(root) = self.stack.pop() {
            duration = now.saturating_sub(root.start);
            let node = &mut self.pool.nodes[ROOT as usize];
            (node.total, node.min, node.max) = (duration, duration, duration);
            self.timeline.kept.reserve_exact(1);
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
        let mut tree = RecordedTree::collect(
            &self.pool,
            &self.functions,
            &self.timeline,
            now.saturating_sub(duration),
            [self.calls, self.paths_folded, self.unmatched_returns, self.events],
        );
        tree.arguments_lost = self.arguments_lost();
        self.pool.forget_counts();
        self.timeline.clear();
        tree.arguments = self.arguments.take();
        tree
    }

    /// Calls of marked functions that are in the timeline without their arguments.
    fn arguments_lost(&self) -> u64 {
        let is_marked = |node: u32| node < FUNCTION && self.pool.nodes[node as usize].is_marked();
        let lost = |call: &&Kept| call.is_call && is_marked(call.node) && !self.arguments.has(call.entered);
        self.timeline.kept.iter().filter(lost).count() as u64
    }

    /// Open calls, the transaction not counted.
    pub fn depth(&self) -> usize {
        self.stack.len().saturating_sub(1)
    }

    /// Calls of [`Self::enter`] and [`Self::leave`] since [`Self::begin`].
    pub fn events(&self) -> u64 {
        self.events
    }

    #[inline(always)]
    fn advance(&mut self, now: u64) -> u64 {
        self.now = self.now.max(now);
        self.now
    }

    /// Node and depth of a call from `below`, when it is direct recursion or a child that is found at once.
    #[inline(always)]
    fn near(&self, below: Place, key: CallKey) -> Option<(u32, u16)> {
        let caller = below.node();
        if self.pool.nodes[caller as usize].key == key.0 {
            return Some((caller, below.depth().saturating_add(1)));
        }
        Some((self.pool.near_child(caller, key.0)?, 1))
    }

    #[inline(always)]
    fn count(&mut self, node: u32, how: Entry) {
        let is_call = how == Entry::Start;
        let node = &mut self.pool.nodes[node as usize];
        node.calls = node.calls.wrapping_add(u64::from(is_call));
        node.resumes = node.resumes.wrapping_add(u64::from(!is_call));
        self.calls = self.calls.wrapping_add(u64::from(is_call));
    }

    /// Puts a call on top that is not counted yet.
    #[inline(always)]
    fn push(&mut self, key: CallKey, how: Entry, now: u64, node: u32, depth: u16) {
        let is_call = how == Entry::Start;
        let calls = self.calls.wrapping_add(u64::from(is_call));
        let place = Place::new(node, depth, is_call);
        self.stack.push(Frame { key: key.0, start: now, entered: self.events, calls, place });
    }

    #[cold]
    fn push_hidden(&mut self, key: CallKey, now: u64, below: Place) {
        let (entered, calls) = (self.events, self.calls);
        self.stack.push(Frame { key: key.0, start: now, entered, calls, place: below.hidden() });
    }

    /// Everything but what [`Self::near`] finds.
    #[inline(never)]
    fn enter_elsewhere(&mut self, key: CallKey, how: Entry, now: u64) -> Entered {
        let Some(below) = self.stack.last().map(|top| top.place) else { return Entered::Known };
        if self.stack.len() == self.stack.capacity() && !self.deepen() {
            return self.enter_too_deep(key, how);
        }
        if below.node() >= FUNCTION {
            return self.enter_function(key, how, below, now);
        }
        if self.pool.nodes[below.node() as usize].key() == key.0 {
            // Direct recursion of a marked function, or one to which only the room was missing.
            return self.enter_node(key, how, now, below.node(), below.depth().saturating_add(1));
        }
        let (node, entered) = match self.pool.child(below.node(), key.0, &self.memory) {
            Child::Known(node) if self.pool.nodes[node as usize].is_marked() => {
                return self.enter_node(key, how, now, node, 1);
            }
            Child::Known(node) => (node, Entered::Known),
            Child::New(node) => (node, Entered::New),
            Child::Full if self.forget_earlier_paths() => return self.enter_elsewhere(key, how, now),
            Child::Full => return self.enter_function(key, how, below, now),
        };
        if self.pool.nodes[node as usize].hidden {
            self.pool.nodes[node as usize].use_hidden();
            self.push_hidden(key, now, below);
            return Entered::Known;
        }
        self.push(key, how, now, node, 1);
        self.count(node, how);
        entered
    }

    /// Makes room for paths by giving up those that only earlier traces took; false when there are none.
    #[cold]
    fn forget_earlier_paths(&mut self) -> bool {
        let Some(places) = self.pool.forget_earlier() else { return false };
        let place_of = |node: u32| places.get(node as usize).copied().unwrap_or(node);
        for frame in &mut self.stack {
            frame.place = frame.place.moved_to(place_of(frame.place.node()));
        }
        for call in &mut self.timeline.kept {
            call.node = place_of(call.node);
        }
        true
    }

    /// A call of a node that may be a marked one.
    #[cold]
    fn enter_node(&mut self, key: CallKey, how: Entry, now: u64, node: u32, depth: u16) -> Entered {
        self.pool.deepen(node, depth);
        self.push(key, how, now, node, depth);
        self.count(node, how);
        let is_marked = self.pool.nodes[node as usize].is_marked();
        if is_marked && how == Entry::Start { Entered::Marked } else { Entered::Known }
    }

    /// Puts the call on top, which ends now, into the timeline.
    #[inline(never)]
    fn keep_top(&mut self, duration: u64) {
        let Some(Frame { start, entered, calls, place, .. }) = self.stack.last().copied() else { return };
        let (node, is_call) = (place.node(), place.is_call());
        let (left, inside) = (self.events, self.calls.wrapping_sub(calls));
        self.timeline.push(Kept { node, is_call, start, duration, entered, left, inside }, &self.memory);
    }

    /// Closes the call on top, of whatever sort.
    #[inline(never)]
    fn close_top(&mut self, how: Exit, now: u64) {
        let Some(Frame { start, place, .. }) = self.stack.last().copied() else { return };
        let duration = now.saturating_sub(start);
        if !place.is_hidden() && duration >= self.timeline.threshold {
            self.keep_top(duration);
        }
        self.stack.pop();
        if place.is_hidden() {
            return;
        }
        if place.node() >= FUNCTION {
            return self.close_function(place, how, duration, now);
        }
        add_duration(&mut self.pool, place, duration);
        if how == Exit::Unwind {
            let errors = &mut self.pool.rare[place.node() as usize].errors;
            *errors = errors.saturating_add(1);
        }
    }

    #[cold]
    fn enter_function(&mut self, key: CallKey, how: Entry, below: Place, now: u64) -> Entered {
        self.give_out_function_time(below, now);
        let (position, new) = self.functions.position(key.0, &self.memory);
        let function = self.functions.at(position);
        if function.hidden {
            self.push_hidden(key, now, below);
            return Entered::Known;
        }
        let is_call = how == Entry::Start;
        function.count(is_call);
        function.active += 1;
        function.recursion_depth = function.recursion_depth.max(function.active);
        self.push(key, how, now, FUNCTION + position, 1);
        self.calls = self.calls.wrapping_add(u64::from(is_call));
        self.paths_folded += u64::from(is_call);
        if new { Entered::New } else { Entered::Known }
    }

    #[cold]
    fn close_function(&mut self, place: Place, how: Exit, duration: u64, now: u64) {
        self.give_out_function_time(place, now);
        let function = self.functions.at(place.node() - FUNCTION);
        function.active = function.active.saturating_sub(1);
        if function.active == 0 {
            function.total = function.total.saturating_add(duration);
        }
        function.min = function.min.min(duration);
        function.max = function.max.max(duration);
        function.errors += u64::from(how == Exit::Unwind);
        if let Some(below) = self.stack.last().map(|below| below.place.node())
            && below < FUNCTION
        {
            let folded = &mut self.pool.rare[below as usize].folded;
            *folded = folded.saturating_add(duration);
        }
    }

    /// The time since the last event among functions without nodes is the self time of the one that ran.
    fn give_out_function_time(&mut self, running: Place, now: u64) {
        if running.node() >= FUNCTION {
            let function = self.functions.at(running.node() - FUNCTION);
            function.self_ticks = function.self_ticks.saturating_add(now.saturating_sub(self.functions_until));
        }
        self.functions_until = now;
    }

    #[cold]
    fn enter_too_deep(&mut self, key: CallKey, how: Entry) -> Entered {
        self.too_deep += 1;
        self.base = usize::MAX;
        self.last_too_deep = key.0;
        let (position, new) = self.functions.position(key.0, &self.memory);
        let function = self.functions.at(position);
        if !function.hidden {
            let is_call = how == Entry::Start;
            function.count(is_call);
            self.calls = self.calls.wrapping_add(u64::from(is_call));
            self.paths_folded += u64::from(is_call);
        }
        if new { Entered::New } else { Entered::Known }
    }

    /// A return that is not simply that of the call on top.
    #[cold]
    #[inline(never)]
    fn leave_specially(&mut self, key: CallKey, how: Exit, now: u64) {
        let open = self.stack.len();
        if open > self.base && self.stack.last().is_some_and(|top| top.key == key.0) {
            self.close_top(how, now);
        } else {
            self.leave_below_top(key, how, now);
        }
    }

    #[cold]
    fn leave_below_top(&mut self, key: CallKey, how: Exit, now: u64) {
        if self.too_deep > 0 {
            self.too_deep -= 1;
            if self.too_deep == 0 {
                self.base = 1;
            }
            let (position, _) = self.functions.position(key.0, &self.memory);
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
        let transparent = |frame: &Frame| frame.place.is_hidden() || CallKey(frame.key).is_segment();
        if self.stack[at].place.is_hidden() && above.iter().all(transparent) {
            // xray's own function opened a segment that outlives it.
            self.stack.remove(at);
            return;
        }
        if above.iter().all(|frame| frame.place.is_hidden()) {
            // xray's own function closes a segment that was open before it: the two change places.
            let below = self.stack[at - 1].place;
            let frame = self.stack.remove(at);
            for hidden in &mut self.stack[at..] {
                hidden.place = below.hidden();
            }
            self.stack.push(frame);
            self.close_top(how, now);
            return;
        }
        while self.stack.len() > at + 1 {
            self.close_top(Exit::Return, now);
        }
        self.close_top(how, now);
    }
}

#[inline(always)]
fn add_duration(pool: &mut Pool, place: Place, duration: u64) {
    let node = &mut pool.nodes[place.node() as usize];
    if place.depth() == 1 {
        node.total = node.total.wrapping_add(duration);
    }
    node.min = node.min.min(duration);
    node.max = node.max.max(duration);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::mem::offset_of;

    #[test]
    fn what_every_event_touches_is_in_two_cache_lines() {
        assert!(offset_of!(Recorder, stack) + size_of::<Vec<Frame>>() <= 64);
        let nodes = offset_of!(Recorder, pool) + offset_of!(Pool, nodes) + size_of::<Vec<u64>>();
        assert!(offset_of!(Recorder, timeline) == 64 && nodes <= 128);
    }
}
