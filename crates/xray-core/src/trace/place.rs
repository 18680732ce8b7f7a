//! Where an open call is counted.

/// From here on a frame's `node` is a position among the functions, not a node.
pub(super) const FUNCTION: u32 = 1 << 31;

/// Where an open call is counted, in one word: frames are written and read field by field in the hot path, and a
/// wide load of narrow stores waits for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place(u64);

impl Place {
    const DEPTH_SHIFT: u32 = 32;
    const CALL: u64 = 1 << 48;
    const HIDDEN: u64 = 1 << 49;
    /// Not an ordinary call of a node.
    const SPECIAL: u64 = Self::HIDDEN | FUNCTION as u64;

    /// `depth`: which of the directly nested calls of its node it is; 1 is the outermost.
    #[inline]
    pub(super) fn new(node: u32, depth: u16, is_call: bool) -> Self {
        Self(u64::from(node) | u64::from(depth) << Self::DEPTH_SHIFT | if is_call { Self::CALL } else { 0 })
    }

    /// Its node. For a hidden call: the one of the call below, where its callees belong.
    #[inline]
    pub(super) fn node(self) -> u32 {
        self.0 as u32
    }

    #[inline]
    pub(super) fn depth(self) -> u16 {
        (self.0 >> Self::DEPTH_SHIFT) as u16
    }

    #[inline]
    pub(super) fn is_call(self) -> bool {
        self.0 & Self::CALL != 0
    }

    #[inline]
    pub(super) fn is_hidden(self) -> bool {
        self.0 & Self::HIDDEN != 0
    }

    #[inline]
    pub(super) fn is_special(self) -> bool {
        self.0 & Self::SPECIAL != 0
    }

    /// The same with its node at another place.
    #[cold]
    pub(super) fn moved_to(self, node: u32) -> Self {
        Self(self.0 & !u64::from(u32::MAX) | u64::from(node))
    }

    /// That of a hidden call above this one.
    #[inline]
    pub(super) fn hidden(self) -> Self {
        Self(self.0 | Self::HIDDEN)
    }
}
