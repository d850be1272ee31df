//! The signals that stop the program: Ctrl-C, and on Unix SIGTERM and SIGHUP.

use std::io;

#[cfg(unix)]
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Exit code of a program that a second signal stops at once.
pub const STOPPED_AT_ONCE: i32 = 130;

/// The signals that stop a server or a volunteer. Signals that arrive between two calls of `recv` are not lost.
#[derive(Debug)]
pub struct StopSignals {
    #[cfg(unix)]
    interrupt: Signal,
    #[cfg(unix)]
    terminate: Signal,
    /// `None` if the parent process has disabled the signal, as `nohup` does.
    #[cfg(unix)]
    hangup: Option<Signal>,
}

#[cfg(unix)]
impl StopSignals {
    /// Registers the signal handlers.
    ///
    /// # Errors
    /// Returns an error if the system rejects a handler.
    pub fn new() -> io::Result<Self> {
        let hangup = SignalKind::hangup();
        let is_ignored = is_ignored(hangup.as_raw_value());
        Ok(Self {
            hangup: (!is_ignored).then(|| signal(hangup)).transpose()?,
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    /// Waits for the next signal.
    pub async fn recv(&mut self) {
        let Self {
            interrupt,
            terminate,
            hangup,
        } = self;
        let hangup = async {
            match hangup {
                Some(signal) => signal.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup => {}
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

/// Lets the first signal end the process only once no output file is half written, and a second one at once. `hint` is
/// printed first.
///
/// # Errors
/// Returns an error if the system rejects a handler.
#[cfg(unix)]
pub fn end_between_writes(hint: Option<&'static str>) -> io::Result<()> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    use signal_hook::{flag, iterator, low_level};
    use std::sync::Arc;
    use std::sync::atomic::AtomicBool;

    let signals = [SIGINT, SIGTERM, SIGHUP].into_iter();
    let signals: Vec<i32> = signals.filter(|signal| !is_ignored(*signal)).collect();
    let is_ending = Arc::new(AtomicBool::new(false));
    for signal in &signals {
        flag::register_conditional_default(*signal, Arc::clone(&is_ending))?;
        flag::register(*signal, Arc::clone(&is_ending))?;
    }
    let mut received = iterator::Signals::new(signals)?;
    std::thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || {
            if let Some(signal) = received.forever().next() {
                let _paused = farsign_files::pause_writes();
                if let Some(hint) = hint {
                    crate::streams::note(hint);
                }
                _ = low_level::emulate_default_handler(signal);
            }
        })?;
    Ok(())
}

/// Does nothing: this system ends the process.
///
/// # Errors
/// Never returns an error.
#[cfg(not(unix))]
pub fn end_between_writes(_: Option<&'static str>) -> io::Result<()> {
    Ok(())
}

/// Returns whether the parent process has disabled a signal. Known on Linux only.
#[cfg(unix)]
fn is_ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask >> (signal - 1) & 1 == 1)
}
