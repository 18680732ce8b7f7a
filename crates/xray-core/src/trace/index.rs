//! A hash index from keys to positions in an array, which holds the keys.

/// Slots of a new index.
const FIRST: usize = 32;

/// Memory of one entry at most, in bytes: a quarter of the slots is in use after they have doubled.
pub(super) const INDEX_BYTES: usize = 4 * size_of::<u32>();

/// Open addressing with linear probing over positions; at most half of the slots are ever used.
#[derive(Debug, Default)]
pub(super) struct Index {
    /// Position + 1; 0 is free. Empty until something is added.
    slots: Vec<u32>,
    used: usize,
}

impl Index {
    pub(super) fn clear(&mut self) {
        if self.used > 0 {
            self.slots.fill(0);
            self.used = 0;
        }
    }

    /// The position for which `is` holds, among those added with this hash.
    pub(super) fn find(&self, hash: u64, is: impl Fn(u32) -> bool) -> Option<u32> {
        let mask = self.slots.len().checked_sub(1)?;
        let mut at = hash as usize & mask;
        loop {
            match self.slots[at] {
                0 => return None,
                slot if is(slot - 1) => return Some(slot - 1),
                _ => at = (at + 1) & mask,
            }
        }
    }

    /// Adds a position that is not there yet; `hash_of` gives the hash of any position.
    pub(super) fn add(&mut self, position: u32, hash_of: impl Fn(u32) -> u64) {
        if 2 * (self.used + 1) > self.slots.len() {
            let slots = (2 * self.slots.len()).max(FIRST);
            let old = std::mem::replace(&mut self.slots, vec![0; slots]);
            old.into_iter().filter(|slot| *slot > 0).for_each(|slot| self.put(slot, hash_of(slot - 1)));
        }
        self.put(position + 1, hash_of(position));
        self.used += 1;
    }

    fn put(&mut self, slot: u32, hash: u64) {
        let mask = self.slots.len() - 1;
        let mut at = hash as usize & mask;
        while self.slots[at] != 0 {
            at = (at + 1) & mask;
        }
        self.slots[at] = slot;
    }

    /// Memory in use.
    pub(super) fn bytes(&self) -> usize {
        self.slots.capacity() * size_of::<u32>()
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
    fn finds_what_was_added_and_nothing_else_while_it_grows() {
        let keys: Vec<u64> = (0..1_000).map(|i| 0x7f00_0000_0000 + i * 192).collect();
        let hash_of = |position: u32| hash(keys[position as usize], 7);
        let mut index = Index::default();
        assert_eq!(index.find(hash(keys[0], 7), |_| true), None);
        for position in 0..keys.len() as u32 {
            index.add(position, hash_of);
            assert!(index.bytes() <= (position as usize + 1 + FIRST) * INDEX_BYTES);
        }
        for (position, key) in keys.iter().enumerate() {
            assert_eq!(index.find(hash(*key, 7), |p| keys[p as usize] == *key), Some(position as u32));
        }
        assert_eq!(index.find(hash(5, 7), |p| keys[p as usize] == 5), None);
        index.clear();
        assert_eq!(index.find(hash(keys[0], 7), |p| keys[p as usize] == keys[0]), None);
    }
}
