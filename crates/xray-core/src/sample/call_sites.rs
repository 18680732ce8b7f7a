//! Who calls whom, as stacks have shown that are right for sure.

use rustc_hash::FxHashMap;

/// Call sites that are remembered.
const SITES: usize = 1 << 16;

/// Functions that one of them calls at most before it is taken for one that calls anything.
const CALLEES: usize = 4;

/// Even a copy that looks sure is wrong once in a thousand: what a call site calls less than this part of what it calls
/// most does not count as seen.
const SELDOM: u32 = 64;

/// A place in a function that calls another one: addresses of its code object and of the instruction.
pub type CallSite = (usize, usize);

/// The functions that each call site has been seen to call. A copy of a running thread's stack of which it is not sure
/// that it is of one instant may have a caller and a callee that were never there together; most call sites only ever
/// call one function, which gives such a pair away.
#[derive(Debug, Default)]
pub struct CallSites {
    callees: FxHashMap<CallSite, Callees>,
}

#[derive(Debug, Default)]
struct Callees {
    /// With how often each was seen.
    codes: [(usize, u32); CALLEES],
    more: bool,
}

impl CallSites {
    /// A call site was seen, for sure, to have called this function.
    pub fn learn(&mut self, site: CallSite, callee: usize) {
        if self.callees.len() >= SITES {
            self.callees.clear();
        }
        let callees = self.callees.entry(site).or_default();
        match callees.codes.iter_mut().find(|(code, seen)| *code == callee || *seen == 0) {
            Some((code, seen)) => (*code, *seen) = (callee, seen.saturating_add(1)),
            None => callees.more = true,
        }
    }

    /// Whether nothing speaks against it that a call site has called this function.
    #[must_use]
    pub fn may_call(&self, site: CallSite, callee: usize) -> bool {
        let Some(Callees { codes, more }) = self.callees.get(&site) else { return true };
        let most = codes.iter().map(|(_, seen)| *seen).max().unwrap_or(0);
        *more || codes.iter().any(|(code, seen)| *code == callee && *seen > 0 && *seen >= most / SELDOM)
    }

    /// Addresses mean other functions now.
    pub fn clear(&mut self) {
        self.callees.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SITE: CallSite = (0x1000, 0x1010);

    #[test]
    fn a_call_site_calls_what_it_has_called() {
        let mut sites = CallSites::default();
        assert!(sites.may_call(SITE, 1), "nothing is known yet");
        sites.learn(SITE, 1);
        sites.learn(SITE, 2);
        assert!(sites.may_call(SITE, 1) && sites.may_call(SITE, 2));
        assert!(!sites.may_call(SITE, 3));
        assert!(sites.may_call((SITE.0, SITE.1 + 2), 3), "another instruction is another call site");
        sites.clear();
        assert!(sites.may_call(SITE, 3));
    }

    #[test]
    fn what_was_seen_once_in_very_many_was_not_seen() {
        let mut sites = CallSites::default();
        (0..2 * SELDOM).for_each(|_| sites.learn(SITE, 1));
        sites.learn(SITE, 2);
        assert!(!sites.may_call(SITE, 2));
        sites.learn(SITE, 2);
        assert!(sites.may_call(SITE, 2));
    }

    #[test]
    fn one_that_calls_many_functions_may_call_any() {
        let mut sites = CallSites::default();
        (1..=CALLEES).for_each(|code| sites.learn(SITE, code));
        assert!(!sites.may_call(SITE, 99));
        sites.learn(SITE, CALLEES + 1);
        assert!(sites.may_call(SITE, 99));
    }

    #[test]
    fn no_more_are_kept_than_there_is_room_for() {
        let mut sites = CallSites::default();
        (0..=SITES).for_each(|at| sites.learn((at, at), 1));
        assert!(sites.callees.len() <= SITES);
        assert!(!sites.may_call((SITES, SITES), 2), "the last one is known");
    }
}
