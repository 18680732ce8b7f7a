//! Identities and random choices: all of them pure functions of what the caller gives, so that a session can be
//! replayed and every program of a session derives the same ones.

use crate::model::{ProcessKey, SessionId, TraceId};

/// A well-mixed bijection of 64 bits (the finalizer of SplitMix64): distinct inputs give distinct outputs.
pub fn mix(mut z: u64) -> u64 {
    z = z.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// The seeded hash of a trace id: the source of every random choice about that trace.
pub fn trace_hash(seed: u64, trace: TraceId) -> u64 {
    mix(mix(trace.0) ^ seed)
}

/// The identity of the `counter`-th transaction of a process in a session. Within one process ids never repeat; over
/// processes they are as unlikely to as random 64-bit numbers.
pub fn trace_id(seed: u64, process: ProcessKey, counter: u64) -> TraceId {
    TraceId(mix(mix(seed ^ process.0.rotate_left(32)).wrapping_add(counter)))
}

/// The identity of a process: the same wherever and whenever it is computed.
pub fn process_key(host: &str, pid: u32, started_unix_ns: u64) -> ProcessKey {
    // FNV-1a, because the hash is in files: the standard library's may change.
    let mut hash = 0xCBF2_9CE4_8422_2325_u64;
    for byte in host.bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3);
    }
    ProcessKey(mix(mix(mix(hash) ^ u64::from(pid)) ^ started_unix_ns))
}

/// A session's identity from 64 bits of entropy: twelve lower-case letters and digits.
pub fn session_id(entropy: u64) -> SessionId {
    const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
    let mut rest = mix(entropy);
    let mut id = String::with_capacity(12);
    for _ in 0..12 {
        id.push(char::from(DIGITS[(rest % 36) as usize]));
        rest /= 36;
    }
    SessionId(id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn trace_ids_differ_over_counters_processes_and_seeds() {
        let mut seen = HashSet::new();
        for seed in 0..4 {
            for pid in 0..8 {
                let process = process_key("web-1", pid, 1_700_000_000_000_000_000);
                for counter in 0..500 {
                    assert!(seen.insert(trace_id(seed, process, counter)));
                }
            }
        }
    }

    #[test]
    fn hashes_are_even_in_every_bit() {
        let process = process_key("web-1", 1, 2);
        for bit in 0..64 {
            let ones = (0..4_000).filter(|&i| trace_hash(7, trace_id(7, process, i)) >> bit & 1 == 1).count();
            assert!((1_800..2_200).contains(&ones), "bit {bit}: {ones} of 4000");
        }
    }

    #[test]
    fn process_keys_are_stable_across_releases() {
        assert_eq!(process_key("web-1", 4711, 1_767_225_600_000_000_000), ProcessKey(11_748_359_106_599_801_539));
        assert_ne!(process_key("web-1", 1, 2), process_key("web-1", 2, 1));
        assert_ne!(process_key("web-1", 1, 2), process_key("web-2", 1, 2));
    }

    #[test]
    fn session_ids_are_twelve_letters_and_digits() {
        let mut seen = HashSet::new();
        for entropy in 0..2_000 {
            let SessionId(id) = session_id(entropy);
            assert_eq!(id.len(), 12);
            assert!(id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()));
            assert!(seen.insert(id));
        }
    }
}
