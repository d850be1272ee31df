//! The connection to NATS.

use std::path::PathBuf;
use std::time::Duration;

use async_nats::jetstream::{self, Context};
use async_nats::{ConnectOptions, ServerAddr};

use crate::ClusterError;

/// Time for a request to NATS, after which it is sent again. An election takes 4 to 9 s.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

/// Oldest server whose acknowledgements can be trusted with `sync_interval: always`: major and minor number.
const MIN_SERVER_VERSION: (u32, u32) = (2, 14);

/// How to reach NATS.
#[derive(Clone, Debug)]
pub struct NatsOptions {
    /// Addresses of the servers, with commas in between.
    pub servers: String,
    /// File with the credentials of the role. `None` if the servers ask for none.
    pub credentials: Option<PathBuf>,
    /// File with the seed of the role's nkey. `None` if the servers ask for none.
    pub nkey: Option<PathBuf>,
    /// File with the certificate authority of the servers. `None` for those of the system.
    pub authority: Option<PathBuf>,
    /// The role, which receives replies at subjects of its own.
    pub role: &'static str,
}

/// Connects, and checks the version of the server. Lost connections are made again, without end.
///
/// # Errors
/// Returns an error if no server can be reached, or one is too old.
pub async fn connect(options: &NatsOptions, name: &str) -> Result<Context, ClusterError> {
    let servers = parse_servers(&options.servers)?;
    let failed = |cause: String| ClusterError::Connect {
        servers: display(&servers),
        cause,
    };
    let mut connect = ConnectOptions::new()
        .name(name)
        .custom_inbox_prefix(format!("_INBOX.{}", options.role))
        .request_timeout(Some(REQUEST_TIMEOUT))
        .ping_interval(Duration::from_secs(2));
    let account = servers.iter().find_map(|server| {
        let password = server.password().unwrap_or_default();
        Some((server.username()?.to_owned(), password.to_owned()))
    });
    if let Some((user, password)) = account {
        connect = connect.user_and_password(user, password);
    }
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
        .connect(servers.clone())
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

/// Parses addresses with commas in between.
fn parse_servers(text: &str) -> Result<Vec<ServerAddr>, ClusterError> {
    let addresses = text.split(',').map(str::trim);
    let parsed: Result<Vec<ServerAddr>, _> = addresses.map(str::parse).collect();
    parsed.map_err(|_| ClusterError::Servers) // the cause could contain a password
}

/// Returns the addresses without names and passwords.
fn display(servers: &[ServerAddr]) -> String {
    let address = |server: &ServerAddr| format!("{}:{}", server.host(), server.port());
    servers.iter().map(address).collect::<Vec<_>>().join(",")
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
    fn displayed_servers_hide_passwords() {
        let servers = parse_servers("nats://gateway:secret@a:4222, nats://b").unwrap();
        assert_eq!(display(&servers), "a:4222,b:4222");
        let error = parse_servers("nats://gateway:secret@a:b").unwrap_err();
        assert!(!error.to_string().contains("secret"), "{error}");
    }

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
