//! The agent inside one application process.
//!
//! `transaction` is the application's side, under the GIL: begin, name, end. `control` answers the socket, `session`
//! arms and ends a session, `lifecycle` starts and stops the agent. What they share is [`state::STATE`].

pub(crate) mod answer;
pub(crate) mod arming;
pub(crate) mod control;
pub(crate) mod known;
pub(crate) mod labels;
pub(crate) mod lifecycle;
pub(crate) mod names;
pub(crate) mod segment;
pub(crate) mod session;
pub(crate) mod state;
pub(crate) mod steps;
pub(crate) mod symbols;
pub(crate) mod text;
pub(crate) mod transaction;
