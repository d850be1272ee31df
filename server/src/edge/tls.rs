//! TLS, when the host has a certificate.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{self, ServerConfig};

/// A certificate and its key, ready to be used.
#[derive(Clone, Debug)]
pub struct Tls(Arc<ServerConfig>);

/// Why there can be no TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The file with certificates cannot be read.
    #[error("expected certificates in PEM form in {path}, found: {source}")]
    Certificates {
        /// The file.
        path: PathBuf,
        /// What was found.
        source: pem::Error,
    },
    /// The file with certificates has none.
    #[error("expected certificates in PEM form in {path}, found none")]
    NoCertificate {
        /// The file.
        path: PathBuf,
    },
    /// The file with the key cannot be read.
    #[error("expected a private key in PEM form in {path}, found: {source}")]
    Key {
        /// The file.
        path: PathBuf,
        /// What was found.
        source: pem::Error,
    },
    /// Certificate and key are of no use together.
    #[error("expected a key that fits its certificate in {certificate} and {key}, found: {source}")]
    Mismatch {
        /// The file with the certificate.
        certificate: PathBuf,
        /// The file with the key.
        key: PathBuf,
        /// What does not fit.
        source: rustls::Error,
    },
}

impl Tls {
    /// Reads a certificate, with those that lead to its authority behind it, and its private key.
    ///
    /// # Errors
    /// When a file cannot be read or holds something else, or when they do not fit each other.
    pub fn read(certificate: &Path, key: &Path) -> Result<Self, TlsError> {
        let wrong = |source| TlsError::Certificates { path: certificate.to_owned(), source };
        let certificates = CertificateDer::pem_file_iter(certificate).map_err(wrong)?;
        let certificates = certificates.collect::<Result<Vec<_>, _>>().map_err(wrong)?;
        if certificates.is_empty() {
            return Err(TlsError::NoCertificate { path: certificate.to_owned() });
        }
        let private = PrivateKeyDer::from_pem_file(key);
        let private = private.map_err(|source| TlsError::Key { path: key.to_owned(), source })?;
        // The provider is named, or a second one anywhere in the build would make the choice fail at run time.
        let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let config = builder
            .with_safe_default_protocol_versions()
            .and_then(|builder| builder.with_no_client_auth().with_single_cert(certificates, private));
        let mut config = config.map_err(|source| TlsError::Mismatch {
            certificate: certificate.to_owned(),
            key: key.to_owned(),
            source,
        })?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()]; // no other has WebSockets as we use them
        Ok(Self(Arc::new(config)))
    }

    /// What takes connections.
    pub fn acceptor(&self) -> TlsAcceptor {
        Arc::clone(&self.0).into()
    }
}
