//! Names of transactions, and which of them a session is about.
//!
//! A framework writes one route in its own way and users write it in many; all become one canonical form, the route
//! template with a leading slash and `{}` for each parameter. [`TransactionName`] is what an integration found out
//! about one transaction; [`parse`] reads `--transaction`, [`lookup`] reads it knowing the application's names, and
//! [`Matcher`] answers for each name whether it is meant.

mod glob;
mod lookup;
mod matcher;
mod method;
mod name;
mod nearest;
mod parse;
mod regex_route;
mod template;

pub use lookup::{KnownTransaction, Resolution, lookup};
pub use matcher::Matcher;
pub use name::{NOT_FOUND, TransactionName};
pub use parse::parse;
pub use template::{canonical_route, display_route};

/// Why a target cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// Nothing but white space.
    #[error("the transaction name is empty; `xray transactions` lists the names of an application")]
    Empty,
    /// Longer than any name.
    #[error("the transaction name is longer than {} bytes", crate::limits::NAME_BYTES)]
    TooLong,
    /// A `re:` that does not compile, or that would be too large.
    #[error("the regular expression after `re:` cannot be used: {0}")]
    Regex(String),
}

#[cfg(test)]
mod tests;
