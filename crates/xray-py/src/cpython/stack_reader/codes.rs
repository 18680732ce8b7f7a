//! Code objects by address: names, files and lines, copied once for each.
//!
//! They are copied the same way as frames: without the GIL, by reads that cannot fault, so nothing of an object is
//! trusted. That an address still means the same object is known from [`super::destroyed`].

use super::layout::{FrameWords, HEAD_WORDS, Layout, object};
use super::line_table::LineTable;
use super::snapshot::{half_in, word_in};
use crate::os::memory::{Memory, Region};
use rustc_hash::FxHashMap;
use xray_core::limits::{SYMBOL_TEXT_BYTES, SYMBOLS};
use xray_core::model::{Symbol, SymbolKind};
use xray_core::sample::FrameAt;
use xray_core::trace::CallKey;

/// Longest line table, in bytes, that is read: that of some 100,000 lines.
const MOST_TABLE: usize = 1 << 20;

/// `co_flags`; `CO_GENERATOR`, `CO_COROUTINE`, `CO_ASYNC_GENERATOR`, and all of them.
const FLAGS: usize = 48;
const ASYNCHRONOUS_GENERATOR: u32 = 0x200;
const GENERATORS: u32 = 0x20 | 0x80 | ASYNCHRONOUS_GENERATOR;

/// `_co_firsttraceable` is so far before the instructions.
const FIRST_TRACEABLE: usize = 16;

/// A code object.
#[derive(Debug)]
pub(super) struct Code {
    /// Bytes of its frames.
    pub(super) frame_len: usize,
    /// It makes generators, coroutines or asynchronous generators.
    pub(super) makes_generators: bool,
    /// It makes the latter.
    pub(super) is_asynchronous_generator: bool,
    /// Code units.
    len: usize,
    /// Its key, used for no other code object of the session; `None` for functions of xray and for what is none of
    /// anybody's.
    key: Option<CallKey>,
    lines: LineTable,
}

/// What a frame shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shows {
    /// A function at a line.
    Function(FrameAt),
    /// Nothing that anybody wrote.
    Nothing,
}

/// What is known of the code objects that were seen.
pub(super) struct Codes {
    layout: Layout,
    memory: Memory,
    code_type: usize,
    own_directory: String,
    known: FxHashMap<usize, Code>,
    next_key: u64,
    /// Counts every time that something known was forgotten.
    pub(super) forgotten: u64,
    /// With the address of the code object.
    new_names: Vec<(usize, CallKey, Symbol)>,
}

impl Codes {
    pub(super) fn new(layout: Layout, memory: Memory, code_type: usize, own_directory: String) -> Self {
        Self {
            layout,
            memory,
            code_type,
            own_directory,
            known: FxHashMap::default(),
            next_key: 0,
            forgotten: 0,
            new_names: Vec::new(),
        }
    }

    /// The code object at an address; `None` when there is none.
    pub(super) fn at(&mut self, address: usize) -> Option<&Code> {
        if !self.known.contains_key(&address) {
            let code = self.read(address)?;
            if self.known.len() >= SYMBOLS {
                self.forget_all();
            }
            self.known.insert(address, code);
        }
        self.known.get(&address)
    }

    /// The object at this address is gone.
    pub(super) fn forget(&mut self, address: usize) {
        self.forgotten += u64::from(self.known.remove(&address).is_some());
    }

    /// Nobody knows any more which of them are there.
    pub(super) fn forget_all(&mut self) {
        self.known.clear();
        self.forgotten += 1;
    }

    /// What a frame of this code shows at this instruction; `None` when there is no such place.
    pub(super) fn place(&mut self, address: usize, instruction: usize) -> Option<Shows> {
        let first = address + self.layout.code.instructions;
        let code = self.at(address)?;
        let Some(key) = code.key else { return Some(Shows::Nothing) };
        // A frame that has not begun is one before the first.
        let unit = (instruction.wrapping_sub(first) as isize) >> 1;
        if instruction % 2 != first % 2 || unit < -1 || unit >= code.len as isize {
            return None;
        }
        Some(Shows::Function(FrameAt { code: key, line: code.lines.line(unit.max(0) as u32) }))
    }

    /// Names of keys that were given out since the last call, but those of what was forgotten since.
    pub(super) fn take_names(&mut self) -> Vec<(CallKey, Symbol)> {
        let mut names = std::mem::take(&mut self.new_names);
        names.retain(|(address, key, _)| self.known.get(address).is_some_and(|code| code.key == Some(*key)));
        names.into_iter().map(|(_, key, symbol)| (key, symbol)).collect()
    }

    /// Whether a file is one of xray's.
    pub(super) fn is_own(&self, file: &str) -> bool {
        file.starts_with(&self.own_directory)
    }

    fn read(&mut self, address: usize) -> Option<Code> {
        let at = self.layout.code.clone();
        let mut head = [0; 256];
        let head = self.copy(address, &mut head[..at.instructions])?;
        if word_in(head, object::TYPE)? != self.code_type as u64 {
            return None;
        }
        let units = word_in(head, object::SIZE)? as usize;
        let first_line = half_in(head, at.first_line)?;
        let [qualified_name, file_name, line_table] =
            [at.qualified_name, at.file_name, at.line_table].map(|field| word_in(head, field).map(|at| at as usize));
        let frame_words = match at.frame_words {
            FrameWords::Field(field) => half_in(head, field)?,
            FrameWords::Parts(variables, stack) => {
                HEAD_WORDS.checked_add(half_in(head, variables)?)?.checked_add(half_in(head, stack)?)?
            }
        };
        if units > MOST_TABLE {
            return None;
        }
        let flags = half_in(head, FLAGS)?;
        let mut code = Code {
            frame_len: frame_words as usize * 8,
            makes_generators: flags & GENERATORS != 0,
            is_asynchronous_generator: flags & ASYNCHRONOUS_GENERATOR != 0,
            len: units,
            key: None,
            lines: LineTable::default(),
        };
        // What the interpreter builds itself, to clean up after a constructor, has no line that can be traced.
        let first_traceable = half_in(head, at.instructions - FIRST_TRACEABLE)?;
        let (Some(name), Some(file)) = (self.text(qualified_name?), self.text(file_name?)) else { return Some(code) };
        if first_traceable as usize >= units || self.is_own(&file) {
            return Some(code);
        }
        let table = self.table(line_table?).unwrap_or_default();
        self.next_key += 1;
        let key = CallKey::of_sampler(self.next_key);
        let symbol = Symbol { kind: SymbolKind::Function, name, file, line: first_line, detail: String::new() };
        self.new_names.push((address, key, symbol));
        (code.key, code.lines) = (Some(key), LineTable::decode(&table, first_line));
        Some(code)
    }

    /// A bytes object.
    fn table(&mut self, address: usize) -> Option<Vec<u8>> {
        let mut head = [0; object::BYTES_DATA];
        let len = word_in(self.copy(address, &mut head)?, object::SIZE)? as usize;
        let mut bytes = vec![0; len.min(MOST_TABLE)];
        self.copy(address + object::BYTES_DATA, &mut bytes)?;
        Some(bytes)
    }

    /// A string: identifiers and paths are compact ones.
    fn text(&mut self, address: usize) -> Option<String> {
        if address == 0 {
            return None;
        }
        let mut head = [0; object::UNICODE_STATE + 4];
        let head = self.copy(address, &mut head)?;
        let len = (word_in(head, object::UNICODE_LENGTH)? as usize).min(SYMBOL_TEXT_BYTES);
        // interned: 2 bits, kind: 3, compact: 1, ascii: 1.
        let state = half_in(head, object::UNICODE_STATE)?;
        let (kind, compact, ascii) = ((state >> 2 & 7) as usize, state >> 5 & 1 == 1, state >> 6 & 1 == 1);
        if !compact || !matches!(kind, 1 | 2 | 4) {
            return None;
        }
        let data = address + if ascii { self.layout.ascii_header } else { self.layout.compact_header };
        let mut bytes = vec![0; len * kind];
        self.copy(data, &mut bytes)?;
        Some(decode(&bytes, kind))
    }

    fn copy<'a>(&mut self, at: usize, into: &'a mut [u8]) -> Option<&'a [u8]> {
        let region = Region { at, len: into.len() };
        (into.is_empty() || self.memory.read(&[region], into).ok()? == region.len).then_some(into)
    }
}

/// Characters of one, two or four bytes; lone surrogates become replacement characters.
fn decode(bytes: &[u8], kind: usize) -> String {
    let unit = |bytes: &[u8]| bytes.iter().rev().fold(0_u32, |value, byte| value << 8 | u32::from(*byte));
    bytes.chunks(kind).map(|bytes| char::from_u32(unit(bytes)).unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
}
