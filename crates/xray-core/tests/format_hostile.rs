//! Any input of 1 MB is read within 2 s and 200 MB. A process of its own: it measures its largest memory.
#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

use std::time::Instant;
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

/// A chunk as large as the reader takes: zstd, padded with what it skips until the ratio is allowed.
fn bomb(kind: u8, scope: u64, raw: &[u8]) -> Vec<u8> {
    let mut packed = zstd::bulk::compress(raw, 1).unwrap();
    let missing = raw.len().div_ceil(24).saturating_sub(packed.len());
    if missing >= 8 {
        // A skippable frame.
        packed.extend(0x184D_2A50_u32.to_le_bytes());
        packed.extend((missing as u32 - 8).to_le_bytes());
        packed.extend(vec![0; missing - 8]);
    }
    frame(kind, scope, 1, raw.len(), &packed)
}

/// A valid beginning, so that the reader goes on.
fn beginning() -> Vec<u8> {
    let bytes = include_bytes!("golden/v1.xr");
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

fn symbols(first: u32, count: u32, distinct: bool) -> Vec<u8> {
    let mut raw = first.to_le_bytes().to_vec();
    raw.extend(u64::from(count).to_le_bytes());
    for line in 0..count {
        raw.push(1);
        raw.extend([0; 16]);
        raw.extend((if distinct { first + line } else { 0 }).to_le_bytes());
        raw.extend([0; 8]);
    }
    raw
}

fn call_tree(count: u32, chain: bool) -> Vec<u8> {
    let mut raw = 0_u32.to_le_bytes().to_vec();
    raw.extend(u64::from(count).to_le_bytes());
    for at in 0..count {
        let parent = if chain && at > 0 { at - 1 } else { u32::MAX };
        raw.extend(parent.to_le_bytes());
        raw.extend((at % 1_000).to_le_bytes());
        raw.extend([0; 72]);
    }
    raw
}

/// As many filled histograms as fit.
fn histograms() -> Vec<u8> {
    let golden = read(include_bytes!("golden/v1.xr")).unwrap().data;
    let mut bytes = Vec::new();
    let mut writer = PartWriter::new(&mut bytes, &golden.header, &golden.processes[0]).unwrap();
    let mut latency = LatencyHistogram::default();
    (0..3_000).for_each(|n| latency.record(n * n * 100_000));
    for number in 0..40 {
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

#[test]
fn a_megabyte_of_anything_takes_little_time_and_memory() {
    let empty = frame(99, 0, 0, 0, &[]);
    let zeros = bomb(4, 0, &vec![0; 8 << 20]);
    let names = |number: u64| bomb(3, 0, &symbols(200_000 * number as u32, 200_000, true));
    let same = |number: u64| bomb(3, 0, &symbols(200_000 * number as u32, 200_000, false));
    let scopes = |number: u64| frame(3, number, 0, 12, &symbols(0, 0, true));
    let chains = |number: u64| match number {
        1 => bomb(3, 0, &symbols(0, 1_000, true)),
        _ => bomb(6, 0, &call_tree(90_000, true)),
    };
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
    let inputs: Vec<(&str, Vec<u8>)> = vec![
        ("empty chunks", filled(|_| empty.clone())),
        ("zstd bombs", filled(|_| zeros.clone())),
        ("many names", filled(names)),
        ("one name many times", filled(same)),
        ("many scopes", filled(scopes)),
        ("deep trees", filled(chains)),
        ("histograms", histograms()),
        ("huge counts", filled(|_| frame(3, 0, 0, 12, &declared))),
        ("markers", filled(|_| MARKER.repeat(7))),
        ("noise", filled(|_| noise[..10_000].to_vec())),
        ("only noise", noise.clone()),
        ("only zeros", vec![0; SIZE]),
    ];
    for (name, bytes) in inputs {
        assert!(bytes.len() <= SIZE);
        let started = Instant::now();
        let result = read(&bytes);
        let seconds = started.elapsed().as_secs_f64();
        // Debug builds of the dependencies are several times slower than what people run.
        let limit = if cfg!(debug_assertions) { 12.0 } else { 2.0 };
        assert!(seconds < limit, "{name}: {seconds} s");
        assert!(peak() < 200 << 20, "{name}: {} MB", peak() >> 20);
        println!("{name}: {seconds:.2} s, peak {} MB, {:?}", peak() >> 20, result.map(|r| r.damage));
    }
}
