//! The `.xr` file: what a process writes while a session runs (a part), and what is kept of a whole session.
//!
//! A file is a preamble and then chunks, each in a frame with a length and a checksum ([`frame`]). A payload is
//! bincode, then zstd ([`codec`]), of one of the structs in [`wire`]. [`PartWriter`] appends chunks as a session runs,
//! [`write()`] makes a file of a whole session, [`read`] makes a session of either, also of a damaged one.
//! `docs/format-xr.md` describes the bytes.

mod assembly;
mod codec;
mod delta;
mod dump;
mod emit;
mod error;
mod frame;
mod part;
mod reader;
mod wire;

pub use delta::{Delta, PartEnd};
pub use dump::{ChunkInfo, Dump, dump};
pub use emit::write;
pub use error::{ChunkError, Damage, ReadError, WriteError};
pub use frame::{FORMAT_VERSION, MAGIC};
pub use part::PartWriter;
pub use reader::{Recovered, read};
pub use wire::Kind;
