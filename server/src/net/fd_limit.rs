//! The limit on open file descriptors, and so on connections.

use std::io;

/// File descriptors for everything but connections: the listener, the runtime, data, logs.
const RESERVED_FDS: u64 = 100;

/// Raises the limit on open files for `connections`, and returns how many of them it permits.
///
/// # Errors
/// Returns an error if the limit cannot be read.
pub fn raise_nofile_limit(connections: usize) -> io::Result<usize> {
    let needed = connections as u64 + RESERVED_FDS;
    let raised = rlimit::increase_nofile_limit(needed)?;
    Ok(usize::try_from(raised.saturating_sub(RESERVED_FDS))
        .unwrap_or(usize::MAX)
        .clamp(1, connections))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_connections_fit_any_limit() {
        assert_eq!(raise_nofile_limit(10).unwrap(), 10);
    }
}
