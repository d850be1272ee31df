//! The saved run: nothing that was acknowledged is lost, whatever happens to the process or its disk.

mod coordinator;
mod disk;
mod events;
mod evict;
mod faults;
mod folder;
mod readiness;
mod replay;
