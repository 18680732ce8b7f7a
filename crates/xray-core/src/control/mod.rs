//! How the command line and the agents meet: a directory of sockets, and length-prefixed JSON on each.

pub mod protocol;
