//! Connections before HTTP: accepting, limits per address, TLS and timeouts.

pub mod client_addr;
pub mod connection_limiter;
pub mod egress;
pub mod fd_limit;
pub mod forwarded;
pub mod listen_address;
pub mod listen_sockets;
pub mod listener;
pub mod log_limiter;
pub mod rate_limiter;
mod scheme;
pub mod tls;
pub mod trusted_proxy;
pub mod write_timeout;
