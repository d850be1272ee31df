//! The connection to NATS.

use std::path::PathBuf;
use std::time::Duration;

use async_nats::ConnectOptions;
use async_nats::jetstream::{self, Context};

use crate::ClusterError;

/// Time for a request to NATS, after which it is sent again. An election takes 4 to 9 s.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

/// Oldest server whose acknowledgements can be trusted with `sync_interval: always`: major and minor number.
const MIN_SERVER_VERSION: (u32, u32) = (2, 14);

/// How to reach NATS.
#[derive(Clone, Debug, Default)]
pub struct NatsOptions {
    /// Addresses of the servers, with commas in between.
    pub servers: String,
    /// File with the credentials of the role. `None` if the servers ask for none.
    pub credentials: Option<PathBuf>,
    /// File with the seed of the role's nkey. `None` if the servers ask for none.
    pub nkey: Option<PathBuf>,
    /// File with the certificate authority of the servers. `None` for those of the system.
    pub authority: Option<PathBuf>,
}

/// Connects, and checks the version of the server. Lost connections are made again, without end.
///
/// # Errors
/// Returns an error if no server can be reached, or one is too old.
pub async fn connect(options: &NatsOptions, name: &str) -> Result<Context, ClusterError> {
    let servers: Vec<&str> = options.servers.split(',').map(str::trim).collect();
    let failed = |cause: String| ClusterError::Connect {
        servers: options.servers.clone(),
        cause,
    };
    let mut connect = ConnectOptions::new()
        .name(name)
        .request_timeout(Some(REQUEST_TIMEOUT))
        .ping_interval(Duration::from_secs(2));
    if let Some(path) = &options.credentials {
        let text = std::fs::read_to_string(path);
        let text = text.map_err(|error| failed(format!("{}: {error}", path.display())))?;
        connect = connect
            .credentials(&text)
            .map_err(|error| failed(format!("{}: {error}", path.display())))?;
    }
    if let Some(path) = &options.nkey {
        let seed = std::fs::read_to_string(path);
        let seed = seed.map_err(|error| failed(format!("{}: {error}", path.display())))?;
        connect = connect.nkey(seed.trim().to_owned());
    }
    if let Some(path) = &options.authority {
        connect = connect
            .add_root_certificates(path.clone())
            .require_tls(true);
    }
    let client = connect
        .connect(&servers[..])
        .await
        .map_err(|error| failed(error.to_string()))?;
    let found = client.server_info().version;
    if !is_supported(&found) {
        return Err(ClusterError::ServerVersion { found });
    }
    let mut context = jetstream::new(client);
    context.set_timeout(REQUEST_TIMEOUT);
    Ok(context)
}

/// Returns whether a server of this version is supported.
fn is_supported(version: &str) -> bool {
    let mut numbers = version.split('.').map(str::parse::<u32>);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor) >= MIN_SERVER_VERSION,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_servers_are_rejected() {
        for (version, expected) in [
            ("2.9.10", false),
            ("2.13.4", false),
            ("2.14.0", true),
            ("2.15.1", true),
            ("3.0.0-beta", true),
            ("", false),
        ] {
            assert_eq!(is_supported(version), expected, "{version}");
        }
    }
}
