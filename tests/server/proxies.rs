//! Servers behind proxies: the address of the client, pages under a path, and WebSockets that a proxy does not pass.

use std::collections::BTreeSet;
use std::path::Path;

use farsign::task::GoodbyeReason;
use farsign::wire::Hello;
use farsign_server::config::settings::{ModelKind, Settings};
use farsign_tests::raw_client::RawClient;
use farsign_tests::reverse_proxy::{ReverseProxy, ReverseProxyOptions};
use farsign_tests::test_server::TestServer;
use tokio_tungstenite::tungstenite;

fn start_server(settings: Settings) -> TestServer {
    TestServer::start(Settings {
        model: Some(ModelKind::Softmax),
        ..settings
    })
}

/// Joins through a trusted proxy that sends this header, and returns the goodbye's reason if the server rejects that.
fn join_from(server: &TestServer, forwarded_for: &str) -> Option<GoodbyeReason> {
    let volunteer = RawClient::connect_with(server, &[("x-forwarded-for", forwarded_for)]);
    let mut volunteer = volunteer.expect("a WebSocket");
    volunteer.send_hello(&Hello::default());
    volunteer.recv().goodbye.map(|goodbye| goodbye.reason)
}

fn unread_addresses(server: &TestServer) -> String {
    let metrics = String::from_utf8(server.get("/metrics")).expect("text");
    let name = "farsign_client_addresses_unread_total ";
    let line = metrics.lines().find_map(|line| line.strip_prefix(name));
    line.expect("a metric").to_owned()
}

#[test]
fn forwarded_forms_distinguish_clients() {
    let server = start_server(Settings {
        joins_per_minute: Some(1),
        trusted_proxy: Some("127.0.0.1, 10.0.0.0/8".into()),
        ..Settings::default()
    });
    let clients = [
        ["203.0.113.1:1000", "203.0.113.1:2000"],
        ["203.0.113.2", "\"203.0.113.2:1\""],
        ["::ffff:203.0.113.3", "[::ffff:203.0.113.3]:443"],
        ["[2001:db8::1]:4711", "\"[2001:db8::2]\""],
        ["2001:db8:1::1", "2001:db8:1::1%eth0"],
        [
            "203.0.113.9, 203.0.113.4:80, 10.0.0.1:80",
            " , 203.0.113.4,, 10.0.0.1",
        ],
    ];
    for [first, second] in clients {
        assert_eq!(join_from(&server, first), None, "{first}");
        let again = Some(GoodbyeReason::TooManyJoins);
        assert_eq!(join_from(&server, second), again, "{second} is {first}");
    }
    assert_eq!(unread_addresses(&server), "0.0");
}

#[test]
fn unread_addresses_are_counted() {
    let server = start_server(Settings {
        joins_per_minute: Some(1),
        trusted_proxy: Some("127.0.0.1".into()),
        ..Settings::default()
    });
    assert_eq!(join_from(&server, "203.0.113.1, unknown"), None);
    let shared = Some(GoodbyeReason::TooManyJoins);
    assert_eq!(join_from(&server, "203.0.113.2, unix:"), shared);
    assert_eq!(join_from(&server, ""), shared, "the proxy's address counts");
    assert_eq!(join_from(&server, "203.0.113.1"), None);
    assert_eq!(unread_addresses(&server), "3.0");
}

/// Returns the status, the final path and the body of a page.
fn get(url: &str) -> (u16, String, String) {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .build()
        .into();
    let mut response = agent.get(url).call().expect("a response");
    let path = ureq::ResponseExt::get_uri(&response).to_string();
    let body = response.body_mut().read_to_string().unwrap_or_default();
    (response.status().as_u16(), path, body)
}

#[test]
fn directories_redirect_under_a_path() {
    let server = start_server(Settings::default());
    let options = ReverseProxyOptions {
        prefix: "/train",
        ..ReverseProxyOptions::default()
    };
    let proxy = ReverseProxy::to(server.address(), options).expect("a proxy");
    for (path, end, title) in [
        ("/dashboard", "/dashboard/", "Admin token"),
        ("/compare", "/compare/", "Compare"),
        (
            "/compare?run=..%2Fa.csv",
            "/compare/?run=..%2Fa.csv",
            "Compare",
        ),
    ] {
        let (status, found, body) = get(&proxy.url(path));
        assert_eq!((status, found), (200, proxy.url(end)), "{path}");
        assert!(body.contains(title), "{path}: {body}");
    }
    assert_eq!(get(&server.url("/train/")).0, 404);
}

/// Returns the values of `href` and `src` in a page.
fn links(page: &str) -> BTreeSet<&str> {
    let values = [" href=\"", " src=\""]
        .into_iter()
        .flat_map(|name| page.split(name).skip(1));
    values.filter_map(|rest| rest.split('"').next()).collect()
}

#[test]
fn links_stay_under_a_path() {
    let server = start_server(Settings::default());
    let options = ReverseProxyOptions {
        prefix: "/train",
        ..ReverseProxyOptions::default()
    };
    let proxy = ReverseProxy::to(server.address(), options).expect("a proxy");
    for folder in ["/", "/dashboard/", "/compare/"] {
        let (_, _, page) = get(&proxy.url(folder));
        let links = links(&page);
        assert!(links.len() > 5, "{folder}: {links:?}");
        for link in links
            .into_iter()
            .filter(|link| !link.starts_with('#') && !link.starts_with("https://"))
        {
            assert!(
                !link.starts_with('/') && !link.contains(':'),
                "{folder}: {link}"
            );
            let path = match link.strip_prefix("../") {
                None => format!("{folder}{link}"),
                Some(rest) => format!("/{rest}"),
            };
            assert!(folder != "/" || !link.starts_with(".."), "{link}");
            assert_eq!(get(&proxy.url(&path)).0, 200, "{folder}{link}");
        }
    }
}

/// Returns all scripts below a folder.
fn scripts(folder: &Path) -> Vec<(String, String)> {
    let entries = std::fs::read_dir(folder).expect("a folder").flatten();
    let read = |path: &Path| {
        let text = std::fs::read_to_string(path).expect("a script");
        (path.display().to_string(), text)
    };
    entries
        .flat_map(|entry| match entry.path() {
            path if path.is_dir() => scripts(&path),
            path if path.extension().is_some_and(|ending| ending == "js") => vec![read(&path)],
            _ => Vec::new(),
        })
        .collect()
}

#[test]
fn scripts_use_relative_addresses() {
    let www = Path::new(env!("CARGO_MANIFEST_DIR")).join("../www");
    let folders = ["js", "dashboard", "compare"];
    let scripts: Vec<_> = folders
        .iter()
        .flat_map(|name| scripts(&www.join(name)))
        .collect();
    assert!(scripts.len() > 40, "{}", scripts.len());
    for (path, text) in scripts {
        for name in ["api", "ws", "js", "css", "pkg", "dashboard", "compare"] {
            for quote in ['\'', '"', '`'] {
                let absolute = format!("{quote}/{name}");
                assert!(!text.contains(&absolute), "{path}: {absolute}");
            }
        }
    }
}

#[test]
fn removed_upgrade_is_explained() {
    let server = start_server(Settings::default());
    let options = ReverseProxyOptions {
        removes_upgrade: true,
        ..ReverseProxyOptions::default()
    };
    let proxy = ReverseProxy::to(server.address(), options).expect("a proxy");
    let request = proxy.url("/ws").replacen("http", "ws", 1);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    match runtime.block_on(tokio_tungstenite::connect_async(request)) {
        Err(tungstenite::Error::Http(response)) => {
            assert_eq!(response.status(), 400);
            let body = response.body().clone().unwrap_or_default();
            let body = String::from_utf8_lossy(&body);
            assert!(
                body.contains("a proxy in between does not pass WebSockets"),
                "{body}"
            );
        }
        other => panic!("expected a rejection, found {other:?}"),
    }
    let (status, _, body) = get(&server.url("/ws"));
    assert_eq!(status, 400);
    assert!(body.starts_with("expected a WebSocket"), "{body}");
}
