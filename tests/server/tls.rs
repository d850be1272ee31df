//! TLS: encrypted pages and sessions, the handshake timeout, the wrong scheme, and invalid certificates.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;

use farsign_server::config::settings::{ModelKind, Settings};
use farsign_server::config::{Config, ConfigErrors};
use farsign_server::data::loader::{self, TrainAndHeldOut};
use farsign_tests::certificate::TestCertificate;
use farsign_tests::test_server::TestServer;
use farsign_tests::wait::{self, TEST_TIMEOUT};
use futures_util::StreamExt;
use rcgen::KeyPair;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use tokio_tungstenite::{Connector, client_async_tls_with_config};

fn settings_of(certificate: &TestCertificate) -> Settings {
    settings(&certificate.file("cert.pem"), &certificate.file("key.pem"))
}

fn settings(certificate: &Path, key: &Path) -> Settings {
    Settings {
        tls_cert: Some(certificate.to_owned()),
        tls_key: Some(key.to_owned()),
        model: Some(ModelKind::Softmax),
        ..Settings::default()
    }
}

fn data() -> TrainAndHeldOut {
    loader::built_in().expect("built-in data")
}

#[test]
fn page_and_sessions_use_tls() {
    let certified = TestCertificate::self_signed();
    let server = TestServer::start(settings_of(&certified));
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
    roots.add(certified.authority().clone()).expect("a root");
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
    let certified = TestCertificate::self_signed();
    let server = TestServer::start(Settings {
        header_timeout_ms: Some(300),
        ..settings_of(&certified)
    });
    for request in [&b""[..], &[22, 3, 1, 2, 0, 1]] {
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

/// Sends bytes, and returns everything that the server sends back.
fn exchange(server: &TestServer, request: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(server.address()).expect("a connection");
    stream
        .set_read_timeout(Some(TEST_TIMEOUT))
        .expect("a timeout");
    stream.write_all(request).expect("the request is sent");
    let mut response = Vec::new();
    stream.read_to_end(&mut response).expect("a response");
    response
}

#[test]
fn http_on_tls_port_names_https() {
    let certificate = TestCertificate::self_signed();
    let server = TestServer::start(settings_of(&certificate));
    for request in [
        "GET /train?x=1 HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "POST /api/v1/leaderboard HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}",
        "GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    ] {
        let response = exchange(&server, request.as_bytes());
        let response = String::from_utf8(response).expect("text");
        assert!(response.starts_with("HTTP/1.1 400"), "{response}");
        assert!(response.contains("https://"), "{response}");
    }
}

#[test]
fn tls_on_http_port_gets_alert() {
    let server = TestServer::start(Settings::default());
    let hello = [22, 3, 1, 0, 5, 1, 0, 0, 1, 3];
    let fatal_protocol_version = [21, 3, 1, 0, 2, 2, 70];
    let mut stream = TcpStream::connect(server.address()).expect("a connection");
    stream
        .set_read_timeout(Some(TEST_TIMEOUT))
        .expect("a timeout");
    stream.write_all(&hello).expect("the hello is sent");
    let mut alert = [0; 7];
    stream.read_exact(&mut alert).expect("an alert");
    assert_eq!(alert, fatal_protocol_version);
    assert_eq!(stream.read(&mut alert).expect("the end"), 0);
    assert_eq!(server.get("/healthz"), b"ok");
}

#[test]
fn invalid_tls_files_are_named() {
    let certified = TestCertificate::self_signed();
    let other = KeyPair::generate().expect("a key");
    let file = |name: &str| certified.file(name);
    let config_error = |settings: Settings| {
        let ConfigErrors(errors) = Config::new(&settings, &data(), 1).expect_err("an error");
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
                ..settings_of(&certified)
            },
            ["tls-key: expected", "tls-cert"],
        ),
        (
            Settings {
                tls_cert: None,
                ..settings_of(&certified)
            },
            ["tls-cert: expected", "tls-key"],
        ),
    ] {
        let error = config_error(settings);
        assert!(hints.iter().all(|hint| error.contains(hint)), "{error}");
    }
}
