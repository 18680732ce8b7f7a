//! A fixed-size hash index from keys to positions in an array; never allocates after it was made.

/// Open addressing with linear probing over positions. The array it points into holds the keys.
#[derive(Debug)]
pub(super) struct Index {
    /// Position + 1; 0 is free, so that a new index is untouched zero pages.
    slots: Vec<u32>,
    used: usize,
}

impl Index {
    /// An index for at most `capacity` positions; at most half of its slots are ever used.
    pub(super) fn new(capacity: usize) -> Self {
        Self { slots: vec![0; (capacity.max(1) * 2).next_power_of_two()], used: 0 }
    }

    pub(super) fn clear(&mut self) {
        if self.used > 0 {
            self.slots.fill(0);
            self.used = 0;
        }
    }

    /// The position for which `is` holds, among those added with this hash.
    pub(super) fn find(&self, hash: u64, is: impl Fn(u32) -> bool) -> Option<u32> {
        let mask = self.slots.len() - 1;
        let mut at = hash as usize & mask;
        loop {
            match self.slots[at] {
                0 => return None,
                slot if is(slot - 1) => return Some(slot - 1),
                _ => at = (at + 1) & mask,
            }
        }
    }

    /// Adds a position that is not there yet.
    pub(super) fn add(&mut self, hash: u64, position: u32) {
        let mask = self.slots.len() - 1;
        if self.used > mask / 2 {
            debug_assert!(false, "more positions than the index was made for");
            return;
        }
        let mut at = hash as usize & mask;
        while self.slots[at] != 0 {
            at = (at + 1) & mask;
        }
        self.slots[at] = position + 1;
        self.used += 1;
    }
}

/// Spreads a key (an address: low bits are alike) over all bits.
pub(super) fn hash(key: u64, salt: u64) -> u64 {
    let mixed = (key ^ salt.wrapping_mul(0xD6E8_FEB8_6659_FD93)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    mixed ^ (mixed >> 32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_was_added_and_nothing_else_also_when_filled() {
        let keys: Vec<u64> = (0..1_000).map(|i| 0x7f00_0000_0000 + i * 192).collect();
        let mut index = Index::new(keys.len());
        for (position, key) in keys.iter().enumerate() {
            index.add(hash(*key, 7), position as u32);
        }
        for (position, key) in keys.iter().enumerate() {
            assert_eq!(index.find(hash(*key, 7), |p| keys[p as usize] == *key), Some(position as u32));
        }
        assert_eq!(index.find(hash(5, 7), |p| keys[p as usize] == 5), None);
        index.clear();
        assert_eq!(index.find(hash(keys[0], 7), |p| keys[p as usize] == keys[0]), None);
    }
}
