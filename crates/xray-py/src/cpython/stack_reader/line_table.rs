//! Lines of instructions: `co_linetable`, the location table of Python 3.11 and newer.

/// The line of each instruction of one code object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct LineTable {
    /// First instruction (in code units) and line of each run of instructions on one line; 0 for no line.
    runs: Vec<(u32, u32)>,
}

/// Kinds of entries above the short forms.
const ONE_LINE: std::ops::RangeInclusive<u8> = 10..=12;
const NO_COLUMNS: u8 = 13;
const LONG: u8 = 14;
const NO_LOCATION: u8 = 15;

impl LineTable {
    /// Decodes; what comes after damage is missing.
    pub(super) fn decode(bytes: &[u8], first_line: u32) -> Self {
        let mut bytes = bytes.iter().copied().peekable();
        let mut runs: Vec<(u32, u32)> = Vec::new();
        let (mut unit, mut line) = (0_u32, i64::from(first_line));
        while let Some(first) = bytes.next() {
            let kind = (first >> 3) & 15;
            let mut here = line;
            match kind {
                NO_LOCATION => here = 0,
                LONG => {
                    line += signed(&mut bytes);
                    here = line;
                    for _ in 0..3 {
                        unsigned(&mut bytes);
                    }
                }
                NO_COLUMNS => {
                    line += signed(&mut bytes);
                    here = line;
                }
                kind if ONE_LINE.contains(&kind) => {
                    line += i64::from(kind - 10);
                    here = line;
                    bytes.nth(1);
                }
                _ => {
                    bytes.next();
                }
            }
            let here = u32::try_from(here).unwrap_or(0);
            if runs.last().is_none_or(|(_, last)| *last != here) {
                runs.push((unit, here));
            }
            unit += u32::from(first & 7) + 1;
        }
        Self { runs }
    }

    /// The line of an instruction; 0 when it has none.
    pub(super) fn line(&self, unit: u32) -> u32 {
        let after = self.runs.partition_point(|(start, _)| *start <= unit);
        after.checked_sub(1).map_or(0, |run| self.runs[run].1)
    }
}

/// Six bits a byte, the lowest first; bit 6 says that there are more.
fn unsigned(bytes: &mut impl Iterator<Item = u8>) -> u64 {
    let (mut value, mut shift) = (0_u64, 0);
    for byte in bytes {
        if shift < 60 {
            value |= u64::from(byte & 63) << shift;
        }
        shift += 6;
        if byte & 64 == 0 {
            break;
        }
    }
    value
}

/// The sign is the lowest bit.
fn signed(bytes: &mut impl Iterator<Item = u8>) -> i64 {
    let value = unsigned(bytes);
    let size = (value >> 1) as i64;
    if value & 1 == 1 { -size } else { size }
}
