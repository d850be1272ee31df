//! Options of connections to other machines.

use std::error::Error;
use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use farsign_server::data::mnist_download::FetchOptions;
use farsign_volunteer::{Authorities, HttpProxy, RemoteServer, ServerUrl};

#[derive(Debug, Args)]
pub struct NetworkArgs {
    /// File of the certificate authorities to trust in place of the public ones, in PEM form [default: the file of the
    /// variable SSL_CERT_FILE, if set]
    #[arg(long, env = "FARSIGN_CA_FILE", value_name = "FILE")]
    ca_file: Option<PathBuf>,
}

impl NetworkArgs {
    /// Returns the server at an address, and the way to it.
    ///
    /// The address is parsed here and not by clap, which would print a password in an invalid one.
    pub fn server(&self, url: &str) -> anyhow::Result<RemoteServer> {
        let url: ServerUrl = url.parse().context("--url")?;
        Ok(RemoteServer::from_environment(
            url,
            self.ca_file.as_deref(),
        )?)
    }

    /// Returns options of downloads from public mirrors.
    pub fn fetch_options(&self) -> anyhow::Result<FetchOptions> {
        let authorities = Authorities::from_environment(self.ca_file.as_deref())?;
        Ok(FetchOptions {
            tls: authorities.of_downloads(),
            find_proxy,
            ..FetchOptions::default()
        })
    }
}

fn find_proxy(url: &str) -> Result<Option<ureq::Proxy>, Box<dyn Error + Send + Sync>> {
    let proxy = HttpProxy::from_environment(url)?;
    Ok(proxy.map(|proxy| proxy.of_downloads()))
}
