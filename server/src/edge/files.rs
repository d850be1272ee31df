//! How many files, and so connections, the system lets this process have open.

use std::io;

/// Files for everything but connections: the listener, the runtime, data, logs.
const OTHER_FILES: u64 = 100;

/// Raises the limit on open files as far as `connections` need it; gives how many connections fit then, at most that.
///
/// # Errors
/// When the limit cannot be read.
pub fn make_room(connections: usize) -> io::Result<usize> {
    let needed = connections as u64 + OTHER_FILES;
    let raised = rlimit::increase_nofile_limit(needed)?;
    Ok(usize::try_from(raised.saturating_sub(OTHER_FILES)).unwrap_or(usize::MAX).clamp(1, connections))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_any_system_has_room_for_fits() {
        assert_eq!(make_room(10).unwrap(), 10);
    }
}
