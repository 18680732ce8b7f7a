//! The X-Ray session engine.
//!
//! Everything xray decides, counts, keeps and writes is here; nothing here knows Python or a terminal. The flow is
//! one way: [`admission`] decides, [`trace`] records, [`sample`] samples, [`session`] collects, [`format`] keeps.
//! See `ARCHITECTURE.md`.
#![forbid(unsafe_code)]

pub mod admission;
pub mod budget;
pub mod clock;
pub mod control;
pub mod format;
pub mod histogram;
pub mod id;
pub mod limits;
pub mod model;
mod path_tree;
pub mod retention;
pub mod sample;
pub mod secrets;
pub mod session;
pub mod sql;
pub mod target;
pub mod trace;
