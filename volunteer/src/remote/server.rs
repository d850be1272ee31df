//! A server, and the way to it.

use std::path::Path;
use std::time::Duration;

use ureq::config::RedirectAuthHeaders;

use super::authorities::{Authorities, AuthoritiesError};
use super::proxy::{HttpProxy, ProxyError};
use crate::server_url::ServerUrl;

/// Time to connect, and time until a response begins.
const DOWNLOAD_TIMEOUT: Duration = Duration::from_secs(20);

/// A server, and the way to it.
#[derive(Clone, Debug)]
pub struct RemoteServer {
    pub(super) url: ServerUrl,
    /// `None` for direct connections.
    pub(super) proxy: Option<HttpProxy>,
    pub(super) authorities: Authorities,
}

/// An invalid environment, or an invalid file of certificate authorities.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum EnvironmentError {
    #[error(transparent)]
    Proxy(#[from] ProxyError),
    #[error(transparent)]
    Authorities(#[from] AuthoritiesError),
}

impl RemoteServer {
    /// Returns a server that is connected directly, and trusted if its certificate is of a public authority.
    pub fn direct(url: ServerUrl) -> Self {
        Self {
            url,
            proxy: None,
            authorities: Authorities::built_in(),
        }
    }

    /// Returns a server with the proxy that the environment names, and the certificate authorities of a file, else of
    /// the environment.
    ///
    /// # Errors
    /// Returns an error if a variable or the file is invalid.
    pub fn from_environment(
        url: ServerUrl,
        ca_file: Option<&Path>,
    ) -> Result<Self, EnvironmentError> {
        let proxy = HttpProxy::from_environment(&url.http_url("/"))?;
        let uses_tls = url.is_secure() || proxy.as_ref().is_some_and(HttpProxy::is_secure);
        let authorities = if uses_tls || ca_file.is_some() {
            Authorities::from_environment(ca_file)?
        } else {
            Authorities::built_in()
        };
        Ok(Self {
            url,
            proxy,
            authorities,
        })
    }

    /// Returns whether the server is reached without a line: on this machine, and not through a proxy.
    pub fn is_on_this_machine(&self) -> bool {
        self.proxy.is_none() && self.url.is_loopback()
    }

    pub(super) fn agent(&self) -> ureq::Agent {
        let config = ureq::Agent::config_builder()
            .timeout_connect(Some(DOWNLOAD_TIMEOUT))
            .timeout_recv_response(Some(DOWNLOAD_TIMEOUT))
            .http_status_as_error(false)
            .redirect_auth_headers(RedirectAuthHeaders::SameHost)
            .proxy(self.proxy.as_ref().map(HttpProxy::of_downloads))
            .tls_config(self.authorities.of_downloads());
        config.build().into()
    }

    /// Adds the proxy to a description of a failure.
    pub(super) fn with_proxy(&self, cause: String) -> String {
        match &self.proxy {
            None => cause,
            Some(proxy) => {
                let proxy = proxy.description();
                format!("{cause} (through {proxy}; NO_PROXY names servers that need no proxy)")
            }
        }
    }
}
