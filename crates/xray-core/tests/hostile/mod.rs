//! Inputs of 1 MB that try to take much time or memory, and the measure of both.

use xray_core::format::{Delta, PartWriter, read};
use xray_core::histogram::LatencyHistogram;
use xray_core::model::SecondStats;

const MARKER: [u8; 4] = *b"\xc7xr\n";
const SIZE: usize = 1_000_000;

fn frame(kind: u8, scope: u64, encoding: u8, raw_len: usize, payload: &[u8]) -> Vec<u8> {
    let mut bytes = MARKER.to_vec();
    bytes.extend([kind, encoding, 0, 0]);
    bytes.extend(scope.to_le_bytes());
    bytes.extend((payload.len() as u32).to_le_bytes());
    bytes.extend((raw_len as u32).to_le_bytes());
    let mut crc = crc32fast::Hasher::new();
    crc.update(&bytes);
    crc.update(payload);
    bytes.extend(crc.finalize().to_le_bytes());
    bytes.extend(payload);
    bytes
}

/// The payload of a chunk as large as the reader takes: zstd, padded with what it skips until the ratio is allowed.
fn packed(raw: &[u8]) -> Vec<u8> {
    let mut packed = zstd::bulk::compress(raw, 1).unwrap();
    let missing = raw.len().div_ceil(24).saturating_sub(packed.len());
    if missing >= 8 {
        // A skippable frame.
        packed.extend(0x184D_2A50_u32.to_le_bytes());
        packed.extend((missing as u32 - 8).to_le_bytes());
        packed.extend(vec![0; missing - 8]);
    }
    packed
}

/// Gives the same chunk for any scope.
fn bomb(kind: u8, raw: &[u8]) -> impl Fn(u64) -> Vec<u8> {
    let (raw_len, payload) = (raw.len(), packed(raw));
    move |scope| frame(kind, scope, 1, raw_len, &payload)
}

/// A valid beginning, so that the reader goes on.
fn beginning() -> Vec<u8> {
    let bytes = include_bytes!("../golden/v1.xr");
    let first = bytes[16..].windows(4).skip(1).position(|window| window == MARKER).unwrap() + 17;
    bytes[..first].to_vec()
}

fn filled(mut chunk: impl FnMut(u64) -> Vec<u8>) -> Vec<u8> {
    let mut bytes = beginning();
    for number in 1.. {
        let next = chunk(number);
        if bytes.len() + next.len() > SIZE {
            break;
        }
        bytes.extend(next);
    }
    bytes
}

fn symbols(count: u32, distinct: bool) -> Vec<u8> {
    let mut raw = 0_u32.to_le_bytes().to_vec();
    raw.extend(u64::from(count).to_le_bytes());
    for line in 0..count {
        raw.push(1);
        raw.extend([0; 16]);
        raw.extend((if distinct { line } else { 0 }).to_le_bytes());
        raw.extend([0; 8]);
    }
    raw
}

fn call_tree(count: u32, chain: bool, names: u32) -> Vec<u8> {
    let mut raw = 0_u32.to_le_bytes().to_vec();
    raw.extend(u64::from(count).to_le_bytes());
    for at in 0..count {
        let parent = if chain && at > 0 { at - 1 } else { u32::MAX };
        raw.extend(parent.to_le_bytes());
        raw.extend((at % names).to_le_bytes());
        raw.extend([0; 72]);
    }
    raw
}

/// A packed trace with as many nodes as fit.
fn packed_trace() -> Vec<u8> {
    let nodes = (2_u32 << 20) / 11;
    let facts = [0; 99];
    let counts = [nodes.to_le_bytes(), 0_u32.to_le_bytes()].concat();
    let columns = vec![0; 11 * nodes as usize];
    [&facts[..], &counts, &(columns.len() as u64).to_le_bytes(), &columns].concat()
}

/// One symbol with a name of this many bytes.
fn long_name(bytes: usize) -> Vec<u8> {
    let mut raw = [&0_u32.to_le_bytes()[..], &1_u64.to_le_bytes(), &[1], &(bytes as u64).to_le_bytes()].concat();
    raw.extend(vec![b'x'; bytes]);
    raw.extend([0; 20]);
    raw
}

/// As many filled histograms as fit.
fn histograms() -> Vec<u8> {
    let golden = read(include_bytes!("../golden/v1.xr")).unwrap().data;
    let mut bytes = Vec::new();
    let mut writer = PartWriter::new(&mut bytes, &golden.header, &golden.processes[0]).unwrap();
    let mut latency = LatencyHistogram::default();
    (0..3_000).for_each(|n| latency.record(n * n * 100_000));
    for number in 0..40_u32 {
        let second = |n| (number * 100 + n, SecondStats { latency: latency.clone(), ..SecondStats::default() });
        writer.delta(&Delta { series: (0..100).map(second).collect(), ..Delta::default() }).unwrap();
    }
    drop(writer);
    bytes.truncate(SIZE);
    bytes
}

/// Largest memory of this process so far, in bytes; 0 where it cannot be known.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("0 kB");
    line.trim().trim_end_matches(" kB").trim().parse::<u64>().unwrap() << 10
}

/// CPU time of this process: other load on the machine does not count.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<f64> =
        stat.rsplit(')').next().unwrap().split_whitespace().map(|f| f.parse().unwrap_or(0.0)).collect();
    // Fields 14 and 15 of the line, in ticks of 10 ms.
    fields.get(11).zip(fields.get(12)).map_or(0.0, |(user, system)| (user + system) / 100.0)
}

/// All inputs, with names.
fn inputs() -> Vec<(&'static str, Vec<u8>)> {
    let empty = frame(99, 0, 0, 0, &[]);
    let few_names = bomb(3, &symbols(1_000, true))(1);
    let tree = bomb(6, &call_tree(90_000, true, 1_000))(1);
    let scopes = |number: u64| frame(3, number, 0, 12, &symbols(0, true));
    let chains = |number: u64| if number == 1 { few_names.clone() } else { tree.clone() };
    let long_name = bomb(3, &long_name(2 << 20))(1);
    let flat = bomb(6, &call_tree(60_000, false, 1))(1);
    let named = |number: u64| if number == 1 { long_name.clone() } else { flat.clone() };
    // Counts that no file holds.
    let mut declared = 0_u32.to_le_bytes().to_vec();
    declared.extend(u64::MAX.to_le_bytes());
    let mut random = 0x2545_F491_4F6C_DD1D_u64;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random as u8
    })
    .take(SIZE)
    .collect();
    vec![
        ("empty chunks", filled(|_| empty.clone())),
        ("zstd bombs", filled(bomb(4, &vec![0; 8 << 20]))),
        ("packed traces", filled(bomb(13, &packed_trace()))),
        ("many names", filled(bomb(3, &symbols(200_000, true)))),
        ("one name many times", filled(bomb(3, &symbols(200_000, false)))),
        ("many scopes", filled(scopes)),
        ("deep trees", filled(chains)),
        ("a long name", filled(named)),
        ("histograms", histograms()),
        ("huge counts", filled(|_| frame(3, 0, 0, 12, &declared))),
        ("markers", filled(|_| MARKER.repeat(7))),
        ("noise", filled(|_| noise[..10_000].to_vec())),
        ("only noise", noise.clone()),
        ("only zeros", vec![0; SIZE]),
    ]
}

/// Runs `work` on each input and checks that it stays within 2 s of CPU time (12 s in a debug build, whose
/// dependencies are several times slower than what people run) and this process within 200 MB.
pub(crate) fn check(work: impl Fn(&[u8]) -> String) {
    for (name, bytes) in inputs() {
        assert!(bytes.len() <= SIZE);
        let started = cpu_seconds();
        let result = work(&bytes);
        let seconds = cpu_seconds() - started;
        assert!(seconds < if cfg!(debug_assertions) { 12.0 } else { 2.0 }, "{name}: {seconds} s: {result}");
        assert!(peak() < 200 << 20, "{name}: {} MB: {result}", peak() >> 20);
    }
}
