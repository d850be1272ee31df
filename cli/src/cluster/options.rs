//! Options of all roles.

use std::path::PathBuf;

use clap::Args;
use farsign_cluster::ClusterError;
use farsign_cluster::connection::{NatsOptions, connect};
use farsign_cluster::names::RunNames;
use farsign_cluster::run::{ClusterRun, StreamOptions};
use farsign_server::Settings;

use crate::logging::LogFormat;
use crate::serve::read_settings;

/// Options of the connection.
#[derive(Debug, Args)]
pub struct NatsArgs {
    /// Addresses of the nats-servers, with commas in between
    #[arg(long, env = "FARSIGN_NATS", default_value = "nats://127.0.0.1:4222")]
    nats: String,

    /// Name of the run in NATS
    #[arg(long, env = "FARSIGN_RUN", default_value = "farsign")]
    run: String,

    /// File with the NATS credentials of this role
    #[arg(long, env = "FARSIGN_NATS_CREDENTIALS")]
    nats_credentials: Option<PathBuf>,

    /// File with the seed of the nkey of this role
    #[arg(long, env = "FARSIGN_NATS_NKEY", conflicts_with = "nats_credentials")]
    nats_nkey: Option<PathBuf>,

    /// File with the certificate authority of the nats-servers; requires TLS
    #[arg(long, env = "FARSIGN_NATS_CA")]
    nats_ca: Option<PathBuf>,
}

/// Options of the streams of a new run.
#[derive(Debug, Args)]
pub struct StreamArgs {
    /// Servers that store each message of a new run: 1, 3 or 5
    #[arg(long, default_value_t = 3, value_parser = parse_replicas)]
    replicas: usize,

    /// Bytes of the log of a new run, at most
    #[arg(long, default_value_t = 17_179_869_184)]
    max_log_bytes: u64,
}

impl From<&StreamArgs> for StreamOptions {
    fn from(arguments: &StreamArgs) -> Self {
        Self {
            replicas: arguments.replicas,
            max_log_bytes: arguments.max_log_bytes,
        }
    }
}

fn parse_replicas(text: &str) -> Result<usize, String> {
    match text {
        "1" => Ok(1),
        "3" => Ok(3),
        "5" => Ok(5),
        found => Err(format!("expected 1, 3 or 5, found {found}")),
    }
}

/// Options of a role.
#[derive(Debug, Args)]
pub struct ClusterArgs {
    #[command(flatten)]
    nats: NatsArgs,

    /// Name of this process in logs and in NATS [default: role and process id]
    #[arg(long, env = "FARSIGN_NAME")]
    name: Option<String>,

    /// TOML file with settings, or `-` for standard input; flags and environment variables take precedence
    #[arg(long, env = "FARSIGN_CONFIG")]
    config: Option<PathBuf>,

    /// Format of the log on standard error; FARSIGN_LOG sets its level
    #[arg(long, value_enum, default_value_t, env = "FARSIGN_LOG_FORMAT")]
    pub log_format: LogFormat,
}

impl NatsArgs {
    /// Connects to the run, which need not exist, in a role. `name` is that of the connection.
    pub async fn connect(
        &self,
        role: &'static str,
        name: &str,
    ) -> Result<ClusterRun, ClusterError> {
        let names = RunNames::new(&self.run)?;
        let options = NatsOptions {
            servers: self.nats.clone(),
            credentials: self.nats_credentials.clone(),
            nkey: self.nats_nkey.clone(),
            authority: self.nats_ca.clone(),
            role,
        };
        let context = connect(&options, name).await?;
        Ok(ClusterRun::new(context, names))
    }
}

impl ClusterArgs {
    /// Returns the name of this process.
    pub fn name(&self, role: &str) -> String {
        let default = || format!("{role}-{}", std::process::id());
        self.name.clone().unwrap_or_else(default)
    }

    /// Connects to the run, which need not exist.
    pub async fn connect(&self, role: &'static str) -> Result<ClusterRun, ClusterError> {
        self.nats.connect(role, &self.name(role)).await
    }

    /// Returns the settings of flags, environment and file.
    pub fn settings(&self, given: Settings) -> anyhow::Result<Settings> {
        read_settings(self.config.as_deref(), given)
    }
}
