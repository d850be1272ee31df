//! CPU time and memory of processes.

use std::time::Duration;

use anyhow::{Context, Result};
use sysinfo::{MemoryRefreshKind, Pid, ProcessRefreshKind, ProcessesToUpdate, System};

/// CPU time and memory of a process.
#[derive(Clone, Copy, Debug)]
pub struct Usage {
    /// CPU time of the process and its threads since its start.
    pub cpu: Duration,
    /// Resident memory, in bytes.
    pub memory_bytes: u64,
}

/// Returns what a process uses.
///
/// # Errors
///
/// Returns an error if there is no such process.
pub fn usage(pid: u32) -> Result<Usage> {
    let mut system = System::new()?;
    let pid = Pid::from_u32(pid);
    let only = ProcessRefreshKind::nothing().with_cpu().with_memory();
    system.refresh_processes_specifics(ProcessesToUpdate::Some(&[pid]), false, only);
    let process = system
        .process(pid)
        .with_context(|| format!("no process {pid}"))?;
    Ok(Usage {
        cpu: Duration::from_millis(process.accumulated_cpu_time()),
        memory_bytes: process.memory(),
    })
}

/// Returns the memory that the machine has left for programs, in bytes.
///
/// # Errors
///
/// Returns an error if the system does not report its memory.
pub fn available_memory_bytes() -> Result<u64> {
    let mut system = System::new()?;
    system.refresh_memory_specifics(MemoryRefreshKind::nothing().with_ram());
    Ok(system.available_memory())
}
