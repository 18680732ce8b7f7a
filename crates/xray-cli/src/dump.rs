//! `xray dump`: the chunks of a file, one line each.

use crate::console;
use crate::errors::{CliError, Outcome};
use crate::load;
use crate::units::one_line;
use std::path::Path;
use xray_core::format::{ChunkInfo, dump};

/// Lines written at a time: a damaged file can have very many chunks.
const LINES: usize = 1_000;

/// Lists the chunks. A file in which nothing is whole is unreadable.
///
/// # Errors
/// [`CliError`].
pub(crate) fn run(file: &Path) -> Result<Outcome, CliError> {
    let bytes = load::bytes(file)?;
    let mut chunks = dump(&bytes).peekable();
    let mut whole = 0_u64;
    let mut text = String::from("    OFFSET      BYTES        RAW  KIND          PROCESS           CONTENT\n");
    while chunks.peek().is_some() {
        for chunk in chunks.by_ref().take(LINES) {
            whole += u64::from(chunk.crc_ok);
            text.push_str(&line(&chunk));
        }
        console::write_stdout(text.as_bytes())?;
        text.clear();
    }
    if whole == 0 {
        return Err(CliError::File(format!(
            "{} has no readable chunk: it is not an xray session file",
            file.display()
        )));
    }
    Ok(Outcome::Done)
}

fn line(chunk: &ChunkInfo) -> String {
    let kind = match chunk.kind {
        Some(kind) => kind.name(),
        None if chunk.crc_ok => "unknown",
        None => "damaged",
    };
    let process = chunk.process.map_or_else(|| "-".to_owned(), |key| format!("{key:016x}"));
    let (offset, bytes, raw) = (chunk.offset, chunk.len, chunk.raw_len);
    format!("{offset:>10} {bytes:>10} {raw:>10}  {kind:<12}  {process:<16}  {}\n", one_line(&chunk.summary))
}
