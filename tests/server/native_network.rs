//! The native volunteer's way to a server: user and password, proxies, certificate authorities, and what goes wrong.

use std::net::SocketAddr;
use std::process::{Command, Output};
use std::sync::{Arc, mpsc};

use farsign_server::config::settings::{ModelKind, Settings};
use farsign_tests::certificate::TestCertificate;
use farsign_tests::forward_proxy::ForwardProxy;
use farsign_tests::reverse_proxy::{ReverseProxy, ReverseProxyOptions};
use farsign_tests::server_process::server_program;
use farsign_tests::test_server::TestServer;
use farsign_volunteer::{FleetOptions, FleetStats, WorkerEvent, WorkerExit, run_fleet};
use tokio::sync::watch;

/// Basic authorization of user `Aladdin` with password `open sesame`.
const BASIC: &str = "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==";

/// Returns settings of a short run.
fn short_run() -> Settings {
    Settings {
        model: Some(ModelKind::Softmax),
        horizon: Some(20.0),
        ..Settings::default()
    }
}

fn fleet(url: &str) -> FleetOptions {
    FleetOptions::new(url.parse().expect("a server URL"), 1)
}

/// Runs a worker until the run is finished.
fn train(options: &FleetOptions) -> Vec<WorkerExit> {
    let (_stop, stopping) = watch::channel(false);
    let stats = Arc::new(FleetStats::default());
    run_fleet(options, &stats, &stopping, |_, _| {}).expect("the data")
}

/// Runs a worker that cannot open its WebSocket, and returns the reason that it reports.
fn reported_cause(options: &FleetOptions) -> String {
    let (stop, stopping) = watch::channel(false);
    let stats = Arc::new(FleetStats::default());
    let (report, causes) = mpsc::channel();
    let on_event = |_, event| {
        if let WorkerEvent::Waiting { cause, .. } = event {
            _ = report.send(cause); // only the first is read
            stop.send_replace(true);
        }
    };
    let exits = run_fleet(options, &stats, &stopping, on_event).expect("the data");
    assert_eq!(exits, [WorkerExit::Stopped]);
    causes.recv().expect("a cause")
}

/// Runs `farsign volunteer` with these variables and no others that concern the network.
fn run_program(arguments: &[&str], variables: &[(&str, &str)]) -> (bool, String) {
    let mut command = Command::new(server_program());
    let is_network = |name: &str| {
        let name = name.to_ascii_lowercase();
        name.ends_with("_proxy") || name.starts_with("ssl_cert") || name.starts_with("farsign_")
    };
    let inherited = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    for name in inherited.filter(|name| is_network(name)) {
        command.env_remove(name);
    }
    command.args(arguments);
    command.envs(variables.iter().copied());
    let Output { status, stderr, .. } = command.output().expect("the program runs");
    (
        status.success(),
        String::from_utf8_lossy(&stderr).into_owned(),
    )
}

/// Runs the program, which fails, and returns its standard error.
fn expect_failure(url: &str, arguments: &[&str], variables: &[(&str, &str)]) -> String {
    let arguments = [&["volunteer", "--url", url], arguments].concat();
    let (succeeded, stderr) = run_program(&arguments, variables);
    assert!(!succeeded, "{stderr}");
    stderr
}

/// Runs the program, which trains until the run is finished.
fn expect_success(url: &str, arguments: &[&str], variables: &[(&str, &str)]) {
    let arguments = [&["volunteer", "--url", url], arguments].concat();
    let (succeeded, stderr) = run_program(&arguments, variables);
    assert!(succeeded, "{stderr}");
}

#[test]
fn url_credentials_open_the_socket() {
    let server = TestServer::start(short_run());
    let options = ReverseProxyOptions {
        prefix: "/train",
        authorization: Some(BASIC),
        ..ReverseProxyOptions::default()
    };
    let proxy = ReverseProxy::to(server.address(), options).expect("a proxy");
    let url = |credentials: &str| {
        proxy
            .url("/")
            .replacen("//", &format!("//{credentials}@"), 1)
    };
    let exits = train(&fleet(&url("Aladdin:open%20sesame")));
    assert_eq!(exits, [WorkerExit::Finished]);
    let stderr = expect_failure(&url("Aladdin:wrong-password"), &[], &[]);
    assert!(stderr.contains("rejected (401)"), "{stderr}");
    assert!(!stderr.contains("wrong-password"), "{stderr}");
    let stderr = expect_failure(&proxy.url("/"), &[], &[]);
    assert!(stderr.contains("USER:PASSWORD@"), "{stderr}");
}

#[test]
fn environment_proxy_carries_data_and_socket() {
    for (url, variable, target) in [
        ("http://farsign.invalid", "HTTP_PROXY", "farsign.invalid:80"),
        (
            "http://farsign.invalid:81/",
            "http_proxy",
            "farsign.invalid:81",
        ),
        ("http://[2001:db8::1]:82", "ALL_PROXY", "[2001:db8::1]:82"),
    ] {
        let server = TestServer::start(short_run());
        let proxy = ForwardProxy::to(server.address()).expect("a proxy");
        let address = format!("http://Aladdin:open%20sesame@{}", proxy.address());
        expect_success(url, &[], &[(variable, &address)]);
        let requests = proxy.requests();
        assert!(requests.len() >= 2, "{requests:?}"); // downloads may share a tunnel
        for request in requests {
            assert_eq!((&*request.target, &*request.authorization), (target, BASIC));
        }
    }
}

#[test]
fn excluded_server_needs_no_proxy() {
    let nowhere: SocketAddr = ([127, 0, 0, 1], 9).into(); // the discard service, which no machine offers
    let dead = format!("http://{nowhere}");
    for excluded in ["127.0.0.1", "localhost, 127.0.0.0/8", "*"] {
        let server = TestServer::start(short_run());
        let variables = [("HTTP_PROXY", dead.as_str()), ("NO_PROXY", excluded)];
        expect_success(&server.url("/"), &[], &variables);
    }
    let server = TestServer::start(short_run());
    // A volunteer would wait for the proxy; an export does not.
    let export = ["model", "export", "--out", "-", "--url", &server.url("/")];
    let (succeeded, stderr) = run_program(&export, &[("HTTP_PROXY", &dead)]);
    assert!(!succeeded, "{stderr}");
    assert!(
        stderr.contains("the proxy 127.0.0.1:9 of HTTP_PROXY"),
        "{stderr}"
    );
    let socks = [("ALL_PROXY", "socks5://127.0.0.1:9")];
    let stderr = expect_failure(&server.url("/"), &[], &socks);
    assert!(stderr.contains("expected an HTTP proxy"), "{stderr}");
}

#[test]
fn own_authority_is_trusted_by_name() {
    let certificate = TestCertificate::of_own_authority();
    let authority = certificate.file("ca.pem").display().to_string();
    let start = || {
        let server = TestServer::start(Settings {
            tls_cert: Some(certificate.file("cert.pem")),
            tls_key: Some(certificate.file("key.pem")),
            ..short_run()
        });
        let url = format!("https://localhost:{}", server.address().port());
        (server, url)
    };
    let (_server, url) = start();
    let stderr = expect_failure(&url, &[], &[]);
    assert!(stderr.contains("--ca-file or SSL_CERT_FILE"), "{stderr}");
    expect_success(&url, &["--ca-file", &authority], &[]);
    for variable in ["FARSIGN_CA_FILE", "SSL_CERT_FILE"] {
        let (_server, url) = start();
        expect_success(&url, &[], &[(variable, &authority)]);
    }
    let (server, url) = start();
    let proxy = ForwardProxy::to(server.address()).expect("a proxy");
    let address = proxy.address().to_string();
    expect_success(
        &url,
        &["--ca-file", &authority],
        &[("HTTPS_PROXY", &address)],
    );
    assert!(proxy.requests().len() >= 2, "{:?}", proxy.requests());
}

#[test]
fn exported_model_trusts_own_authority() {
    let certificate = TestCertificate::of_own_authority();
    let server = TestServer::start(Settings {
        tls_cert: Some(certificate.file("cert.pem")),
        tls_key: Some(certificate.file("key.pem")),
        ..short_run()
    });
    let url = format!("https://localhost:{}", server.address().port());
    let out = certificate.file("model.safetensors");
    let mut command = Command::new(server_program());
    command
        .args(["model", "export", "--url", &url, "--out"])
        .arg(&out);
    command.arg("--ca-file").arg(certificate.file("ca.pem"));
    let output = command.output().expect("the program runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(std::fs::metadata(&out).expect("a file").len() > 31_400);
}

#[test]
fn wrong_scheme_names_the_other() {
    let certificate = TestCertificate::self_signed();
    let with_tls = TestServer::start(Settings {
        tls_cert: Some(certificate.file("cert.pem")),
        tls_key: Some(certificate.file("key.pem")),
        ..short_run()
    });
    let stderr = expect_failure(&with_tls.url("/"), &[], &[]);
    assert!(stderr.contains("use https://"), "{stderr}");
    let plain = TestServer::start(short_run());
    let https = plain.url("/").replacen("http", "https", 1);
    let stderr = expect_failure(&https, &[], &[]);
    assert!(stderr.contains("use http://"), "{stderr}");
}

#[test]
fn proxy_without_upgrade_is_named() {
    let server = TestServer::start(short_run());
    let options = ReverseProxyOptions {
        removes_upgrade: true,
        ..ReverseProxyOptions::default()
    };
    let proxy = ReverseProxy::to(server.address(), options).expect("a proxy");
    let cause = reported_cause(&fleet(&proxy.url("/")));
    assert!(cause.contains("does not pass WebSockets"), "{cause}");
    assert!(cause.contains("Upgrade and Connection"), "{cause}");
}

#[test]
fn join_token_may_end_with_line() {
    let server = TestServer::start(Settings {
        join_token: Some("sesame\r\n".into()),
        ..short_run()
    });
    let url = server.url("/");
    let stderr = expect_failure(&url, &[], &[("FARSIGN_JOIN_TOKEN", " sesame")]);
    assert!(
        stderr.contains("--join-token: expected no white space"),
        "{stderr}"
    );
    expect_success(&url, &[], &[("FARSIGN_JOIN_TOKEN", "sesame\r")]);
}
