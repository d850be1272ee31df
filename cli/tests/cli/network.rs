//! What the server logs about proxies and clients that it does not understand, and addresses with passwords.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

use crate::command_line::{SMALL, interrupt, serve};
use crate::farsign::{expect_failure, farsign};

const TIMEOUT: Duration = Duration::from_mins(1);

/// Sends bytes to a server, and reads the beginning of its response.
fn exchange(url: &str, request: &[u8]) -> String {
    let address = url.split("//").nth(1).expect("an address");
    let mut stream = TcpStream::connect(address).expect("a connection");
    stream.set_read_timeout(Some(TIMEOUT)).expect("a timeout");
    stream.write_all(request).expect("the request is sent");
    let mut response = [0; 1024];
    let count = stream.read(&mut response).expect("a response");
    String::from_utf8_lossy(&response[..count]).into_owned()
}

/// Returns a request for a session with further headers.
fn session_request(headers: &str) -> Vec<u8> {
    format!(
        "GET /ws HTTP/1.1\r\nHost: localhost\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{headers}\r\n"
    )
    .into_bytes()
}

#[test]
fn misconfigured_proxies_are_logged_once() {
    const UPGRADE: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\n";
    let options = ["--log-format", "json", "--trusted-proxy", "127.0.0.1"];
    let (server, url) = serve(farsign(&SMALL).args(options));
    for forwarded in [
        "X-Forwarded-For: 192.0.2.1, unknown\r\n",
        "X-Forwarded-For: hidden\r\n",
        "Forwarded: for=192.0.2.1\r\n",
        "",
        "X-Forwarded-For: [2001:db8::1]:443\r\n",
    ] {
        let request = session_request(&format!("{UPGRADE}{forwarded}"));
        assert!(exchange(&url, &request).starts_with("HTTP/1.1 101"));
    }
    for _ in 0..2 {
        let response = exchange(&url, &session_request(""));
        assert!(response.starts_with("HTTP/1.1 400"), "{response}");
        exchange(&url, &[22, 3, 1, 0, 5, 1, 0, 0, 1, 3]); // the beginning of TLS
    }
    let stderr = interrupt(server);
    let lines: Vec<Value> = stderr
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    let of = |event: &str| -> Vec<&Value> {
        lines.iter().filter(|line| line["event"] == event).collect()
    };
    let [unread, missing] = &of("client_address_unread")[..] else {
        panic!("expected one warning of each kind: {stderr}")
    };
    let text = unread.to_string();
    for part in [
        "WARN",
        "unknown",
        "192.0.2.1:443",
        "[2001:db8::1]:443",
        "share the limits",
    ] {
        assert!(text.contains(part), "no {part} in {text}");
    }
    let text = missing.to_string();
    assert!(
        text.contains("found none") && text.contains("Forwarded is not read"),
        "{text}"
    );
    for (event, hint) in [
        ("upgrade_missing", "Upgrade and Connection"),
        ("wrong_scheme", "http://"),
    ] {
        let [warning] = &of(event)[..] else {
            panic!("expected one {event}: {stderr}")
        };
        assert!(warning["hint"].to_string().contains(hint), "{warning}");
    }
}

#[test]
fn unnamed_proxy_is_logged() {
    let (server, url) = serve(farsign(&SMALL).args(["--log-format", "json"]));
    let forwarded = "Connection: Upgrade\r\nUpgrade: websocket\r\nX-Forwarded-For: 192.0.2.1\r\n";
    for _ in 0..2 {
        let response = exchange(&url, &session_request(forwarded));
        assert!(response.starts_with("HTTP/1.1 101"), "{response}");
    }
    let stderr = interrupt(server);
    assert_eq!(
        stderr.matches("forwarded_address_ignored").count(),
        1,
        "{stderr}"
    );
    assert!(stderr.contains("--trusted-proxy"), "{stderr}");
}

#[test]
fn invalid_url_hides_its_password() {
    for command in [
        &["volunteer", "--url"][..],
        &["model", "export", "--out", "x", "--url"],
    ] {
        let stderr = expect_failure(farsign(command).arg("http://user:se#cret@localhost"));
        assert!(stderr.contains("percent-encoded"), "{stderr}");
        assert!(
            !stderr.contains("cret") && !stderr.contains("user:"),
            "{stderr}"
        );
    }
}

#[test]
fn missing_authority_file_is_named() {
    let volunteer = ["volunteer", "--url", "https://localhost:9"];
    let fetch = ["data", "fetch", "--folder", "/none"];
    for command in [&volunteer[..], &fetch[..]] {
        let stderr = expect_failure(farsign(command).args(["--ca-file", "/none.pem"]));
        assert!(
            stderr.contains("--ca-file: could not read /none.pem"),
            "{stderr}"
        );
    }
    let stderr = expect_failure(farsign(&volunteer).env("SSL_CERT_FILE", "/none.pem"));
    assert!(stderr.contains("SSL_CERT_FILE: could not read"), "{stderr}");
}
