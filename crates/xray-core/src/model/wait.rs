//! What threads waited for.

use super::{SymbolId, ThreadKind};
use std::collections::BTreeMap;

/// Threads of one kind that waited for one thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Wait {
    /// Who waited.
    pub kind: ThreadKind,
    /// For what.
    pub on: WaitedOn,
}

/// What a thread can wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum WaitedOn {
    /// The GIL, and who had it; `None` while nobody had it: it was free, and the next owner not awake yet.
    Gil(Option<GilHolder>),
    /// The end of a system call; the symbol has its name.
    Call(SymbolId),
}

/// Who had the GIL while another thread waited for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GilHolder {
    /// For whom the thread worked.
    pub kind: ThreadKind,
    /// The thread, by its name.
    pub thread: SymbolId,
    /// Its innermost Python function.
    pub function: SymbolId,
    /// The line that ran in it; 0 when unknown.
    pub line: u32,
}

impl Wait {
    /// The same with other symbols.
    #[must_use]
    pub fn renamed(self, id: impl Fn(SymbolId) -> SymbolId) -> Self {
        let on = match self.on {
            WaitedOn::Gil(holder) => WaitedOn::Gil(holder.map(|holder| GilHolder {
                thread: id(holder.thread),
                function: id(holder.function),
                ..holder
            })),
            WaitedOn::Call(symbol) => WaitedOn::Call(id(symbol)),
        };
        Self { on, ..self }
    }
}

/// Elapsed time that the samples of waiting threads stand for, in nanoseconds.
pub type Waits = BTreeMap<Wait, u64>;
