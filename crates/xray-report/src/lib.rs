//! From session parts to one session, and from a session to text, HTML and JSON.
#![forbid(unsafe_code)]

pub mod html;
pub mod model;
pub mod text;
mod view;
