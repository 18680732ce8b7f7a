//! The Python objects of a session and a report.

pub(crate) mod report;
pub(crate) mod session;
