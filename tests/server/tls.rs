//! TLS: encrypted pages and sessions, the handshake timeout, and invalid certificates.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;

use farsign::dataset::Dataset;
use farsign_server::config::settings::{ModelKind, Settings};
use farsign_server::config::{Config, ConfigErrors};
use farsign_server::data::loader;
use farsign_tests::test_server::TestServer;
use farsign_tests::wait::{self, TEST_TIMEOUT};
use futures_util::StreamExt;
use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};
use tempfile::TempDir;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use tokio_tungstenite::{Connector, client_async_tls_with_config};
use ureq::tls::{Certificate, RootCerts, TlsConfig};

/// A self-signed certificate for `localhost` in files, which test clients trust.
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
        Self {
            folder,
            certificate: cert.der().clone(),
        }
    }

    fn settings(&self) -> Settings {
        settings(
            &self.folder.path().join("cert.pem"),
            &self.folder.path().join("key.pem"),
        )
    }

    fn agent(&self) -> ureq::Agent {
        let root = Certificate::from_der(&self.certificate).to_owned();
        let tls = TlsConfig::builder()
            .root_certs(RootCerts::new_with_certs(&[root]))
            .build();
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
    loader::built_in().expect("built-in data").train
}

#[test]
fn page_and_sessions_use_tls() {
    let certified = Certified::new();
    let server = TestServer::start(certified.settings());
    let port = server.address().port();
    let page = certified
        .agent()
        .get(format!("https://localhost:{port}/"))
        .call()
        .expect("the page");
    assert!(
        page.headers()["strict-transport-security"]
            .to_str()
            .unwrap()
            .starts_with("max-age=")
    );

    let mut roots = RootCertStore::empty();
    roots.add(certified.certificate.clone()).expect("a root");
    let config = ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector = Connector::Rustls(Arc::new(config));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let message = runtime.block_on(async {
        let stream = tokio::net::TcpStream::connect(server.address())
            .await
            .expect("a connection");
        let url = format!("wss://localhost:{port}/ws");
        let opened = client_async_tls_with_config(url, stream, None, Some(connector)).await;
        let (mut socket, _) = opened.expect("a session");
        drop(server); // the server sends a goodbye and stops
        socket.next().await
    });
    let goodbye = message.expect("a message").expect("a goodbye").into_data();
    assert_eq!(goodbye[6], 8, "shutting_down");
}

#[test]
fn tls_handshake_timeout() {
    let certified = Certified::new();
    let server = TestServer::start(Settings {
        header_timeout_ms: Some(300),
        ..certified.settings()
    });
    for request in [
        &b""[..],
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        &[22, 3, 1, 2, 0, 1],
    ] {
        let mut stream = TcpStream::connect(server.address()).unwrap();
        stream.set_read_timeout(Some(TEST_TIMEOUT)).unwrap();
        stream.write_all(request).unwrap();
        let mut response = Vec::new();
        _ = stream.read_to_end(&mut response); // closed, or reset
        assert!(!response.starts_with(b"HTTP"), "{response:?}");
    }
    let health = format!("https://localhost:{}/healthz", server.address().port());
    // A handshake may time out on a busy machine.
    wait::wait_for_some("a response", || certified.agent().get(&health).call().ok());
}

#[test]
fn invalid_tls_files_are_named() {
    let certified = Certified::new();
    let other = KeyPair::generate().expect("a key");
    let file = |name: &str| certified.folder.path().join(name);
    let config_error = |settings: Settings| {
        let ConfigErrors(errors) = Config::new(&settings, &train(), 1).expect_err("an error");
        assert_eq!(errors.len(), 1, "{errors:?}");
        errors.into_iter().next().unwrap_or_default()
    };
    let cert = file("cert.pem");
    let key = file("key.pem");
    std::fs::write(file("other.pem"), other.serialize_pem()).unwrap();
    for (settings, hints) in [
        (
            settings(&file("none.pem"), &key),
            ["certificates in PEM form", "none.pem"],
        ),
        (
            settings(&key, &key),
            ["certificates in PEM form", "found none"],
        ),
        (
            settings(&cert, &cert),
            ["a private key in PEM form", "cert.pem"],
        ),
        (
            settings(&cert, &file("other.pem")),
            ["a key that fits its certificate", "other.pem"],
        ),
        (
            Settings {
                tls_key: None,
                ..certified.settings()
            },
            ["tls-key: expected", "tls-cert"],
        ),
        (
            Settings {
                tls_cert: None,
                ..certified.settings()
            },
            ["tls-cert: expected", "tls-key"],
        ),
    ] {
        let error = config_error(settings);
        assert!(hints.iter().all(|hint| error.contains(hint)), "{error}");
    }
}
