//! Draw a digit: the page reads what is drawn as well as the shared model can.

use farsign::dataset::Dataset;
use farsign::kernels::sparse::Kernel;
use farsign::minibatch::Minibatch;
use farsign::model::Architecture;
use farsign::wire::{ServerRecord, read_server_frame};
use farsign_server::dataset_source;
use farsign_tests::process::Server;

use crate::page::{Page, test_page};

/// Digits that are drawn.
const DRAWN: usize = 20;

/// A finished run, whose model stays as it is.
const FINISHED: [&str; 2] = ["--horizon", "1500"];

async fn trained(page: &Page) {
    page.start_at_full_effort().await;
    page.wait_for("finished").await;
}

/// Draws an image of MNIST, each pixel a square; gives which digit the page reads.
async fn read(page: &Page, image: &[u8]) -> u64 {
    page.press("clear").await;
    page.wait_until_true("document.getElementById('guess').dataset.best === ''").await;
    page.run(&format!(
        "const pad = document.getElementById('pad');
         const context = pad.getContext('2d');
         {image:?}.forEach((grey, pixel) => {{
           context.fillStyle = `rgb(0 0 0 / ${{grey / 255}})`;
           context.fillRect(10 * (pixel % 28), 10 * Math.floor(pixel / 28), 10, 10);
         }});
         pad.dispatchEvent(new Event('drawn'));"
    ))
    .await;
    page.wait_until_true("document.getElementById('guess').dataset.best !== ''").await;
    let best = page.run("return document.getElementById('guess').dataset.best").await;
    best.as_str().and_then(|digit| digit.parse().ok()).expect("a digit")
}

/// What the model that the server shows makes of the first images.
fn expected(server: &Server, data: &Dataset) -> Vec<u64> {
    let url = format!("http://{}/api/v1/model", server.address());
    let frame = ureq::get(&url).call().expect("the server answers").body_mut().read_to_vec();
    let frame = frame.expect("the body comes");
    let Some(Ok(ServerRecord::Snapshot(snapshot))) = read_server_frame(&frame).expect("a frame").next()
    else {
        panic!("expected a snapshot")
    };
    let (mut x, mut batch) = (Vec::new(), Minibatch::default());
    snapshot.unpack(&mut x).expect("finite parameters");
    batch.slice(data, 0..DRAWN);
    let mut kernel = Kernel::new(&Architecture::new(vec![784, 128, 10]).expect("the default model"));
    let likeliest = |row: &[f32]| (0..10).max_by(|&a, &b| row[a].total_cmp(&row[b])).unwrap_or(0) as u64;
    kernel.probabilities(&x, &batch.inputs).chunks_exact(10).map(likeliest).collect()
}

#[test]
fn digits_are_read_as_well_as_the_model_reads() {
    test_page(&FINISHED, async |page, server| {
        trained(page).await;
        let data = dataset_source::load(None).expect("the built-in digits").held_out;
        let expected = expected(server, &data);
        let mut right = 0;
        for (index, expected) in expected.into_iter().enumerate() {
            let found = read(page, data.image(index)).await;
            assert_eq!(found, expected, "digit {index}, which is a {}", data.label(index));
            right += usize::from(found == u64::from(data.label(index)));
        }
        assert!(right >= 17, "only {right} of {DRAWN} are right");
    });
}

#[test]
fn the_page_reads_before_start_and_the_answer_follows_the_model() {
    test_page(&["--schedule", "constant"], async |page, _| {
        page.press("example").await;
        page.wait_until_true("document.getElementById('guess').dataset.best !== ''").await;
        page.wait_for("idle").await;
        let before = page.text("guess").await;
        page.start_at_full_effort().await;
        page.run("document.getElementById('draw').scrollIntoView()").await; // a model is fetched for who looks
        page.wait_until_true(&format!("document.getElementById('guess').textContent !== {before:?}")).await;
    });
}

#[test]
fn reading_code_that_could_not_be_loaded_is_loaded_again_and_knows_the_drawing() {
    test_page(&[], async |page, _| {
        page.wait_for("idle").await;
        page.reload_with(
            "const Real = Worker;
             window.broken = true;
             window.Worker = function (url, options) {
               if (!broken || !String(url).includes('reader')) return new Real(url, options);
               const gone = { postMessage() {}, terminate() {} };
               setTimeout(() => gone.onerror({ message: 'Not today.' }));
               return gone;
             };",
        )
        .await;
        page.wait_for("idle").await;
        page.press("example").await;
        page.wait_until_true("document.getElementById('draw-note').textContent.endsWith('Not today.')").await;
        page.run("broken = false").await;
        page.wait_until_true("document.getElementById('guess').dataset.best !== ''").await;
        assert_eq!(page.text("draw-note").await, "It is read on your device. No drawing leaves this page.");
    });
}

#[test]
fn a_pointer_and_the_arrow_keys_draw() {
    test_page(&[], async |page, _| {
        let inked = "(() => {
            const pad = document.getElementById('pad');
            const { data } = pad.getContext('2d').getImageData(0, 0, pad.width, pad.height);
            return data.filter((value, index) => index % 4 === 3 && value > 0).length;
        })()";
        page.wait_for("idle").await;
        page.run(
            "const pad = document.getElementById('pad');
             pad.scrollIntoView({ block: 'center' });
             const { left, top } = pad.getBoundingClientRect();
             pad.setPointerCapture = () => {}; // there is no such pointer
             const at = (type, x, y) => pad.dispatchEvent(new PointerEvent(type, {
               button: 0, pointerId: 1, clientX: left + x, clientY: top + y }));
             at('pointerdown', 50, 50);
             at('pointermove', 50, 150);
             at('pointerup', 50, 150);",
        )
        .await;
        let after_pointer = page.run(&format!("return {inked}")).await.as_u64().expect("a count");
        assert!(after_pointer > 1000, "{after_pointer} pixels are inked");
        page.run(
            "const pad = document.getElementById('pad');
             for (let n = 0; n < 8; n += 1) pad.dispatchEvent(new KeyboardEvent('keydown', { key: 'ArrowDown' }));",
        )
        .await;
        assert!(page.run(&format!("return {inked}")).await.as_u64() > Some(after_pointer + 500));
        page.press("clear").await;
        assert_eq!(page.run(&format!("return {inked}")).await, 0);
    });
}
