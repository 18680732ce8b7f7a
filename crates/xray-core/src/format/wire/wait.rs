//! What threads waited for.

use super::code::Code;
use super::{Chunk, Kind};
use crate::format::error::ChunkError;
use crate::model::{self, GilHolder, SymbolId, WaitedOn};
use serde::{Deserialize, Serialize};

/// What was added to [`model::Waits`].
#[derive(Serialize, Deserialize)]
pub(in crate::format) struct Waits {
    pub(in crate::format) waits: Vec<Wait>,
}

impl Chunk for Waits {
    const KIND: Kind = Kind::Waits;
}

/// See [`model::Wait`]. What has no meaning for `on` is 0.
#[derive(Serialize, Deserialize)]
pub(in crate::format) struct Wait {
    kind: u8,
    on: u8,
    holder_kind: u8,
    thread: u32,
    /// The holder's function, or the system call.
    symbol: u32,
    line: u32,
    ns: u64,
}

const GIL_HELD: u8 = 0;
const GIL_FREE: u8 = 1;
const CALL: u8 = 2;

impl From<(&model::Wait, &u64)> for Wait {
    fn from((wait, ns): (&model::Wait, &u64)) -> Self {
        let free =
            Self { kind: wait.kind.code(), on: GIL_FREE, holder_kind: 0, thread: 0, symbol: 0, line: 0, ns: *ns };
        match wait.on {
            WaitedOn::Gil(None) => free,
            WaitedOn::Gil(Some(GilHolder { kind, thread, function, line })) => {
                Self { on: GIL_HELD, holder_kind: kind.code(), thread: thread.0, symbol: function.0, line, ..free }
            }
            WaitedOn::Call(call) => Self { on: CALL, symbol: call.0, ..free },
        }
    }
}

impl Wait {
    pub(in crate::format) fn into_model(
        self,
        symbol: impl Fn(u32) -> Result<SymbolId, ChunkError>,
    ) -> Result<(model::Wait, u64), ChunkError> {
        let on = match self.on {
            GIL_HELD => WaitedOn::Gil(Some(GilHolder {
                kind: Code::from_code(self.holder_kind)?,
                thread: symbol(self.thread)?,
                function: symbol(self.symbol)?,
                line: self.line,
            })),
            GIL_FREE => WaitedOn::Gil(None),
            CALL => WaitedOn::Call(symbol(self.symbol)?),
            _ => return Err(ChunkError::Invalid("a thread waited for something that this version does not know")),
        };
        Ok((model::Wait { kind: Code::from_code(self.kind)?, on }, self.ns))
    }
}
