//! A server, and the way to it: its address, the proxy in between, and the trusted certificate authorities.
//!
//! Downloads and sockets take the same way, with the same credentials.

mod authorities;
mod failure;
mod proxy;
mod server;
mod socket;

pub use authorities::{Authorities, AuthoritiesError};
pub use proxy::{HttpProxy, ProxyError};
pub use server::{DownloadError, EnvironmentError, RemoteServer};
pub(crate) use socket::Socket;
