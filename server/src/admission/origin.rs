//! The origins whose pages may open a session.
//!
//! Browsers send the origin of the page that opens a WebSocket in `Origin`. Without this check, any page on the
//! internet could make its visitors' browsers compute for this server, or reach a server in their private network.

/// Returns an origin as a browser writes it, up to upper case and a trailing slash.
fn normalized(origin: &str) -> String {
    origin.trim().trim_end_matches('/').to_ascii_lowercase()
}

/// The allowed origins besides the server's own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origins(Vec<String>);

/// A text that is not an origin.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected origins like https://example.org, separated by commas, found {found:?}")]
pub struct ParseOriginError {
    found: String,
}

impl Origins {
    /// Parses a comma-separated list.
    ///
    /// # Errors
    /// Returns an error if an element is not an origin.
    pub fn read(list: &str) -> Result<Self, ParseOriginError> {
        let read = |part: &str| match authority(&normalized(part)) {
            Some(authority) if !authority.is_empty() && !authority.contains('/') => {
                Ok(normalized(part))
            }
            _ => Err(ParseOriginError {
                found: part.trim().to_owned(),
            }),
        };
        list.split(',')
            .map(read)
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Returns whether a page of this origin may open a session at this `Host`. Clients without an origin are not
    /// browsers, and are allowed.
    pub fn allows(&self, origin: Option<&str>, host: Option<&str>) -> bool {
        let Some(origin) = origin.map(normalized) else {
            return true;
        };
        let own = authority(&origin).zip(host).is_some_and(|(of_page, host)| {
            without_default_port(of_page) == without_default_port(&host.to_ascii_lowercase())
        });
        own || self.0.contains(&origin)
    }
}

fn authority(origin: &str) -> Option<&str> {
    origin
        .strip_prefix("https://")
        .or_else(|| origin.strip_prefix("http://"))
}

/// Removes the default port, which proxies may write or omit.
fn without_default_port(authority: &str) -> &str {
    let bare = authority
        .strip_suffix(":443")
        .or_else(|| authority.strip_suffix(":80"));
    bare.unwrap_or(authority)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn default_allows_own_page_only() {
        let none = Origins::default();
        let allow = |origin, host| none.allows(origin, Some(host));
        assert!(allow(None, "h:8080"), "a native client");
        for (origin, host) in [
            ("http://h:8080", "h:8080"),
            ("https://H", "h"),
            ("https://h", "h:443"),
            ("http://[::1]:8080", "[::1]:8080"),
        ] {
            assert!(allow(Some(origin), host), "{origin} at {host}");
        }
        for (origin, host) in [
            ("http://h:8081", "h:8080"),
            ("https://evil.example", "h"),
            ("https://h.evil.example", "h"),
            ("https://evil-h", "h"),
            ("null", "h"),
            ("null", "null"),
            ("", ""),
            ("h", "h"),
        ] {
            assert!(!allow(Some(origin), host), "{origin} at {host}");
        }
        assert!(!none.allows(Some("http://h"), None));
    }

    #[test]
    fn listed_origins_are_allowed() {
        let origins = Origins::read("https://a.example, http://B.example:81/").unwrap();
        assert!(origins.allows(Some("https://a.example"), Some("h")));
        assert!(origins.allows(Some("http://b.example:81"), Some("h")));
        assert!(
            !origins.allows(Some("http://a.example"), Some("h")),
            "the scheme counts"
        );
    }

    #[test]
    fn invalid_origin_is_an_error() {
        for wrong in [
            "a.example",
            "",
            "https://",
            "https://a.example/path",
            "https://a.example,,",
        ] {
            assert!(Origins::read(wrong).is_err(), "{wrong:?}");
        }
    }
}
