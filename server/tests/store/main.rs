//! The saved run: no acknowledged update is lost, whatever happens to the process or its disk.

mod coordinator;
mod disk;
mod faults;
mod readiness;
mod records;
mod replay;
mod state_dir;
mod unlearn;
