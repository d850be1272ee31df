//! Which pages may open a session.
//!
//! A browser says in `Origin` which page a WebSocket was opened by, whoever wrote that page. Without this check any page
//! on the internet could have its visitors' browsers work here, or reach a server in their own network.

/// An origin in the form a browser writes it, as far as upper and lower case and a slash at the end go.
fn plain(origin: &str) -> String {
    origin.trim().trim_end_matches('/').to_ascii_lowercase()
}

/// Pages that may open sessions besides the server's own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origins(Vec<String>);

/// A text that is no origin.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected origins like https://example.org, separated by commas, found {found:?}")]
pub struct NoOrigin {
    found: String,
}

impl Origins {
    /// Reads a list with commas.
    ///
    /// # Errors
    /// When a part of it is no origin.
    pub fn read(list: &str) -> Result<Self, NoOrigin> {
        let read = |part: &str| match authority(&plain(part)) {
            Some(authority) if !authority.is_empty() && !authority.contains('/') => Ok(plain(part)),
            _ => Err(NoOrigin { found: part.trim().to_owned() }),
        };
        list.split(',').map(read).collect::<Result<_, _>>().map(Self)
    }

    /// Whether a page of this origin may open a session on a server that was asked for by this `Host`. No origin is no
    /// browser, and so allowed.
    pub fn allow(&self, origin: Option<&str>, host: Option<&str>) -> bool {
        let Some(origin) = origin.map(plain) else { return true };
        let own = authority(&origin).zip(host).is_some_and(|(of_page, host)| {
            without_usual_port(of_page) == without_usual_port(&host.to_ascii_lowercase())
        });
        own || self.0.contains(&origin)
    }
}

fn authority(origin: &str) -> Option<&str> {
    origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"))
}

/// Proxies write the port of their scheme or leave it out.
fn without_usual_port(authority: &str) -> &str {
    let bare = authority.strip_suffix(":443").or_else(|| authority.strip_suffix(":80"));
    bare.unwrap_or(authority)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_servers_own_page_and_native_clients_may_and_other_pages_may_not() {
        let none = Origins::default();
        let allow = |origin, host| none.allow(origin, Some(host));
        assert!(allow(None, "h:8080"));
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
        assert!(!none.allow(Some("http://h"), None));
    }

    #[test]
    fn pages_that_are_named_may_too() {
        let origins = Origins::read("https://a.example, http://B.example:81/").unwrap();
        assert!(origins.allow(Some("https://a.example"), Some("h")));
        assert!(origins.allow(Some("http://b.example:81"), Some("h")));
        assert!(!origins.allow(Some("http://a.example"), Some("h")), "the scheme counts");
        for wrong in ["a.example", "", "https://", "https://a.example/path", "https://a.example,,"] {
            assert!(Origins::read(wrong).is_err(), "{wrong:?}");
        }
    }
}
