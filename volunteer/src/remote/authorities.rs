//! The certificate authorities that a client trusts.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{fs, io};

use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};

/// The variable that OpenSSL, curl and others read too.
const CA_FILE_VARIABLE: &str = "SSL_CERT_FILE";

/// The trusted authorities, for downloads and for sockets.
#[derive(Clone, Debug)]
pub struct Authorities {
    tls: TlsConfig,
    client: Arc<ClientConfig>,
}

/// An invalid file of certificate authorities.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum AuthoritiesError {
    #[error("{setting}: could not read {path}: {cause}")]
    Read {
        setting: &'static str,
        path: PathBuf,
        cause: io::Error,
    },
    #[error("{setting}: expected certificates in PEM form in {path}, found {found}")]
    Content {
        setting: &'static str,
        path: PathBuf,
        found: String,
    },
}

impl Authorities {
    /// Returns the authorities that browsers trust, which are built in.
    pub fn built_in() -> Self {
        let mut roots = RootCertStore::empty();
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        Self::new(RootCerts::WebPki, roots)
    }

    /// Returns the authorities of a file, else of the file that the variable `SSL_CERT_FILE` names, else the built-in
    /// ones. A file replaces the built-in authorities.
    ///
    /// # Errors
    /// Returns an error if the file is unreadable or has no certificate.
    pub fn from_environment(ca_file: Option<&Path>) -> Result<Self, AuthoritiesError> {
        let variable = std::env::var_os(CA_FILE_VARIABLE).filter(|path| !path.is_empty());
        match (ca_file, variable) {
            (Some(path), _) => Self::read(path, "--ca-file"),
            (None, Some(path)) => Self::read(Path::new(&path), CA_FILE_VARIABLE),
            (None, None) => Ok(Self::built_in()),
        }
    }

    /// Reads a file of certificates in PEM form, or of one certificate in DER form.
    fn read(path: &Path, setting: &'static str) -> Result<Self, AuthoritiesError> {
        let bytes = fs::read(path).map_err(|cause| AuthoritiesError::Read {
            setting,
            path: path.to_owned(),
            cause,
        })?;
        let content = |found: String| AuthoritiesError::Content {
            setting,
            path: path.to_owned(),
            found,
        };
        let certificates = certificates(&bytes).map_err(|error| content(error.to_string()))?;
        let mut roots = RootCertStore::empty();
        let of_rustls = certificates
            .iter()
            .map(|certificate| CertificateDer::from(certificate.der().to_vec()));
        let (valid, invalid) = roots.add_parsable_certificates(of_rustls);
        match (valid, invalid) {
            (0, 0) => Err(content("none".to_owned())),
            (0, _) => Err(content(format!("{invalid} invalid ones"))),
            _ => Ok(Self::new(RootCerts::new_with_certs(&certificates), roots)),
        }
    }

    fn new(roots_of_downloads: RootCerts, roots: RootCertStore) -> Self {
        // Names the provider, because the default fails at run time if the build contains a second one.
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let client = builder
            .with_safe_default_protocol_versions()
            .expect("the provider supports the default versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        Self {
            tls: TlsConfig::builder().root_certs(roots_of_downloads).build(),
            client: Arc::new(client),
        }
    }

    /// Returns the configuration of downloads.
    pub fn of_downloads(&self) -> TlsConfig {
        self.tls.clone()
    }

    /// Returns the configuration of sockets.
    pub fn of_sockets(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.client)
    }
}

/// Returns the certificates in the content of a file.
fn certificates(bytes: &[u8]) -> Result<Vec<Certificate<'static>>, ureq::Error> {
    const DER_SEQUENCE: u8 = 0x30; // no PEM file begins with it
    if bytes.first() == Some(&DER_SEQUENCE) {
        return Ok(vec![Certificate::from_der(bytes).to_owned()]);
    }
    let mut certificates = Vec::new();
    for item in parse_pem(bytes) {
        if let PemItem::Certificate(certificate) = item? {
            certificates.push(certificate);
        }
    }
    Ok(certificates)
}

#[cfg(test)]
mod tests {
    use rcgen::generate_simple_self_signed;

    use super::*;

    fn read(content: &[u8]) -> Result<Authorities, AuthoritiesError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        fs::write(&path, content).unwrap();
        Authorities::read(&path, "--ca-file")
    }

    #[test]
    fn certificates_are_read_in_both_forms() {
        let own = generate_simple_self_signed(["ca.example".to_owned()]).unwrap();
        let bundle = format!("# a comment\n{}\n{}", own.cert.pem(), own.cert.pem());
        for content in [bundle.as_bytes(), own.cert.der()] {
            read(content).unwrap();
        }
    }

    #[test]
    fn file_without_certificates_is_named() {
        let key = generate_simple_self_signed(["ca.example".to_owned()]).unwrap();
        let key = key.signing_key.serialize_pem();
        for (content, found) in [
            (&b""[..], "found none"),
            (key.as_bytes(), "found none"),
            (b"\x30\x03\x02\x01\x01", "found 1 invalid ones"),
        ] {
            let error = read(content).unwrap_err().to_string();
            assert!(error.starts_with("--ca-file: expected"), "{error}");
            assert!(
                error.contains("ca.pem") && error.ends_with(found),
                "{error}"
            );
        }
        let missing = Authorities::read(Path::new("/none.pem"), "--ca-file").unwrap_err();
        assert!(missing.to_string().contains("could not read /none.pem"));
    }
}
