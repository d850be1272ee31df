//! Security headers of every response: other pages cannot embed this one, and it cannot use other servers.

use std::net::{Ipv4Addr, Ipv6Addr};

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::Response;

/// Headers of every response. They allow only what the page needs: Wasm, its own workers, and images that it creates.
const HEADERS: [(HeaderName, &str); 6] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; img-src 'self' data:; object-src 'none'; \
         base-uri 'none'; frame-ancestors 'none'; form-action 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::X_FRAME_OPTIONS, "DENY"), // for browsers without frame-ancestors
    (
        HeaderName::from_static("permissions-policy"),
        "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    ),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
];

/// Sent only to pages that came over TLS or from the machine itself. Browsers ignore it elsewhere, and report an error.
const CROSS_ORIGIN_OPENER_POLICY: HeaderName =
    HeaderName::from_static("cross-origin-opener-policy");

const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// HSTS for half a year. Sent only if the server terminates TLS; a proxy in front of it decides for itself.
const STRICT_TRANSPORT_SECURITY: &str = "max-age=15552000";

/// Adds the security headers to a response. `https` is whether the server terminates TLS.
pub async fn add(State(https): State<bool>, request: Request, next: Next) -> Response {
    let is_secure_context = https || is_secure_context(request.headers());
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if is_secure_context {
        let value = HeaderValue::from_static("same-origin");
        headers.insert(CROSS_ORIGIN_OPENER_POLICY, value);
    }
    if https {
        let value = HeaderValue::from_static(STRICT_TRANSPORT_SECURITY);
        headers.insert(header::STRICT_TRANSPORT_SECURITY, value);
    }
    response
}

/// Returns whether the browser trusts the connection of a request without TLS here: a proxy terminates TLS, or the
/// browser is on this machine. A false header affects only the response to its sender.
fn is_secure_context(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let by_proxy = text(FORWARDED_PROTO).is_some_and(|list| {
        let of_client = list.split(',').next().unwrap_or_default();
        of_client.trim().eq_ignore_ascii_case("https")
    });
    by_proxy || text(header::HOST).is_some_and(is_loopback)
}

/// Returns whether the value of `Host` is this machine's own name or address, as browsers define it.
fn is_loopback(authority: &str) -> bool {
    if let Some(rest) = authority.strip_prefix('[') {
        let address = rest.split(']').next().unwrap_or_default();
        return address
            .parse()
            .is_ok_and(|address: Ipv6Addr| address.is_loopback());
    }
    let name = authority.split(':').next().unwrap_or_default();
    let name = name.to_ascii_lowercase();
    name == "localhost"
        || name.ends_with(".localhost")
        || name
            .parse()
            .is_ok_and(|address: Ipv4Addr| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_secure(headers: &[(HeaderName, &'static str)]) -> bool {
        let header = |(name, value): &(HeaderName, &'static str)| {
            (name.clone(), HeaderValue::from_static(value))
        };
        is_secure_context(&headers.iter().map(header).collect())
    }

    #[test]
    fn own_machine_is_secure_context() {
        for own in [
            "localhost",
            "LOCALHOST:8080",
            "run.localhost:8080",
            "127.0.0.1:8080",
            "127.1.2.3",
            "[::1]",
            "[::1]:8080",
        ] {
            assert!(is_secure(&[(header::HOST, own)]), "{own}");
        }
        for other in [
            "192.0.2.1:8080",
            "farsign.example",
            "0.0.0.0:8080",
            "[2001:db8::1]:8080",
            "localhost.example",
            "127.0.0.1.example",
            "",
        ] {
            assert!(!is_secure(&[(header::HOST, other)]), "{other}");
        }
        assert!(!is_secure(&[]));
    }

    #[test]
    fn proxy_with_tls_is_secure_context() {
        for (forwarded, is_tls) in [
            ("https", true),
            ("HTTPS, http", true),
            ("http", false),
            ("http, https", false),
            ("", false),
        ] {
            let named = (header::HOST, "farsign.example");
            assert_eq!(
                is_secure(&[named, (FORWARDED_PROTO, forwarded)]),
                is_tls,
                "{forwarded:?}"
            );
        }
    }
}
