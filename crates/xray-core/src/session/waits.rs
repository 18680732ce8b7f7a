//! What threads waited for, in one process.

use super::SymbolSource;
use super::symbols::SymbolBook;
use crate::limits::WAITS;
use crate::model::{GilHolder, SymbolId, SymbolKind, ThreadKind, Wait, WaitedOn, Waits};
use crate::sample::{GilOwner, SampleTreeBuilder, Waited, WaitsFor};
use std::collections::HashMap;

/// Adds up; bounded.
#[derive(Debug)]
pub(super) struct WaitBook {
    /// What was added since [`Self::take`]; what has been there before stays, as 0.
    sums: Waits,
    threads: HashMap<u64, SymbolId>,
    capacity: usize,
}

impl WaitBook {
    pub(super) fn new() -> Self {
        Self::with_capacity(WAITS)
    }

    fn with_capacity(capacity: usize) -> Self {
        Self { sums: Waits::new(), threads: HashMap::new(), capacity }
    }

    /// Adds what a batch has; `stacks` knows its stacks.
    pub(super) fn add(
        &mut self,
        waited: &Waited,
        stacks: &SampleTreeBuilder,
        book: &mut SymbolBook,
        names: &mut dyn SymbolSource,
    ) {
        let on = match waited.on {
            WaitsFor::Call(name) => WaitedOn::Call(book.root(SymbolKind::Other, name)),
            WaitsFor::Gil(GilOwner::Nobody) => WaitedOn::Gil(None),
            WaitsFor::Gil(GilOwner::Xray) => {
                let xray = book.root(SymbolKind::Other, "xray");
                WaitedOn::Gil(Some(GilHolder { kind: ThreadKind::Other, thread: xray, function: xray, line: 0 }))
            }
            WaitsFor::Gil(GilOwner::Thread { ident, kind, stack }) => {
                let (function, line) = match stacks.frame(stack) {
                    Some((at, _)) => (at.symbol, at.line),
                    None => (book.other(), 0),
                };
                let thread = self.thread(ident, book, names);
                WaitedOn::Gil(Some(GilHolder { kind, thread, function, line }))
            }
        };
        let wait = Wait { kind: waited.kind, on };
        let fits = self.sums.len() < self.capacity || self.sums.contains_key(&wait);
        let wait = if fits { wait } else { Wait { on: rest(on, book.other()), ..wait } };
        *self.sums.entry(wait).or_default() += waited.ns;
    }

    /// What was added since the last call.
    pub(super) fn take(&mut self) -> Waits {
        let added = self.sums.iter().filter(|(_, ns)| **ns > 0).map(|(wait, ns)| (*wait, *ns)).collect();
        self.sums.values_mut().for_each(|ns| *ns = 0);
        added
    }

    /// The symbol of a thread. Asked for once: later it may have ended, and nobody knows its name then.
    fn thread(&mut self, ident: u64, book: &mut SymbolBook, names: &mut dyn SymbolSource) -> SymbolId {
        if let Some(known) = self.threads.get(&ident) {
            return *known;
        }
        if self.threads.len() >= self.capacity {
            return book.other();
        }
        let name = names.thread_name(ident).unwrap_or_else(|| "a thread that has ended".to_owned());
        let symbol = book.root(SymbolKind::Thread, &name);
        self.threads.insert(ident, symbol);
        symbol
    }
}

/// What stands for everything that does not fit: six of them at most for each kind of thread.
fn rest(on: WaitedOn, other: SymbolId) -> WaitedOn {
    match on {
        WaitedOn::Gil(holder) => WaitedOn::Gil(holder.map(|GilHolder { kind, .. }| GilHolder {
            kind,
            thread: other,
            function: other,
            line: 0,
        })),
        WaitedOn::Call(_) => WaitedOn::Call(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{FrameAt, Placed, Stacks};
    use crate::session::testing::Names;
    use crate::trace::CallKey;

    struct Rig {
        waits: WaitBook,
        book: SymbolBook,
        stacks: SampleTreeBuilder,
    }

    impl Rig {
        fn new(capacity: usize) -> Self {
            let waits = WaitBook::with_capacity(capacity);
            Self { waits, book: SymbolBook::new(), stacks: SampleTreeBuilder::default() }
        }

        fn add(&mut self, on: WaitsFor, ns: u64) {
            let waited = Waited { kind: ThreadKind::Target, on, ns };
            self.waits.add(&waited, &self.stacks, &mut self.book, &mut Names);
        }

        fn name(&self, symbol: SymbolId) -> &str {
            &self.book.unwritten().1[symbol.0 as usize].name
        }
    }

    #[test]
    fn the_holder_is_named_by_its_thread_and_its_innermost_function() {
        let mut rig = Rig::new(10);
        let outer = rig.book.root(SymbolKind::Function, "outer");
        let spin = rig.book.root(SymbolKind::Function, "spin");
        let frame = |key| FrameAt { code: CallKey(key), line: 7 };
        let stack = Stacks::default().of(&[frame(4), frame(2)]).unwrap();
        let caller = Stacks::default().of(&[frame(2)]).unwrap();
        let at = |symbol| Placed { symbol, line: 7 };
        rig.stacks.learn(0, 0, [(crate::sample::StackId::EMPTY, at(outer)), (caller, at(spin))].into_iter());
        let owner = GilOwner::Thread { ident: 5, kind: ThreadKind::Other, stack };
        rig.add(WaitsFor::Gil(owner), 30);
        rig.add(WaitsFor::Gil(owner), 10);
        let waits = rig.waits.take();
        let (Wait { on: WaitedOn::Gil(Some(holder)), .. }, 40) = waits.first_key_value().unwrap() else {
            panic!("{waits:?}")
        };
        assert_eq!((rig.name(holder.thread), holder.function, holder.line), ("thread N", spin, 7));
        rig.add(WaitsFor::Gil(owner), 1);
        assert_eq!(rig.waits.take().into_values().collect::<Vec<_>>(), [1], "only what was added");
        assert!(rig.waits.take().is_empty());
    }

    #[test]
    fn what_does_not_fit_is_one() {
        let mut rig = Rig::new(2);
        for call in ["poll", "read", "accept", "futex", "poll"] {
            rig.add(WaitsFor::Call(call), 1);
        }
        let waits = rig.waits.take();
        let named: Vec<_> = waits
            .iter()
            .map(|(wait, ns)| match wait.on {
                WaitedOn::Call(call) => (rig.name(call), *ns),
                WaitedOn::Gil(_) => panic!("{wait:?}"),
            })
            .collect();
        assert_eq!(named, [("other functions", 2), ("poll", 2), ("read", 1)]);
    }
}
