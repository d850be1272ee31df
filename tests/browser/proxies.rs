//! Pages behind proxies: under a path, without WebSockets, and with a user name in the address.

use std::net::{IpAddr, Ipv4Addr, UdpSocket};

use farsign_tests::reverse_proxy::{ReverseProxy, ReverseProxyOptions};

use crate::page::{console_messages_during, test_page};

#[test]
fn page_trains_under_a_path() {
    test_page(
        &["--model", "softmax", "--schedule", "constant"],
        async |page, server| {
            let options = ReverseProxyOptions {
                prefix: "/train",
                ..ReverseProxyOptions::default()
            };
            let proxy = ReverseProxy::to(server.address(), options).expect("a proxy");
            page.wait_for("idle").await;
            // The page's origin is that of the proxy, which forwards the header with it.
            page.go_to(&proxy.url("/")).await;
            page.press("start").await;
            page.wait_until("updates", |state| state.count("own-accepted") > 1.0)
                .await;
            page.press("stop").await;
            for (path, id) in [("/dashboard", "accuracy"), ("/compare", "chart-title")] {
                page.go_to(&proxy.url(path)).await;
                page.wait_until_true(&format!("document.getElementById('{id}') !== null"))
                    .await;
                let address = page.run("return location.href").await;
                assert_eq!(address, proxy.url(path) + "/");
            }
        },
    );
}

/// Returns this machine's address in its network. `None` if it has no network.
fn own_address() -> Option<IpAddr> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    socket.connect("192.0.2.1:9").ok()?; // sends nothing, but chooses a route
    let address = socket.local_addr().ok()?.ip();
    (!address.is_loopback()).then_some(address)
}

#[test]
fn console_is_empty_without_tls() {
    let Some(address) = own_address() else {
        eprintln!("This machine has no network: pages from other addresses are not tested.");
        return;
    };
    test_page(&["--model", "softmax"], async |page, server| {
        let options = ReverseProxyOptions {
            address: Some(address),
            ..ReverseProxyOptions::default()
        };
        let proxy = ReverseProxy::to(server.address(), options).expect("a proxy");
        page.wait_for("idle").await;
        for path in ["/dashboard/", "/compare/", "/"] {
            page.go_to(&proxy.url(path)).await;
        }
        let is_secure = page.run("return isSecureContext").await;
        assert_eq!(is_secure, false);
        page.wait_for("idle").await;
    });
}

#[test]
fn page_names_proxy_without_upgrade() {
    let messages = console_messages_during(&["--model", "softmax"], async |page, server| {
        let options = ReverseProxyOptions {
            removes_upgrade: true,
            ..ReverseProxyOptions::default()
        };
        let proxy = ReverseProxy::to(server.address(), options).expect("a proxy");
        page.wait_for("idle").await;
        page.go_to(&proxy.url("/")).await;
        page.press("start").await;
        page.wait_until("the reason", |state| {
            state.name() == "reconnecting"
                && state.text("detail").contains("may not pass WebSockets")
        })
        .await;
    });
    let others: Vec<_> = messages
        .iter()
        .filter(|message| !message.text.contains("/ws"))
        .collect();
    assert!(others.is_empty(), "{others:#?}");
}

#[test]
fn page_drops_user_from_its_address() {
    let messages = console_messages_during(
        &["--model", "softmax", "--schedule", "constant"],
        async |page, server| {
            let options = ReverseProxyOptions {
                authorization: Some("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="),
                ..ReverseProxyOptions::default()
            };
            let proxy = ReverseProxy::to(server.address(), options).expect("a proxy");
            page.wait_for("idle").await;
            let url = proxy.url("/").replacen("//", "//Aladdin:open%20sesame@", 1);
            page.go_to(&url).await;
            page.wait_for("idle").await;
            let address = page.run("return document.baseURI").await;
            assert_eq!(address, proxy.url("/"));
            page.press("start").await;
            page.wait_until("updates", |state| state.count("own-accepted") > 1.0)
                .await;
        },
    );
    drop(messages); // the page that is left may report what it could not load
}
