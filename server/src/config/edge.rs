//! Settings of the edge.

use std::time::Duration;

use super::Checker;
use crate::edge::EdgeLimits;
use crate::edge::tls::Tls;
use crate::settings::Settings;

/// Bounds on connections. The time a client has to read is the same for pages and for sessions.
pub fn limits(settings: &Settings, write_timeout: Duration, checker: &mut Checker) -> EdgeLimits {
    let range = ("1 to 1000000", |v| (1..=1_000_000).contains(&v));
    let mut count = |name, value, default| checker.number(name, value, default, range);
    let max_connections = count("max-connections", settings.max_connections, 20_000) as usize;
    let max_connections_per_address =
        count("max-connections-per-address", settings.max_connections_per_address, 256) as usize;
    let connections_per_minute = count("connections-per-minute", settings.connections_per_minute, 1200);
    let mut duration =
        |name, value, default| Duration::from_millis(checker.duration_ms(name, value, default).into());
    EdgeLimits {
        max_connections,
        max_connections_per_address,
        connections_per_minute,
        header_timeout: duration("header-timeout-ms", settings.header_timeout_ms, 10_000),
        idle_timeout: duration("idle-timeout-ms", settings.idle_timeout_ms, 90_000),
        write_timeout,
    }
}

/// TLS, when there is a certificate.
pub fn tls(settings: &Settings, checker: &mut Checker) -> Option<Tls> {
    match (&settings.tls_cert, &settings.tls_key) {
        (Some(certificate), Some(key)) => checker.made("tls-cert", Tls::read(certificate, key)),
        (None, None) => None,
        (given, _) => {
            let (given, missing) =
                if given.is_some() { ("tls-cert", "tls-key") } else { ("tls-key", "tls-cert") };
            checker.0.push(format!("{missing}: expected with {given}, found none"));
            None
        }
    }
}
