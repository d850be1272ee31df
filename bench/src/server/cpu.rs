//! Time of the processor that another process has taken.

use std::time::Duration;

use anyhow::Context;
use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System};

/// All of it, since the process began; its threads included.
pub fn cpu_time(pid: u32) -> anyhow::Result<Duration> {
    let (mut system, pid) = (System::new()?, Pid::from_u32(pid));
    let only = ProcessRefreshKind::nothing().with_cpu();
    system.refresh_processes_specifics(ProcessesToUpdate::Some(&[pid]), false, only);
    let process = system.process(pid).with_context(|| format!("no process {pid}"))?;
    Ok(Duration::from_millis(process.accumulated_cpu_time()))
}
