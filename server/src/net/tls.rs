//! TLS with a certificate of the operator.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use farsign_files::to_utf8;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{self, ServerConfig};

/// A TLS configuration with a certificate and its key.
#[derive(Clone, Debug)]
pub struct TlsConfig(Arc<ServerConfig>);

/// An error of the certificate or its key.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum TlsError {
    #[error("expected certificates in PEM form in {path}, found: {source}")]
    Certificates { path: PathBuf, source: pem::Error },
    #[error("expected certificates in PEM form in {path}, found none")]
    NoCertificate { path: PathBuf },
    #[error("expected a private key in PEM form in {path}, found: {source}")]
    Key { path: PathBuf, source: pem::Error },
    #[error("expected a key that fits its certificate in {certificate} and {key}, found: {source}")]
    Mismatch {
        certificate: PathBuf,
        key: PathBuf,
        source: rustls::Error,
    },
}

impl TlsConfig {
    /// Reads a certificate, followed by its chain, and its private key.
    ///
    /// # Errors
    /// Returns an error if a file is unreadable or invalid, or if certificate and key do not match.
    pub fn read(certificate: &Path, key: &Path) -> Result<Self, TlsError> {
        let wrong = |source| TlsError::Certificates {
            path: certificate.to_owned(),
            source,
        };
        let text = read_pem(certificate).map_err(wrong)?;
        let certificates = CertificateDer::pem_slice_iter(&text);
        let certificates = certificates.collect::<Result<Vec<_>, _>>().map_err(wrong)?;
        if certificates.is_empty() {
            return Err(TlsError::NoCertificate {
                path: certificate.to_owned(),
            });
        }
        let private = read_pem(key).and_then(|text| PrivateKeyDer::from_pem_slice(&text));
        let private = private.map_err(|source| TlsError::Key {
            path: key.to_owned(),
            source,
        })?;
        // Names the provider, because the default fails at run time if the build contains a second one.
        let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let config = builder
            .with_safe_default_protocol_versions()
            .and_then(|builder| {
                builder
                    .with_no_client_auth()
                    .with_single_cert(certificates, private)
            });
        let mut config = config.map_err(|source| TlsError::Mismatch {
            certificate: certificate.to_owned(),
            key: key.to_owned(),
            source,
        })?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()]; // the WebSocket upgrade requires HTTP/1.1
        Ok(Self(Arc::new(config)))
    }

    /// Returns the acceptor of connections.
    pub fn acceptor(&self) -> TlsAcceptor {
        Arc::clone(&self.0).into()
    }
}

/// Reads a PEM file, which some shells save in UTF-16.
fn read_pem(path: &Path) -> Result<Vec<u8>, pem::Error> {
    std::fs::read(path).map(to_utf8).map_err(pem::Error::Io)
}
