//! A server with a certificate: its page and its sessions are encrypted, and nobody holds it up before they are.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;

use farsign::dataset::Dataset;
use farsign_server::config::{Config, Mistakes};
use farsign_server::dataset_source;
use farsign_server::settings::{ModelKind, Settings};
use farsign_tests::host::Host;
use farsign_tests::waiting::{self, FAILURE_BOUND};
use futures_util::StreamExt;
use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};
use tempfile::TempDir;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use tokio_tungstenite::{Connector, client_async_tls_with_config};
use ureq::tls::{Certificate, RootCerts, TlsConfig};

/// A certificate for `localhost`, in files, and as the only one that clients trust.
struct Certified {
    folder: TempDir,
    certificate: CertificateDer<'static>,
}

impl Certified {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
        std::fs::write(folder.path().join("cert.pem"), cert.pem()).expect("a file");
        std::fs::write(folder.path().join("key.pem"), signing_key.serialize_pem()).expect("a file");
        Self { folder, certificate: cert.der().clone() }
    }

    fn settings(&self) -> Settings {
        settings(&self.folder.path().join("cert.pem"), &self.folder.path().join("key.pem"))
    }

    fn agent(&self) -> ureq::Agent {
        let root = Certificate::from_der(&self.certificate).to_owned();
        let tls = TlsConfig::builder().root_certs(RootCerts::new_with_certs(&[root])).build();
        ureq::Agent::config_builder().tls_config(tls).build().into()
    }
}

fn settings(certificate: &Path, key: &Path) -> Settings {
    Settings {
        tls_cert: Some(certificate.to_owned()),
        tls_key: Some(key.to_owned()),
        model: Some(ModelKind::Softmax),
        ..Settings::default()
    }
}

fn train() -> Arc<Dataset> {
    dataset_source::built_in().expect("the digits are built in").train
}

#[test]
fn the_page_and_the_sessions_are_encrypted() {
    let certified = Certified::new();
    let host = Host::start(certified.settings());
    let port = host.address().port();
    let page = certified.agent().get(format!("https://localhost:{port}/")).call().expect("the page");
    assert!(page.headers()["strict-transport-security"].to_str().unwrap().starts_with("max-age="));

    let mut roots = RootCertStore::empty();
    roots.add(certified.certificate.clone()).expect("a root");
    let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let connector = Connector::Rustls(Arc::new(config));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let said = runtime.block_on(async {
        let stream = tokio::net::TcpStream::connect(host.address()).await.expect("a connection");
        let url = format!("wss://localhost:{port}/ws");
        let opened = client_async_tls_with_config(url, stream, None, Some(connector)).await;
        let (mut socket, _) = opened.expect("a session");
        drop(host); // the server stops, and says so
        socket.next().await
    });
    let goodbye = said.expect("a message").expect("a goodbye").into_data();
    assert_eq!(goodbye[6], 8, "shutting down");
}

#[test]
fn a_handshake_has_to_come_in_time_and_has_to_be_one() {
    let certified = Certified::new();
    let host = Host::start(Settings { header_timeout_ms: Some(300), ..certified.settings() });
    for said in [&b""[..], b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", &[22, 3, 1, 2, 0, 1]] {
        let mut stream = TcpStream::connect(host.address()).unwrap();
        stream.set_read_timeout(Some(FAILURE_BOUND)).unwrap();
        stream.write_all(said).unwrap();
        let mut heard = Vec::new();
        _ = stream.read_to_end(&mut heard); // closed, or reset
        assert!(!heard.starts_with(b"HTTP"), "{heard:?}");
    }
    let health = format!("https://localhost:{}/healthz", host.address().port());
    // Who keeps to it is served, as soon as a handshake is within the limit on a busy machine.
    waiting::until_some("an answer", || certified.agent().get(&health).call().ok());
}

#[test]
fn files_that_do_not_fit_are_named() {
    let (certified, other) = (Certified::new(), KeyPair::generate().expect("a key"));
    let file = |name: &str| certified.folder.path().join(name);
    let mistake = |settings: Settings| {
        let Mistakes(mistakes) = Config::new(&settings, &train(), 1).expect_err("a mistake");
        assert_eq!(mistakes.len(), 1, "{mistakes:?}");
        mistakes.into_iter().next().unwrap_or_default()
    };
    let (cert, key) = (file("cert.pem"), file("key.pem"));
    std::fs::write(file("other.pem"), other.serialize_pem()).unwrap();
    for (settings, hints) in [
        (settings(&file("none.pem"), &key), ["certificates in PEM form", "none.pem"]),
        (settings(&key, &key), ["certificates in PEM form", "found none"]),
        (settings(&cert, &cert), ["a private key in PEM form", "cert.pem"]),
        (settings(&cert, &file("other.pem")), ["a key that fits its certificate", "other.pem"]),
        (Settings { tls_key: None, ..certified.settings() }, ["tls-key: expected", "tls-cert"]),
        (Settings { tls_cert: None, ..certified.settings() }, ["tls-cert: expected", "tls-key"]),
    ] {
        let mistake = mistake(settings);
        assert!(hints.iter().all(|hint| mistake.contains(hint)), "{mistake}");
    }
}
