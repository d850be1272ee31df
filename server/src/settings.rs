//! What a host can set, and where it comes from: a flag, else the environment, else the TOML file.
//!
//! Names and units are the same everywhere: `--task-expiry-ms`, `FARSIGN_TASK_EXPIRY_MS`, `task-expiry-ms = …`.
//! Nothing is checked here but types; [`crate::config`] turns settings into a run and reports all mistakes at once.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// Declares the settings once: field, type, environment variable, help.
macro_rules! settings {
    ($($(#[doc = $help:literal])* $name:ident: $kind:ty, $env:literal;)*) => {
        /// Settings of `farsign serve`; what is absent takes its default.
        #[derive(Clone, Debug, Default, PartialEq, clap::Args, Serialize, Deserialize)]
        #[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
        pub struct Settings {
            $($(#[doc = $help])*
            #[arg(long, env = $env, hide_env_values = true)]
            #[serde(skip_serializing_if = "Option::is_none")]
            pub $name: Option<$kind>,)*
        }

        impl Settings {
            /// These settings, and `other`'s where these have none.
            #[must_use]
            pub fn or(self, other: Self) -> Self {
                Self { $($name: self.$name.or(other.$name),)* }
            }
        }
    };
}

settings! {
    /// Address and port to listen on [default: 127.0.0.1:8080; 0.0.0.0:8080 for other machines to reach it]
    listen: SocketAddr, "FARSIGN_LISTEN";
    /// File with the certificate for TLS, in PEM form, its authorities' behind it [default: no TLS]
    tls_cert: PathBuf, "FARSIGN_TLS_CERT";
    /// File with the certificate's private key, in PEM form
    tls_key: PathBuf, "FARSIGN_TLS_KEY";
    /// Folder with four IDX files [default: the built-in 10,000 digits]
    data: PathBuf, "FARSIGN_DATA";
    /// Model to train [default: mlp]
    model: ModelKind, "FARSIGN_MODEL";
    /// Units of the mlp's one hidden layer, 1 to 65536 [default: 128]
    hidden: u32, "FARSIGN_HIDDEN";
    /// What volunteers compute: gradients (first) or losses only (zeroth) [default: first]
    order: OrderKind, "FARSIGN_ORDER";
    /// How a contribution moves the model [default: verified]
    rule: RuleKind, "FARSIGN_RULE";
    /// Under verified, probability with which an answer is picked to be computed again; six times that for newcomers [default: 0.02]
    check_share: f64, "FARSIGN_CHECK_SHARE";
    /// Share of one core that checks may take, above 0 and at most 1 [default: 0.5]
    check_cpu_share: f64, "FARSIGN_CHECK_CPU_SHARE";
    /// Memory for answers that wait for their check, in bytes [default: 268435456]
    check_memory_bytes: u64, "FARSIGN_CHECK_MEMORY_BYTES";
    /// Family of directions [default: coordinate in first order, sparse in zeroth order]
    directions: FamilyKind, "FARSIGN_DIRECTIONS";
    /// Directions of a task [default: one for each parameter in first order, 64 in zeroth order]
    direction_count: u32, "FARSIGN_DIRECTION_COUNT";
    /// Coordinates of a hadamard block, a power of two [default: 64]
    direction_block: u32, "FARSIGN_DIRECTION_BLOCK";
    /// Coordinates of a sparse direction [default: 32]
    direction_nonzeros: u32, "FARSIGN_DIRECTION_NONZEROS";
    /// Tasks of a volunteer that share directions in zeroth order [default: 1]
    direction_hold: u32, "FARSIGN_DIRECTION_HOLD";
    /// Images in a minibatch, 1 to 65536 [default: 128; 512 under plain and vote; 256 in zeroth order]
    batch: u32, "FARSIGN_BATCH";
    /// Fast step size: weight of a volunteer's newest estimate, above 0 and at most 1 [default: 0.3]
    beta: f32, "FARSIGN_BETA";
    /// Finite-difference radius of zeroth order, above 0 [default: 0.01]
    delta: f32, "FARSIGN_DELTA";
    /// Slow step size of the first contribution [default: 0.001 softmax, 0.0005 mlp; 0.02 in zeroth order; 0.3 times that under vote]
    alpha: f64, "FARSIGN_ALPHA";
    /// How the slow step size falls [default: cosine]
    schedule: ScheduleKind, "FARSIGN_SCHEDULE";
    /// Contributions (by weight) until the cosine schedule ends and the model is finished [default: 10000]
    horizon: f64, "FARSIGN_HORIZON";
    /// Contributions until the power law sets in [default: 1000]
    power_offset: f64, "FARSIGN_POWER_OFFSET";
    /// Exponent of the power law [default: 0.75]
    power_exponent: f64, "FARSIGN_POWER_EXPONENT";
    /// Rate at which votes replace older ones, above 0 and at most 1 [default: 0.04]
    vote_gamma: f32, "FARSIGN_VOTE_GAMMA";
    /// Contributions that share a minibatch under vote [default: 25]
    minibatch_window: u64, "FARSIGN_MINIBATCH_WINDOW";
    /// Seed of the initial parameters and of all tasks [default: random]
    seed: u64, "FARSIGN_SEED";
    /// Accepted contributions between two evaluations on the held-out data [default: 20]
    evaluate_every: u64, "FARSIGN_EVALUATE_EVERY";
    /// Most connections at a time, 1 to 1000000 [default: 20000]
    max_connections: u32, "FARSIGN_MAX_CONNECTIONS";
    /// Most connections of one address (IPv4), or of one network of 64 bits (IPv6), at a time [default: 256]
    max_connections_per_address: u32, "FARSIGN_MAX_CONNECTIONS_PER_ADDRESS";
    /// Most connections that one address may begin in a minute, 1 to 1000000 [default: 1200]
    connections_per_minute: u32, "FARSIGN_CONNECTIONS_PER_MINUTE";
    /// Time a connection has for its first request, TLS included, in ms [default: 10000]
    header_timeout_ms: u32, "FARSIGN_HEADER_TIMEOUT_MS";
    /// Time a connection may rest between two requests, in ms; hidden browser tabs wake once a minute [default: 90000]
    idle_timeout_ms: u32, "FARSIGN_IDLE_TIMEOUT_MS";
    /// Most volunteers at a time, 1 to 100000 [default: 1000]
    max_volunteers: u32, "FARSIGN_MAX_VOLUNTEERS";
    /// Most volunteers of one address (IPv4), or of one network of 64 bits (IPv6), at a time [default: 100]
    max_volunteers_per_address: u32, "FARSIGN_MAX_VOLUNTEERS_PER_ADDRESS";
    /// Most sessions that one address may begin in a minute, 1 to 1000000 [default: 240]
    joins_per_minute: u32, "FARSIGN_JOINS_PER_MINUTE";
    /// Pages that may open sessions besides the server's own: origins like https://example.org, with commas between
    allow_origin: String, "FARSIGN_ALLOW_ORIGIN";
    /// Proxies that say in X-Forwarded-For whom they speak for: addresses or ranges like 10.0.0.0/8, with commas between
    trusted_proxy: String, "FARSIGN_TRUSTED_PROXY";
    /// Token that every volunteer has to know, 1 to 64 bytes [default: none, anybody may join]
    join_token: String, "FARSIGN_JOIN_TOKEN";
    /// File that bans are kept in [default: none, a restart forgets them]
    ban_file: PathBuf, "FARSIGN_BAN_FILE";
    /// Token for the host's own API under /api/v1/admin, at least 16 bytes [default: none, there is no such API]
    admin_token: String, "FARSIGN_ADMIN_TOKEN";
    /// Time a volunteer has for a task before its place is freed, 1000 to 86400000 ms [default: 120000]
    task_expiry_ms: u32, "FARSIGN_TASK_EXPIRY_MS";
    /// Time a connection has for its first message, in ms [default: 10000]
    hello_timeout_ms: u32, "FARSIGN_HELLO_TIMEOUT_MS";
    /// Time a volunteer has to read what it was sent, in ms [default: 20000]
    write_timeout_ms: u32, "FARSIGN_WRITE_TIMEOUT_MS";
    /// Time between two pings of a connection, in ms [default: 30000]
    ping_interval_ms: u32, "FARSIGN_PING_INTERVAL_MS";
    /// Time a volunteer that was turned away is told to wait, in ms [default: 5000]
    retry_after_ms: u32, "FARSIGN_RETRY_AFTER_MS";
    /// Time open sessions have to end when the server stops, in ms [default: 5000]
    drain_timeout_ms: u32, "FARSIGN_DRAIN_TIMEOUT_MS";
    /// Folder to save the run in, and to go on from [default: the run is not saved]
    state: PathBuf, "FARSIGN_STATE";
    /// Accepted contributions from one saved checkpoint to the next [default: 500]
    checkpoint_every: u64, "FARSIGN_CHECKPOINT_EVERY";
    /// Bytes of saved contributions and checkpoints to keep [default: 268435456]
    state_retention_bytes: u64, "FARSIGN_STATE_RETENTION_BYTES";
}

/// Models.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ModelKind {
    /// Softmax regression.
    Softmax,
    /// One hidden layer with ReLU.
    Mlp,
}

/// What volunteers compute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OrderKind {
    /// Gradients.
    First,
    /// Losses only.
    Zeroth,
}

/// How a contribution moves the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RuleKind {
    /// As plain, and answers picked at random are computed again; a wrong one removes its sender.
    Verified,
    /// Every contribution is a step of its own.
    Plain,
    /// Contributions move a running vote, whose sign the step follows.
    Vote,
}

/// Families of directions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FamilyKind {
    /// Coordinate axes.
    Coordinate,
    /// Randomized Hadamard transform in blocks.
    Hadamard,
    /// Dense random signs.
    Rademacher,
    /// Random signs on a few coordinates.
    Sparse,
}

/// How the slow step size falls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ScheduleKind {
    /// Half a cosine, to zero at the horizon.
    Cosine,
    /// Not at all; the run has no end.
    Constant,
    /// As a power of the accepted weight; the run has no end.
    PowerLaw,
}

impl Settings {
    /// Reads settings from TOML. Each key is read on its own, so that every mistake is found.
    ///
    /// # Errors
    /// All mistakes of the text, each naming its key.
    pub fn from_toml(text: &str) -> Result<Self, Vec<String>> {
        let table: toml::Table = text.parse().map_err(|error: toml::de::Error| vec![error.to_string()])?;
        let (mut settings, mut mistakes) = (Self::default(), Vec::new());
        for (key, value) in table {
            let alone = toml::Table::from_iter([(key.clone(), value)]);
            match alone.try_into::<Self>() {
                Ok(one) => settings = settings.or(one),
                Err(error) => mistakes.push(format!("{key}: {}", error.message().replace('\n', " "))),
            }
        }
        if mistakes.is_empty() { Ok(settings) } else { Err(mistakes) }
    }

    /// These settings as TOML.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("settings are plain values")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn toml_reports_every_mistake_with_its_key() {
        let text = "batch = 64\nmodel = \"cnn\"\nbatchsize = 1\nbeta = \"x\"\n";
        let mistakes = Settings::from_toml(text).unwrap_err();
        assert_eq!(mistakes.len(), 3, "{mistakes:?}");
        for (key, hint) in [("batchsize", "unknown field"), ("beta", "f32"), ("model", "`softmax`")] {
            assert!(mistakes.iter().any(|m| m.starts_with(key) && m.contains(hint)), "{key} in {mistakes:?}");
        }
    }

    #[test]
    fn flags_win_over_the_file_and_both_survive_a_round_trip() {
        let file = Settings::from_toml("batch = 64\nbeta = 0.5\nmodel = \"softmax\"").unwrap();
        let flags = Settings { batch: Some(32), ..Settings::default() };
        let merged = flags.or(file);
        assert_eq!(
            (merged.batch, merged.beta, merged.model),
            (Some(32), Some(0.5), Some(ModelKind::Softmax))
        );
        assert_eq!(Settings::from_toml(&merged.to_toml()).unwrap(), merged);
    }
}
