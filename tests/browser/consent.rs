//! The consent of a visitor: the page states what Start costs, and nothing runs before.

use serde_json::Value;

use crate::page::{Page, test_page};

/// Returns a size of the status as the page writes it.
async fn formatted(page: &Page, bytes: &Value) -> String {
    let script = format!(
        "return import('/js/shared/format.js').then(({{ formatBytes }}) => formatBytes({bytes}))"
    );
    page.run(&script).await.as_str().expect("a text").to_owned()
}

#[test]
fn page_states_cost_before_start() {
    test_page(&["--model", "softmax"], async |page, server| {
        page.wait_until_true("document.getElementById('usage-summary').textContent.includes('MB')")
            .await;
        let summary = page.text("usage-summary").await;
        assert!(
            summary.starts_with("Nothing runs until you press Start."),
            "{summary}"
        );
        let status = server.status();
        let images = formatted(page, &status["data"]["download_bytes"]).await;
        let parameters = status["model"]["parameters"].as_u64().expect("a count");
        let model = formatted(page, &(parameters / 4).into()).await; // two bits a parameter
        let update = formatted(page, &(parameters / 8).into()).await;
        for cost in [&images, &model, &update, "25\u{a0}% of one core"] {
            assert!(summary.contains(cost), "{cost:?} in {summary}");
        }
        assert_eq!(status["volunteers"]["connected"], 0);
        assert_eq!(status["traffic"]["sent_bytes"], 0);
    });
}

#[test]
fn stated_download_is_the_real_one() {
    test_page(&["--model", "softmax"], async |page, server| {
        page.wait_for("idle").await;
        let sizes = page
            .run(
                "const size = ({ digest }) => fetch(`api/v1/data/shards/${digest}`)
                   .then((response) => response.arrayBuffer())
                   .then(({ byteLength }) => byteLength);
                 return fetch('api/v1/data/shards')
                   .then((response) => response.json())
                   .then(({ shards }) => Promise.all(shards.map(size)))",
            )
            .await;
        let sum: u64 = sizes
            .as_array()
            .expect("sizes")
            .iter()
            .filter_map(Value::as_u64)
            .sum();
        assert_eq!(server.status()["data"]["download_bytes"], sum);
    });
}
