//! Certificates for tests, in files.

use std::path::PathBuf;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, CertifiedKey, DnType, IsCa, KeyPair,
    generate_simple_self_signed,
};
use tempfile::TempDir;
use tokio_rustls::rustls::pki_types::CertificateDer;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

/// A certificate for `localhost` and its key in files, with the certificate of the authority that issued it.
#[derive(Debug)]
pub struct TestCertificate {
    folder: TempDir,
    authority: CertificateDer<'static>,
}

impl TestCertificate {
    /// Creates a certificate that is its own authority.
    pub fn self_signed() -> Self {
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
        let der = cert.der().clone();
        Self::write(&cert.pem(), &signing_key.serialize_pem(), &cert.pem(), der)
    }

    /// Creates a certificate of a private authority, as organisations have one.
    pub fn of_own_authority() -> Self {
        let mut authority = CertificateParams::new(Vec::new()).expect("no names");
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let name = &mut authority.distinguished_name;
        name.push(DnType::CommonName, "the authority of a test");
        let key = KeyPair::generate().expect("a key");
        let authority = CertifiedIssuer::self_signed(authority, key).expect("a certificate");
        let key = KeyPair::generate().expect("a key");
        let names = CertificateParams::new(["localhost".to_owned()]).expect("a name");
        let certificate = names.signed_by(&key, &authority).expect("a certificate");
        let der = authority.der().clone();
        Self::write(
            &certificate.pem(),
            &key.serialize_pem(),
            &authority.pem(),
            der,
        )
    }

    fn write(certificate: &str, key: &str, authority: &str, der: CertificateDer<'static>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, content) in [
            ("cert.pem", certificate),
            ("key.pem", key),
            ("ca.pem", authority),
        ] {
            std::fs::write(folder.path().join(name), content).expect("a file");
        }
        Self {
            folder,
            authority: der,
        }
    }

    /// Returns the path of `cert.pem`, `key.pem`, `ca.pem` or another file in the same folder.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Returns the certificate of the authority.
    pub fn authority(&self) -> &CertificateDer<'static> {
        &self.authority
    }

    /// Returns an HTTP client that trusts only this authority.
    pub fn agent(&self) -> ureq::Agent {
        let root = Certificate::from_der(&self.authority).to_owned();
        let tls = TlsConfig::builder()
            .root_certs(RootCerts::new_with_certs(&[root]))
            .build();
        ureq::Agent::config_builder()
            .tls_config(tls)
            .http_status_as_error(false)
            .build()
            .into()
    }
}
