//! Options of connections and sessions, from settings.

use std::num::NonZeroU64;
use std::time::Duration;

use crate::config::milliseconds;
use crate::config::settings::Settings;
use crate::config::validate::Validator;
use crate::net::egress::EgressLimits;
use crate::net::listener::ConnectionLimits;
use crate::net::tls::TlsConfig;
use crate::state::SessionLimits;

/// Smallest limit on the sent bytes a second. Less would not carry the page.
const MIN_EGRESS_BYTES: u64 = 10_000;

/// Builds the limits of connections. The write timeout is that of sessions.
pub(super) fn connection_limits(
    settings: &Settings,
    write_timeout: Duration,
    validator: &mut Validator,
) -> ConnectionLimits {
    ConnectionLimits {
        max_connections: settings.max_connections(validator) as usize,
        max_connections_per_address: settings.max_connections_per_address(validator) as usize,
        connections_per_minute: settings.connections_per_minute(validator),
        header_timeout: milliseconds(settings.header_timeout_ms(validator)),
        idle_timeout: milliseconds(settings.idle_timeout_ms(validator)),
        write_timeout,
    }
}

/// Builds the limits on sent bytes. `None` where none is set.
pub(super) fn egress_limits(settings: &Settings, validator: &mut Validator) -> EgressLimits {
    let mut limit = |name, bytes: Option<u64>| {
        bytes.and_then(|bytes| {
            NonZeroU64::new(validator.in_range(name, bytes, MIN_EGRESS_BYTES, u64::MAX, ""))
        })
    };
    EgressLimits {
        total: limit(
            "max_egress_bytes_per_second",
            settings.max_egress_bytes_per_second,
        ),
        per_address: limit(
            "max_egress_bytes_per_second_per_address",
            settings.max_egress_bytes_per_second_per_address,
        ),
    }
}

/// Builds the limits of sessions.
pub(super) fn session_limits(settings: &Settings, validator: &mut Validator) -> SessionLimits {
    SessionLimits {
        task_timeout: milliseconds(settings.task_timeout_ms(validator)),
        hello_timeout: milliseconds(settings.hello_timeout_ms(validator)),
        write_timeout: milliseconds(settings.write_timeout_ms(validator)),
        ping_interval: milliseconds(settings.ping_interval_ms(validator)),
    }
}

/// Reads the certificate and its key; `None` without TLS.
pub(super) fn tls(settings: &Settings, validator: &mut Validator) -> Option<TlsConfig> {
    match (&settings.tls_cert, &settings.tls_key) {
        (Some(certificate), Some(key)) => {
            validator.ok("tls-cert", TlsConfig::read(certificate, key))
        }
        (None, None) => None,
        (given, _) => {
            let (given, missing) = if given.is_some() {
                ("tls-cert", "tls-key")
            } else {
                ("tls-key", "tls-cert")
            };
            validator.error(format!("{missing}: expected with {given}, found none"));
            None
        }
    }
}
