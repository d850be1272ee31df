//! Credentials of a page: the volunteer's identity and the join token.

use farsign_tests::server_process::ServerProcess;

use crate::page::{Page, test_page};

const ADMIN_TOKEN: &str = "an admin token of the tests";

/// Starts training, and returns the identity of the only volunteer.
async fn start_and_identify(page: &Page, server: &ServerProcess) -> String {
    page.press("start").await;
    page.wait_for("working").await;
    server.wait_until("one session", |status| {
        status["volunteers"]["connected"] == 1
    });
    let volunteers = server.get_json("/api/v1/admin/volunteers", ADMIN_TOKEN);
    volunteers[0]["identity"]
        .as_str()
        .expect("an identity")
        .to_owned()
}

#[test]
fn reloaded_page_keeps_its_identity() {
    test_page(
        &["--model", "softmax", "--admin-token", ADMIN_TOKEN],
        async |page, server| {
            let first = start_and_identify(page, server).await;
            page.go_to(&format!("http://{}/", server.address())).await;
            assert_eq!(start_and_identify(page, server).await, first);
        },
    );
}

#[test]
fn two_tabs_are_two_volunteers() {
    test_page(&["--model", "softmax"], async |page, server| {
        page.press("start").await;
        page.wait_for("working").await;
        page.open_tab(&format!("http://{}/", server.address()))
            .await;
        page.press("start").await;
        page.wait_for("working").await;
        server.wait_until("two active sessions", |status| {
            status["volunteers"]["connected"] == 2 && status["volunteers"]["active"] == 2
        });
        assert_eq!(server.status()["sessions_ended"]["session_replaced"], 0);
    });
}

#[test]
fn join_token_admits_a_volunteer() {
    test_page(
        &["--model", "softmax", "--join-token", "sesame"],
        async |page, _| {
            page.wait_until_true("!document.getElementById('token-row').hidden")
                .await;
            page.run("document.getElementById('token').value = 'sesame'")
                .await;
            page.press("start").await;
            page.wait_until("updates", |state| state.count("own-accepted") > 0.0)
                .await;
        },
    );
}

#[test]
fn long_join_token_is_explained() {
    test_page(
        &["--model", "softmax", "--join-token", "sesame"],
        async |page, _| {
            page.wait_until_true("!document.getElementById('token-row').hidden")
                .await;
            page.run("document.getElementById('token').value = 'ü'.repeat(40)")
                .await;
            page.press("start").await;
            page.wait_until_true(
                "document.getElementById('token').validationMessage.includes('at most 64 bytes')",
            )
            .await;
            assert_eq!(page.state().await.name(), "idle");
            page.run("document.getElementById('token').value = ' sesame '")
                .await;
            page.press("start").await;
            page.wait_for("working").await;
        },
    );
}
