//! What the terminal report and the page compute from the report model before they draw: numbers in words, bins,
//! columns of seconds, the outline of a trace, pruned stacks. No layout here, and no knowledge of a terminal or HTML.

pub(crate) mod bins;
pub(crate) mod clean;
#[cfg(test)]
pub(crate) mod fixture;
pub(crate) mod loss;
pub(crate) mod marks;
pub(crate) mod mechanisms;
pub(crate) mod numbers;
pub(crate) mod outline;
pub(crate) mod place;
pub(crate) mod rest;
pub(crate) mod seconds;
pub(crate) mod stacks;
pub(crate) mod states;
pub(crate) mod waits;
pub(crate) mod words;
