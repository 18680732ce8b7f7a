//! How the command line and the agents meet: a directory of sockets, and length-prefixed JSON on each.
//!
//! [`protocol`] and [`progress`] are the vocabulary and exist everywhere. The rest needs Unix sockets with peer credentials and is
//! there on Linux: [`directory`] says who runs where, [`session_directory`] which session an application is in,
//! [`server`] is the agent's side of a socket, [`client`] the controller's, and [`coordinator`] runs one session over
//! all processes of an application.

pub mod progress;
pub mod protocol;

#[cfg(target_os = "linux")]
pub mod client;
#[cfg(target_os = "linux")]
pub mod coordinator;
#[cfg(target_os = "linux")]
pub mod descriptors;
#[cfg(target_os = "linux")]
pub mod directory;
#[cfg(target_os = "linux")]
pub mod frame;
#[cfg(target_os = "linux")]
pub mod private_dir;
#[cfg(target_os = "linux")]
pub mod server;
#[cfg(target_os = "linux")]
pub mod session_directory;
#[cfg(target_os = "linux")]
pub mod socket;
#[cfg(target_os = "linux")]
pub mod survey;
#[cfg(target_os = "linux")]
pub mod tally;

/// Nanoseconds since the Unix epoch, now.
#[cfg(target_os = "linux")]
pub fn unix_now_ns() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default().as_nanos() as u64
}
