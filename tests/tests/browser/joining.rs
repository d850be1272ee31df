//! What a page shows at the door: who it is, and the token that the person was given.

use farsign_tests::process::Server;

use crate::page::{Page, test_page};

const ADMIN: &str = "a token of the host's own";

/// Starts, and gives under which identity the server knows the only volunteer.
async fn identity_of_the_only_volunteer(page: &Page, server: &Server) -> String {
    page.press("start").await;
    page.wait_for("working").await;
    server.wait_until("one session", |status| status["volunteers"]["connected"] == 1);
    let volunteers = server.ask("/api/v1/admin/volunteers", ADMIN);
    volunteers[0]["identity"].as_str().expect("the page says who it is").to_owned()
}

#[test]
fn a_page_that_is_loaded_again_is_the_same_volunteer() {
    test_page(&["--model", "softmax", "--admin-token", ADMIN], async |page, server| {
        let first = identity_of_the_only_volunteer(page, server).await;
        page.go_to(&format!("http://{}/", server.address())).await;
        assert_eq!(identity_of_the_only_volunteer(page, server).await, first);
    });
}

#[test]
fn two_tabs_are_two_volunteers() {
    test_page(&["--model", "softmax"], async |page, server| {
        page.press("start").await;
        page.wait_for("working").await;
        page.open_another_tab(&format!("http://{}/", server.address())).await;
        page.press("start").await;
        page.wait_for("working").await;
        server.wait_until("two sessions that both go on", |status| {
            status["volunteers"]["connected"] == 2 && status["volunteers"]["active"] == 2
        });
        assert_eq!(server.status()["ended"]["taken_over"], 0);
    });
}

#[test]
fn a_server_with_a_token_is_joined_with_it() {
    test_page(&["--model", "softmax", "--join-token", "sesame"], async |page, _| {
        page.wait_until_true("!document.getElementById('token-row').hidden").await;
        page.run("document.getElementById('token').value = 'sesame'").await;
        page.press("start").await;
        page.wait_until("answers", |facts| facts.count("own-accepted") > 0.0).await;
    });
}
