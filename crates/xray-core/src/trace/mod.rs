//! See ARCHITECTURE.md.

/// What is called: the address of a code object, or a segment id shifted left with the lowest bit set. Unique while a
/// session holds a reference to the code object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CallKey(pub u64);
