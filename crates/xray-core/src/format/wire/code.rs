//! The numbers that stand for enum values in a file. They never change.

use crate::format::error::ChunkError;
use crate::model::{LossKind, ProcessEnd, Severity, StoppedBy, SymbolKind, TargetKind, ThreadKind, ThreadState};

/// An enum as the file has it.
pub(super) trait Code: Sized {
    /// Its number.
    fn code(self) -> u8;
    /// The value with this number.
    fn from_code(code: u8) -> Result<Self, ChunkError>;
}

macro_rules! codes {
    ($($type:ident { $($value:ident = $code:literal),* $(,)? })*) => {
        $(impl Code for $type {
            fn code(self) -> u8 {
                match self { $(Self::$value => $code),* }
            }

            fn from_code(code: u8) -> Result<Self, ChunkError> {
                match code {
                    $($code => Ok(Self::$value),)*
                    _ => Err(ChunkError::Invalid(concat!("unknown number for a ", stringify!($type)))),
                }
            }
        })*
    };
}

codes! {
    TargetKind { Route = 0, Handler = 1, UrlName = 2, Plain = 3, Glob = 4, Regex = 5 }
    StoppedBy { Time = 0, Traces = 1, User = 2, Exit = 3, Refused = 4, Lost = 5 }
    ProcessEnd { Finished = 0, Exited = 1, Lost = 2 }
    Severity { Info = 0, Warning = 1 }
    ThreadState { OnCpu = 0, Waiting = 1, Blocked = 2, Unknown = 3, WaitingForGil = 4 }
    ThreadKind { Target = 0, Web = 1, Background = 2, Other = 3 }
    SymbolKind {
        Transaction = 0, Function = 1, Sql = 2, Template = 3, External = 4, Cache = 5, Queue = 6, Gc = 7, Thread = 8,
        Other = 9, Await = 10,
    }
    LossKind {
        TraceChannel = 0, SampleChannel = 1, PathsFolded = 2, SampleTreeFull = 3, CallTreeFull = 4,
        UnmatchedReturns = 5, SymbolsFull = 6, Recorders = 7, RecordChannel = 8, FileBytes = 9, FileChunks = 10,
        WriteErrors = 11, Arguments = 12,
    }
}
