//! Names.

use super::code::Code;
use super::{Chunk, Kind};
use crate::format::error::ChunkError;
use crate::model;
use serde::{Deserialize, Serialize};

/// Symbols of one scope, numbered from `first` on.
#[derive(Serialize, Deserialize)]
pub(in crate::format) struct Symbols {
    pub(in crate::format) first: u32,
    pub(in crate::format) symbols: Vec<Symbol>,
}

impl Chunk for Symbols {
    const KIND: Kind = Kind::Symbols;
}

/// See [`model::Symbol`].
#[derive(Serialize, Deserialize)]
pub(in crate::format) struct Symbol {
    kind: u8,
    name: String,
    file: String,
    line: u32,
    detail: String,
}

impl From<&model::Symbol> for Symbol {
    fn from(symbol: &model::Symbol) -> Self {
        Self {
            kind: symbol.kind.code(),
            name: symbol.name.clone(),
            file: symbol.file.clone(),
            line: symbol.line,
            detail: symbol.detail.clone(),
        }
    }
}

impl Symbol {
    pub(in crate::format) fn into_model(self) -> Result<model::Symbol, ChunkError> {
        Ok(model::Symbol {
            kind: Code::from_code(self.kind)?,
            name: self.name,
            file: self.file,
            line: self.line,
            detail: self.detail,
        })
    }
}
