//! A whole session's file.
#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

mod sessions;

use proptest::prelude::*;
use xray_core::format::{dump, read, write};
use xray_core::model::*;

/// The chunks of a file, not compressed: kind, scope, payload.
fn unpacked(bytes: &[u8]) -> Vec<(u8, [u8; 8], Vec<u8>)> {
    let mut chunks = Vec::new();
    let mut rest = &bytes[16..];
    while !rest.is_empty() {
        let word = |at: usize| u32::from_le_bytes(rest[at..at + 4].try_into().unwrap()) as usize;
        let (header, payload) = (&rest[..28], &rest[28..28 + word(16)]);
        let raw = if header[5] == 0 { payload.to_vec() } else { zstd::bulk::decompress(payload, word(20)).unwrap() };
        chunks.push((header[4], header[8..16].try_into().unwrap(), raw));
        rest = &rest[28 + word(16)..];
    }
    chunks
}

/// The reverse, with fitting checksums: what an attacker makes.
fn packed(preamble: &[u8], chunks: &[(u8, [u8; 8], Vec<u8>)]) -> Vec<u8> {
    let mut bytes = preamble[..16].to_vec();
    for (kind, scope, raw) in chunks {
        let length = (raw.len() as u32).to_le_bytes();
        let fields = [&b"\xc7xr\n"[..], &[*kind, 0, 0, 0], scope, &length, &length].concat();
        let crc = crc32fast::hash(&[&fields[..], raw].concat());
        bytes.extend([&fields[..], &crc.to_le_bytes(), raw].concat());
    }
    bytes
}

#[test]
fn indexes_that_point_nowhere_cost_their_chunk() {
    let golden = include_bytes!("golden/v1.xr");
    let whole = read(golden).unwrap().data;
    // The first node of each tree stands behind `first` and the count: its parent, then its symbol.
    // The first wait stands behind the count, and what is waited for is its second byte; of the next one, it is the
    // thread's symbol.
    let wrong = [(6, 12, 0_u32), (6, 16, 11), (7, 12, 5), (7, 16, u32::MAX), (10, 9, 7), (10, 34, 99)];
    for (kind, at, value) in wrong {
        let mut chunks = unpacked(golden);
        let chunk = chunks.iter_mut().find(|chunk| chunk.0 == kind).unwrap();
        chunk.2[at..at + 4].copy_from_slice(&value.to_le_bytes());
        let read = read(&packed(golden, &chunks)).unwrap();
        let damage = read.damage.unwrap();
        let causes = ["symbol", "parent", "waited"];
        assert!(causes.iter().any(|cause| damage.cause.contains(cause)), "{}", damage.cause);
        let nodes = |data: &SessionData| [data.call_tree.nodes.len(), data.sample_tree.nodes.len(), data.waits.len()];
        let mut expected = nodes(&whole);
        expected[[6, 7, 10].iter().position(|of| *of == kind).unwrap()] = 0;
        assert_eq!(nodes(&read.data), expected);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

    #[test]
    fn reading_gives_back_what_was_written(session in sessions::session()) {
        let bytes = write(&session).unwrap();
        prop_assert_eq!(&bytes, &write(&session).unwrap(), "the same bytes each time");
        let read = read(&bytes).unwrap();
        prop_assert!(read.complete && read.damage.is_none());
        prop_assert_eq!(read.data, session);
    }

    #[test]
    fn a_cut_file_says_so(session in sessions::session(), at in any::<prop::sample::Index>()) {
        let bytes = write(&session).unwrap();
        let cut = at.index(bytes.len());
        if let Ok(read) = read(&bytes[..cut]) {
            prop_assert!(read.data.recovered && !read.complete);
            prop_assert!(read.data.notes.iter().any(|note| note.code.0 == "file_damaged"));
            prop_assert_eq!(read.data.header, session.header);
        }
    }

    #[test]
    fn payloads_made_by_an_attacker_never_panic(
        session in sessions::session(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<u8>()), 1..9),
    ) {
        let bytes = write(&session).unwrap();
        let mut chunks = unpacked(&bytes);
        for (chunk, at, value) in edits {
            let payload = &mut chunk.get_mut(&mut chunks).2;
            if !payload.is_empty() {
                *at.get_mut(payload) = value;
            }
        }
        let bytes = packed(&bytes, &chunks);
        dump(&bytes).for_each(drop);
        if let Ok(recovered) = read(&bytes) {
            let again = write(&recovered.data).unwrap();
            prop_assert_eq!(read(&again).unwrap().data, recovered.data);
        }
    }

    #[test]
    fn flipped_bits_never_panic(
        session in sessions::session(),
        flips in prop::collection::vec((any::<prop::sample::Index>(), 0_u8..8), 1..9),
    ) {
        let mut bytes = write(&session).unwrap();
        for (at, bit) in flips {
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
        }
        if let Ok(read) = read(&bytes) {
            // Whatever it is, it can be written and read again.
            let again = write(&read.data).unwrap();
            prop_assert_eq!(xray_core::format::read(&again).unwrap().data, read.data);
        }
        dump(&bytes).for_each(drop);
    }
}

#[test]
fn large_trees_tables_and_lists_are_split_into_chunks() {
    let mut symbols = SymbolTable::default();
    for line in 0..30_000 {
        let name = format!("function number {line} with a name of some length");
        symbols.intern(Symbol { kind: SymbolKind::Function, name, file: "a.py".into(), line, detail: String::new() });
    }
    let node = |at: u32| CallTreeNode {
        parent: at.checked_sub(1).map(|before| before / 2),
        symbol: SymbolId(at),
        calls: 1,
        resumes: 0,
        errors: 0,
        rows: 0,
        traces: 1,
        total_ns: 1,
        self_ns: 1,
        min_ns: 1,
        max_ns: 1,
    };
    let (nodes, _) = preorder((0..30_000).map(node).collect());
    let note = |n: u32| Note {
        code: NoteCode(format!("{n:08}")),
        severity: Severity::Info,
        message: "A long sentence. ".repeat(100),
    };
    let session = SessionData {
        header: sessions::header(),
        ended_unix_ns: sessions::START,
        stopped_by: StoppedBy::Time,
        recovered: false,
        processes: Vec::new(),
        symbols,
        requests: RequestCounts::default(),
        traced: ArmStats::default(),
        control: ArmStats::default(),
        traces: Vec::new(),
        call_tree: CallTree { nodes },
        sample_tree: SampleTree::default(),
        waits: Waits::new(),
        sample_stats: SampleStats::default(),
        series: Default::default(),
        loss: Vec::new(),
        decisions: Vec::new(),
        notes: (0..2_000).map(note).collect(),
        process_cpu_ns: 0,
        xray_cpu_ns: 0,
    };
    let bytes = write(&session).unwrap();
    let of = |kind| dump(&bytes).filter(|chunk| chunk.kind == Some(kind)).count();
    use xray_core::format::Kind;
    assert!(of(Kind::Symbols) > 1 && of(Kind::CallTree) == 3 && of(Kind::Delta) > 1);
    assert_eq!(read(&bytes).unwrap().data, session);
}
