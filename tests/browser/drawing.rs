//! The drawing panel: the page recognizes drawings exactly as the shared model does.

use farsign::dataset::Dataset;
use farsign::kernels::sparse::Kernel;
use farsign::minibatch::Minibatch;
use farsign::model::Architecture;
use farsign_server::data::loader;
use farsign_tests::raw_client::whole_version;
use farsign_tests::server_process::ServerProcess;

use crate::page::{Page, test_page};

/// Number of drawn digits.
const DRAWN: usize = 20;

/// A short run. Its model is constant after the end.
const SHORT_RUN: [&str; 2] = ["--horizon", "1500"];

async fn train(page: &Page) {
    page.start_at_full_effort().await;
    page.wait_for("finished").await;
}

/// Draws an image of MNIST with a square for each pixel, and returns the digit that the page recognizes.
async fn recognize(page: &Page, image: &[u8]) -> u64 {
    page.press("clear").await;
    page.wait_until_true("document.getElementById('prediction').dataset.best === ''")
        .await;
    page.run(&format!(
        "const canvas = document.getElementById('drawing');
         const context = canvas.getContext('2d');
         {image:?}.forEach((grey, pixel) => {{
           context.fillStyle = `rgb(0 0 0 / ${{grey / 255}})`;
           context.fillRect(10 * (pixel % 28), 10 * Math.floor(pixel / 28), 10, 10);
         }});
         canvas.dispatchEvent(new Event('drawn'));"
    ))
    .await;
    page.wait_until_true("document.getElementById('prediction').dataset.best !== ''")
        .await;
    let best = page
        .run("return document.getElementById('prediction').dataset.best")
        .await;
    best.as_str()
        .and_then(|digit| digit.parse().ok())
        .expect("a digit")
}

/// Returns the digits that the server's current model recognizes in the first images.
fn expected_digits(server: &ServerProcess, data: &Dataset) -> Vec<u64> {
    let url = format!("http://{}/api/v1/model", server.address());
    let frame = ureq::get(&url)
        .call()
        .expect("a response")
        .body_mut()
        .read_to_vec();
    let frame = frame.expect("a body");
    let version = whole_version(&frame);
    let mut batch = Minibatch::default();
    batch.slice(data, 0..DRAWN);
    let mut kernel =
        Kernel::new(&Architecture::new(vec![784, 128, 10]).expect("the default model"));
    let likeliest = |row: &[f32]| {
        (0..10)
            .max_by(|&a, &b| row[a].total_cmp(&row[b]))
            .unwrap_or(0) as u64
    };
    kernel
        .probabilities(version.parameters(), &batch.inputs)
        .chunks_exact(10)
        .map(likeliest)
        .collect()
}

#[test]
fn page_recognizes_digits_like_the_model() {
    test_page(&SHORT_RUN, async |page, server| {
        train(page).await;
        let data = loader::built_in().expect("the built-in digits").held_out;
        let expected = expected_digits(server, &data);
        let mut correct = 0;
        for (index, expected) in expected.into_iter().enumerate() {
            let found = recognize(page, data.image(index)).await;
            assert_eq!(
                found,
                expected,
                "digit {index}, which is a {}",
                data.label(index)
            );
            correct += usize::from(found == u64::from(data.label(index)));
        }
        assert!(correct >= 17, "only {correct} of {DRAWN} are correct");
    });
}

#[test]
fn prediction_follows_the_shared_model() {
    test_page(&["--schedule", "constant"], async |page, _| {
        page.press("example").await;
        page.wait_until_true("document.getElementById('prediction').dataset.best !== ''")
            .await;
        page.wait_for("idle").await;
        let before = page.text("prediction").await;
        page.start_at_full_effort().await;
        // The page fetches models only while the panel is visible.
        page.run("document.getElementById('draw').scrollIntoView()")
            .await;
        page.wait_until_true(&format!(
            "document.getElementById('prediction').textContent !== {before:?}"
        ))
        .await;
    });
}

#[test]
fn inference_worker_load_is_retried() {
    test_page(&[], async |page, _| {
        page.wait_for("idle").await;
        page.run(
            "const Real = Worker;
             window.broken = true;
             window.Worker = function (url, options) {
               if (!window.broken || !String(url).includes('inference')) return new Real(url, options);
               const failed = { postMessage() {}, terminate() {} };
               setTimeout(() => failed.onerror({ message: 'Not today.' }));
               return failed;
             };",
        )
        .await;
        page.press("example").await;
        page.wait_until_true(
            "document.getElementById('drawing-note').textContent.endsWith('Not today.')",
        )
        .await;
        page.run("window.broken = false").await;
        page.wait_until_true("document.getElementById('prediction').dataset.best !== ''")
            .await;
        assert_eq!(
            page.text("drawing-note").await,
            "Your drawing is read on your device and never leaves this page."
        );
    });
}

#[test]
fn pointer_and_arrow_keys_draw() {
    test_page(&[], async |page, _| {
        let inked = "(() => {
            const canvas = document.getElementById('drawing');
            const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
            return data.filter((value, index) => index % 4 === 3 && value > 0).length;
        })()";
        page.wait_for("idle").await;
        page.run(
            "const canvas = document.getElementById('drawing');
             canvas.scrollIntoView({ block: 'center' });
             const { left, top } = canvas.getBoundingClientRect();
             canvas.setPointerCapture = () => {}; // the pointer does not exist
             const at = (type, x, y) => canvas.dispatchEvent(new PointerEvent(type, {
               button: 0, pointerId: 1, clientX: left + x, clientY: top + y }));
             at('pointerdown', 50, 50);
             at('pointermove', 50, 150);
             at('pointerup', 50, 150);",
        )
        .await;
        let after_pointer = page
            .run(&format!("return {inked}"))
            .await
            .as_u64()
            .expect("a count");
        assert!(after_pointer > 1000, "{after_pointer} pixels of ink");
        page.run(
            "const canvas = document.getElementById('drawing');
             for (let n = 0; n < 8; n += 1) canvas.dispatchEvent(new KeyboardEvent('keydown', { key: 'ArrowDown' }));",
        )
        .await;
        assert!(page.run(&format!("return {inked}")).await.as_u64() > Some(after_pointer + 500));
        page.press("clear").await;
        assert_eq!(page.run(&format!("return {inked}")).await, 0);
    });
}
