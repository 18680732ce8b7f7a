//! Ctrl-C while a session is watched: a handler that sets a flag, in the command's own process only.

use crate::errors::CliError;
use signal_hook::SigId;
use signal_hook::consts::{SIGINT, SIGTERM};
use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Counts SIGINT and SIGTERM until it is dropped.
pub(crate) struct Interrupts {
    flag: Arc<AtomicBool>,
    seen: Cell<usize>,
    handlers: Vec<SigId>,
}

impl Interrupts {
    /// Handles the signals from now on.
    ///
    /// # Errors
    /// [`CliError`] when the system refuses.
    pub(crate) fn watch() -> Result<Self, CliError> {
        let mut interrupts = Self { flag: Arc::default(), seen: Cell::new(0), handlers: Vec::new() };
        for signal in [SIGINT, SIGTERM] {
            let handler = signal_hook::flag::register(signal, Arc::clone(&interrupts.flag))
                .map_err(|error| CliError::Usage(format!("cannot handle Ctrl-C: {error}")))?;
            interrupts.handlers.push(handler);
        }
        Ok(interrupts)
    }

    /// How often the user has interrupted so far; presses between two calls count once.
    pub(crate) fn count(&self) -> usize {
        if self.flag.swap(false, Ordering::SeqCst) {
            self.seen.set(self.seen.get() + 1);
        }
        self.seen.get()
    }
}

impl Drop for Interrupts {
    fn drop(&mut self) {
        for handler in self.handlers.drain(..) {
            signal_hook::low_level::unregister(handler);
        }
    }
}
