//! A server, and the way to it: its address, the proxy in between, and the trusted certificate authorities.
//!
//! Downloads and sockets take the same way, with the same credentials.

mod authorities;
mod downloads;
mod failure;
mod proxy;
mod server;
mod shard_list;
mod socket;

pub use authorities::{Authorities, AuthoritiesError};
pub(crate) use downloads::{Caches, Downloads};
pub use downloads::{DownloadError, download};
pub use proxy::{HttpProxy, ProxyError};
pub use server::{EnvironmentError, RemoteServer};
pub use shard_list::ListError;
pub(crate) use socket::Socket;
