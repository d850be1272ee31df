//! Settings of the server, from a flag, else from the environment, else from a TOML file.
//!
//! Names and units are the same everywhere: `--task-timeout-ms`, `FARSIGN_TASK_TIMEOUT_MS`, `task-timeout-ms = …`.
//! This module checks only types; [`crate::config`] validates the values and reports all errors at once.

use std::path::PathBuf;

use clap::ValueEnum;
use farsign::dataset::PixelOrder;
use serde::{Deserialize, Serialize};
use toml::Spanned;
use toml::de::DeTable;

use crate::config::toml_value;
use crate::config::validate::Validator;
use crate::data::loader::DataSource;
use crate::net::listen_address::ListenAddress;

/// Declares each setting once: field, type, range, default, environment variable, help. A range and a default generate
/// their part of the help and a method that returns the validated value:
///
/// ```text
///   in MIN to MAX = DEFAULT        integers and numbers, both bounds included
///   from MIN = DEFAULT             counts up to the largest integer of TOML, in which pinned settings are saved
///   above 0 = DEFAULT              any finite number
///   above 0 to MAX = DEFAULT       the upper bound included
/// ```
macro_rules! settings {
    ($(
        $name:ident: $kind:ident
            $(in $min:literal to $max:literal = $in_default:literal)?
            $(from $least:literal = $from_default:literal)?
            $(above $low:literal $(to $high:literal)? = $above_default:literal)?,
            $env:literal, $help:literal;
    )*) => {
        /// Settings of `farsign serve`. A setting that is `None` takes its default.
        #[derive(Clone, Debug, Default, PartialEq, clap::Args, Serialize, Deserialize)]
        #[allow(rustdoc::bare_urls)]
        #[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
        pub struct Settings {
            $(
                #[doc = $help]
                #[arg(long, env = $env, hide_env_values = true, help = concat!(
                    $help
                    $(, ", ", $min, " to ", $max, " [default: ", $in_default, "]")?
                    $(, " [default: ", $from_default, "]")?
                    $(, ", above ", $low $(, " and at most ", $high)?, " [default: ", $above_default, "]")?
                ))]
                #[serde(with = "toml_value", skip_serializing_if = "Option::is_none")]
                pub $name: Option<$kind>,
            )*
        }

        impl Settings {
            /// Returns these settings, completed by those of `other`.
            #[must_use]
            pub fn or(self, other: Self) -> Self {
                Self { $($name: self.$name.or(other.$name),)* }
            }
        }

        /// Validated values of settings with a range, or their defaults.
        impl Settings {
            $(
                $(
                    pub(super) fn $name(&self, validator: &mut Validator) -> $kind {
                        let value = self.$name.unwrap_or($in_default);
                        validator.in_range(stringify!($name), value, $min, $max, "")
                    }
                )?
                $(
                    pub(super) fn $name(&self, validator: &mut Validator) -> $kind {
                        let value = self.$name.unwrap_or($from_default);
                        let max = <$kind>::try_from(i64::MAX).unwrap_or(<$kind>::MAX);
                        validator.in_range(stringify!($name), value, $least, max, "")
                    }
                )?
                $(
                    #[allow(clippy::unnecessary_cast)] // whole numbers are written without a fraction, for the help
                    pub(super) fn $name(&self, validator: &mut Validator) -> $kind {
                        let value = self.$name.unwrap_or($above_default as $kind);
                        let max: &[$kind] = &[$($high as $kind)?];
                        validator.positive(stringify!($name), value, max.first().copied())
                    }
                )?
            )*
        }
    };
}

settings! {
    listen: ListenAddress, "FARSIGN_LISTEN",
        "HOST:PORT to listen on, on all addresses of a name [default: 127.0.0.1:8080; use 0.0.0.0:8080 to accept other machines]";
    tls_cert: PathBuf, "FARSIGN_TLS_CERT",
        "PEM file with the TLS certificate, followed by those of its authorities [default: no TLS]";
    tls_key: PathBuf, "FARSIGN_TLS_KEY",
        "PEM file with the private key of the certificate";
    data: PathBuf, "FARSIGN_DATA",
        "Folder with four IDX files [default: the built-in 10,000 digits]";
    pixel_order: PixelOrderKind, "FARSIGN_PIXEL_ORDER",
        "Order in which the files of --data store the pixels of an image: rows, or columns as in EMNIST, whose images are on their side otherwise [default: rows]";
    model: ModelKind, "FARSIGN_MODEL",
        "Model to train [default: mlp]";
    hidden: u32 in 1 to 65_536 = 128, "FARSIGN_HIDDEN",
        "Units of the hidden layer of mlp";
    order: OrderKind, "FARSIGN_ORDER",
        "What volunteers compute: gradients (first), or losses only (zeroth, gradient-free) [default: first]";
    rule: RuleKind, "FARSIGN_RULE",
        "How an update moves the model [default: verified]";
    verify_probability: f64 above 0 to 1 = 0.02, "FARSIGN_VERIFY_PROBABILITY",
        "Probability that an update is sampled for verification, six times that for new volunteers";
    verify_cpu_fraction: f64 in 0.001 to 1.0 = 0.5, "FARSIGN_VERIFY_CPU_FRACTION",
        "Fraction of one core that verification may use";
    verify_memory_bytes: u64 from 1 = 268_435_456, "FARSIGN_VERIFY_MEMORY_BYTES",
        "Memory for updates that wait for verification, in bytes";
    directions: FamilyKind, "FARSIGN_DIRECTIONS",
        "Family of directions [default: coordinate in first order, sparse in zeroth order]";
    direction_count: u32, "FARSIGN_DIRECTION_COUNT",
        "Directions of a task [default: one per parameter in first order, 64 in zeroth order]";
    direction_block: u32, "FARSIGN_DIRECTION_BLOCK",
        "Coordinates of a hadamard block, a power of two [default: 64]";
    direction_nonzeros: u32, "FARSIGN_DIRECTION_NONZEROS",
        "Coordinates of a sparse direction [default: 32]";
    direction_reuse: u32 from 1 = 1, "FARSIGN_DIRECTION_REUSE",
        "Consecutive tasks of a volunteer that share directions in zeroth order";
    batch: u32, "FARSIGN_BATCH",
        "Images per minibatch, 1 to 65536 [default: 128; 512 under plain and vote; 256 in zeroth order]";
    beta: f32 above 0 to 1 = 0.3, "FARSIGN_BETA",
        "Fast step size: weight of the newest estimate in a volunteer's momentum";
    delta: f32 in 0.000_001 to 1000.0 = 0.01, "FARSIGN_DELTA",
        "Finite-difference radius of zeroth order";
    alpha: f64, "FARSIGN_ALPHA",
        "Slow step size of the first update, above 0 [default: 0.001 softmax, 0.0005 mlp; 0.02 in zeroth order; 0.3 times that under vote]";
    schedule: ScheduleKind, "FARSIGN_SCHEDULE",
        "Decay of the slow step size [default: cosine]";
    horizon: f64 above 0 = 10_000, "FARSIGN_HORIZON",
        "Updates, by weight, until the cosine schedule ends and the model is finished";
    power_offset: f64 above 0 = 1000, "FARSIGN_POWER_OFFSET",
        "Updates until the power law sets in";
    power_exponent: f64 above 0 = 0.75, "FARSIGN_POWER_EXPONENT",
        "Exponent of the power law";
    vote_gamma: f32 above 0 to 1 = 0.04, "FARSIGN_VOTE_GAMMA",
        "Rate at which votes replace older ones";
    minibatch_window: u64 from 1 = 25, "FARSIGN_MINIBATCH_WINDOW",
        "Updates that share a minibatch under vote";
    seed: u64, "FARSIGN_SEED",
        "Seed of the initial parameters and, under vote, of the directions [default: random]";
    evaluate_every: u64 from 1 = 20, "FARSIGN_EVALUATE_EVERY",
        "Accepted updates between evaluations on the held-out data";
    max_connections: u32 in 1 to 1_000_000 = 20_000, "FARSIGN_MAX_CONNECTIONS",
        "Concurrent connections";
    max_connections_per_address: u32 in 1 to 1_000_000 = 256, "FARSIGN_MAX_CONNECTIONS_PER_ADDRESS",
        "Concurrent connections of one IPv4 address or IPv6 /64";
    connections_per_minute: u32 in 1 to 1_000_000 = 1200, "FARSIGN_CONNECTIONS_PER_MINUTE",
        "New connections per minute of one address";
    max_egress_bytes_per_second: u64, "FARSIGN_MAX_EGRESS_BYTES_PER_SECOND",
        "Bytes that the server sends in a second, at least 10000: near the limit tasks wait, then joins [default: no limit]";
    max_egress_bytes_per_second_per_address: u64, "FARSIGN_MAX_EGRESS_BYTES_PER_SECOND_PER_ADDRESS",
        "The same for the connections of one IPv4 address or IPv6 /64 [default: no limit]";
    header_timeout_ms: u32 in 100 to 86_400_000 = 10_000, "FARSIGN_HEADER_TIMEOUT_MS",
        "Time for the first request of a connection, TLS handshake included, in ms";
    idle_timeout_ms: u32 in 100 to 86_400_000 = 90_000, "FARSIGN_IDLE_TIMEOUT_MS",
        "Time between two requests of a connection, in ms; hidden browser tabs wake once a minute";
    max_volunteers: u32 in 1 to 100_000 = 1000, "FARSIGN_MAX_VOLUNTEERS",
        "Concurrent volunteers";
    max_volunteers_per_address: u32 in 1 to 100_000 = 100, "FARSIGN_MAX_VOLUNTEERS_PER_ADDRESS",
        "Concurrent volunteers of one IPv4 address or IPv6 /64";
    joins_per_minute: u32 in 1 to 1_000_000 = 240, "FARSIGN_JOINS_PER_MINUTE",
        "New sessions per minute of one address";
    allow_origin: String, "FARSIGN_ALLOW_ORIGIN",
        "Origins besides the server's own whose pages may open sessions, comma-separated, like https://example.org";
    trusted_proxy: String, "FARSIGN_TRUSTED_PROXY",
        "Proxies whose X-Forwarded-For is trusted: addresses or ranges like 10.0.0.0/8, comma-separated";
    join_token: String, "FARSIGN_JOIN_TOKEN",
        "Token that every volunteer must send, 1 to 64 bytes without control characters [default: none]";
    ban_file: PathBuf, "FARSIGN_BAN_FILE",
        "File of bans [default: none, bans are lost on restart]";
    admin_token: String, "FARSIGN_ADMIN_TOKEN",
        "Token of the admin API under /api/v1/admin, at least 16 printable ASCII characters [default: none, the API is disabled]";
    task_timeout_ms: u32 in 100 to 86_400_000 = 120_000, "FARSIGN_TASK_TIMEOUT_MS",
        "Time for a volunteer to complete a task, in ms";
    hello_timeout_ms: u32 in 100 to 86_400_000 = 10_000, "FARSIGN_HELLO_TIMEOUT_MS",
        "Time for the first message of a session, in ms";
    write_timeout_ms: u32 in 100 to 86_400_000 = 20_000, "FARSIGN_WRITE_TIMEOUT_MS",
        "Time for a client to read sent data, in ms";
    ping_interval_ms: u32 in 100 to 86_400_000 = 30_000, "FARSIGN_PING_INTERVAL_MS",
        "Time between two pings of a session, in ms";
    retry_after_ms: u32 in 100 to 86_400_000 = 5000, "FARSIGN_RETRY_AFTER_MS",
        "Retry delay sent to rejected volunteers, in ms";
    drain_timeout_ms: u32 in 100 to 86_400_000 = 5000, "FARSIGN_DRAIN_TIMEOUT_MS",
        "Time for open sessions to end when the server stops, in ms";
    state: PathBuf, "FARSIGN_STATE",
        "Folder to save the run in and to resume it from [default: the run is not saved]";
    checkpoint_every: u64 from 1 = 500, "FARSIGN_CHECKPOINT_EVERY",
        "Accepted updates between checkpoints";
    state_retention_bytes: u64 from 1 = 268_435_456, "FARSIGN_STATE_RETENTION_BYTES",
        "Bytes of saved updates and checkpoints to keep";
}

/// Orders of the pixels of an image in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PixelOrderKind {
    /// Row by row, as MNIST.
    Rows,
    /// Column by column, as EMNIST.
    Columns,
}

impl From<PixelOrderKind> for PixelOrder {
    fn from(kind: PixelOrderKind) -> Self {
        match kind {
            PixelOrderKind::Rows => Self::Rows,
            PixelOrderKind::Columns => Self::Columns,
        }
    }
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

/// Orders of the information that volunteers compute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OrderKind {
    /// Gradients.
    First,
    /// Losses only.
    Zeroth,
}

/// Rules by which an update moves the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RuleKind {
    /// As plain, and a random sample of updates is recomputed; a false one ejects its sender.
    Verified,
    /// Every update is a step of its own.
    Plain,
    /// Updates move a running vote, whose sign the step follows.
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

/// Schedules of the slow step size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ScheduleKind {
    /// Half a cosine, to zero at the horizon.
    Cosine,
    /// No decay; the run has no end.
    Constant,
    /// A power of the accepted weight; the run has no end.
    PowerLaw,
}

toml_value::plain_values!(
    ModelKind,
    PixelOrderKind,
    OrderKind,
    RuleKind,
    FamilyKind,
    ScheduleKind,
);

impl Settings {
    /// Parses settings from TOML, each key on its own, so that every error is found.
    ///
    /// # Errors
    /// Returns all errors of the text, each with its key.
    pub fn from_toml(text: &str) -> Result<Self, Vec<String>> {
        let table = DeTable::parse(text).map_err(|error| vec![error.to_string()])?;
        let mut settings = Self::default();
        let mut errors = Vec::new();
        for (key, value) in table.into_inner() {
            let name = key.get_ref().to_string();
            let span = key.span();
            let alone = Spanned::new(span, DeTable::from_iter([(key, value)]));
            match Self::deserialize(toml::Deserializer::from(alone)) {
                Ok(setting) => settings = settings.or(setting),
                Err(error) => {
                    errors.push(format!("{name}: {}", error.message().replace('\n', " ")));
                }
            }
        }
        if errors.is_empty() {
            Ok(settings)
        } else {
            Err(errors)
        }
    }

    /// Returns where the data is, and how its files are read.
    pub fn data_source(&self) -> DataSource {
        DataSource {
            folder: self.data.clone(),
            pixel_order: self.pixel_order.map(PixelOrder::from),
        }
    }

    /// Returns these settings as TOML.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("settings are plain values")
    }
}

#[cfg(test)]
mod tests {
    use clap::{Args as _, Command};
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn toml_reports_every_invalid_key() {
        let text = "batch = 64\nmodel = \"cnn\"\nbatchsize = 1\nbeta = \"x\"\n";
        let errors = Settings::from_toml(text).unwrap_err();
        assert_eq!(errors.len(), 3, "{errors:?}");
        for (key, hint) in [
            ("batchsize", "unknown field"),
            ("beta", "f32"),
            ("model", "`softmax`"),
        ] {
            assert!(
                errors
                    .iter()
                    .any(|m| m.starts_with(key) && m.contains(hint)),
                "{key} in {errors:?}"
            );
        }
    }

    #[test]
    fn flags_override_file() {
        let file = Settings::from_toml("batch = 64\nbeta = 0.5\nmodel = \"softmax\"").unwrap();
        let flags = Settings {
            batch: Some(32),
            ..Settings::default()
        };
        let merged = flags.or(file);
        assert_eq!(
            (merged.batch, merged.beta, merged.model),
            (Some(32), Some(0.5), Some(ModelKind::Softmax))
        );
        assert_eq!(Settings::from_toml(&merged.to_toml()).unwrap(), merged);
    }

    #[test]
    fn help_states_range_and_default() {
        let help = Settings::augment_args(Command::new("serve"))
            .render_long_help()
            .to_string();
        for part in [
            "Units of the hidden layer of mlp, 1 to 65536 [default: 128]",
            "momentum, above 0 and at most 1 [default: 0.3]",
            "model is finished, above 0 [default: 10000]",
            "between checkpoints [default: 500]",
        ] {
            assert!(help.contains(part), "{part} in {help}");
        }
    }

    fn read_back(settings: &Settings) -> Settings {
        let text = settings.to_toml();
        Settings::from_toml(&text).unwrap_or_else(|errors| panic!("{errors:?} in {text}"))
    }

    proptest! {
        #[test]
        fn printed_settings_are_read_back(
            seed in any::<Option<u64>>(),
            memory in any::<Option<u64>>(),
            alpha in any::<Option<f64>>(),
            beta in any::<Option<f32>>(),
            hidden in any::<Option<u32>>(),
            token in any::<Option<String>>(),
            data in proptest::option::of("\\PC*"),
        ) {
            let settings = Settings {
                seed,
                verify_memory_bytes: memory,
                alpha: alpha.filter(|alpha| !alpha.is_nan()), // not equal to itself
                beta: beta.filter(|beta| !beta.is_nan()),
                hidden,
                join_token: token,
                data: data.map(Into::into),
                model: Some(ModelKind::Mlp),
                listen: Some("localhost:0".parse().unwrap()),
                ..Settings::default()
            };
            prop_assert_eq!(read_back(&settings), settings);
        }
    }

    #[cfg(unix)]
    proptest! {
        #[test]
        fn every_path_is_read_back(bytes in proptest::collection::vec(1u8.., 0..40)) {
            let path: std::ffi::OsString = std::os::unix::ffi::OsStringExt::from_vec(bytes);
            let settings = Settings {
                data: Some(path.into()),
                ..Settings::default()
            };
            prop_assert_eq!(read_back(&settings), settings);
        }
    }

    #[test]
    fn large_integers_need_no_quotes() {
        for text in ["18446744073709551615", "\"18446744073709551615\""] {
            let settings = Settings::from_toml(&format!("seed = {text}\nbatch = 64")).unwrap();
            assert_eq!((settings.seed, settings.batch), (Some(u64::MAX), Some(64)));
        }
    }

    #[test]
    fn invalid_integer_is_an_error() {
        for text in ["-1", "18446744073709551616", "\"many\"", "1.5", "true"] {
            let errors = Settings::from_toml(&format!("seed = {text}")).unwrap_err();
            let [error] = &errors[..] else {
                panic!("{errors:?}")
            };
            assert!(
                error.starts_with("seed: ") && error.contains("0 to 18446744073709551615"),
                "{error}"
            );
        }
    }
}
