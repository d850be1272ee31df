//! CPU time of another process.

use std::time::Duration;

use anyhow::Context;
use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System};

/// Returns the CPU time of a process and its threads since its start.
///
/// # Errors
///
/// Returns an error if there is no such process.
pub fn cpu_time(pid: u32) -> anyhow::Result<Duration> {
    let mut system = System::new()?;
    let pid = Pid::from_u32(pid);
    let only = ProcessRefreshKind::nothing().with_cpu();
    system.refresh_processes_specifics(ProcessesToUpdate::Some(&[pid]), false, only);
    let process = system
        .process(pid)
        .with_context(|| format!("no process {pid}"))?;
    Ok(Duration::from_millis(process.accumulated_cpu_time()))
}
