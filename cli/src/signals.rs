//! Ctrl-C, and SIGTERM on Unix.

use std::io;

#[cfg(unix)]
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals that stop the program. Signals that arrive between two calls of `recv` are not lost.
#[derive(Debug)]
pub struct StopSignals {
    #[cfg(unix)]
    interrupt: Signal,
    #[cfg(unix)]
    terminate: Signal,
}

#[cfg(unix)]
impl StopSignals {
    /// Registers the signal handlers.
    ///
    /// # Errors
    /// Returns an error if the system rejects a handler.
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    /// Waits for the next signal.
    pub async fn recv(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

#[cfg(not(unix))]
impl StopSignals {
    /// Returns the signals of a system that has only Ctrl-C.
    ///
    /// # Errors
    /// Never returns an error.
    pub fn new() -> io::Result<Self> {
        Ok(Self {})
    }

    /// Waits for the next signal.
    pub async fn recv(&mut self) {
        _ = tokio::signal::ctrl_c().await; // on an error the program stops, too
    }
}
