//! From session parts to one session, and from a session to text, HTML and JSON.
#![forbid(unsafe_code)]

pub mod build;
mod file_name;
pub mod html;
pub mod json;
mod load;
pub mod merge;
pub mod model;
pub mod text;
mod view;

pub use file_name::default_file_name;
pub use load::{LoadError, load, load_bytes};
