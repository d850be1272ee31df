//! A run over several processes, connected by NATS. Without nats-server, these tests are skipped with a message:
//! `FARSIGN_NATS_SERVER` is its path.
#![cfg(target_os = "linux")]

mod cluster;
mod drills;
mod load;
mod log_contract;
mod moving;
mod permissions;
mod verification;
