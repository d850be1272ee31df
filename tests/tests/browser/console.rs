//! The watch over the console works: whatever goes wrong on a page or in a worker is noticed, and fails the test.

use farsign_tests::browser::Kind;

use crate::page::{Page, complaints_during, test_page};

/// Runs a script in a new worker, until it has posted a message or thrown. The product's page allows no worker but its
/// own, so an empty page must be open.
async fn run_in_worker(page: &Page, script: &str) {
    let quoted = serde_json::to_string(script).expect("a text can be quoted");
    page.run(&format!(
        "return new Promise((done) => {{
           const worker = new Worker(URL.createObjectURL(new Blob([{quoted}])));
           worker.onmessage = worker.onerror = () => done();
         }})"
    ))
    .await;
}

#[test]
fn errors_and_warnings_of_page_and_worker_are_noticed() {
    let complaints = complaints_during(&[], async |page, _| {
        page.wait_for("idle").await;
        page.run("console.log('quiet'); console.error('page error'); console.warn('page warning')").await;
        page.run("setTimeout(() => { throw new Error('page exception') })").await;
        page.run("Promise.reject(new Error('page rejection'))").await;
        // The product's own worker, told to do what it cannot.
        page.run(
            "return new Promise((done) => {
               const worker = new Worker('worker.js', { type: 'module' });
               worker.onmessage = () => worker.postMessage({ type: 'nonsense' });
               worker.onerror = () => done();
             })",
        )
        .await;
        page.go_to("about:blank").await;
        run_in_worker(page, "console.error('worker error'); console.warn('worker warning'); postMessage(0)")
            .await;
        run_in_worker(page, "throw new Error('worker exception')").await;
        run_in_worker(
            page,
            "Promise.reject(new Error('worker rejection')); setTimeout(() => postMessage(0))",
        )
        .await;
    });
    // What a worker throws outside promises, Firefox tells nobody but the page.
    let of_chromium = [
        ("SEVERE", "TypeError: actions[data.type] is not a function"),
        ("SEVERE", "Error: worker exception"),
    ];
    let of_both = [
        ("SEVERE", "page error"),
        ("WARNING", "page warning"),
        ("SEVERE", "Error: page exception"),
        ("SEVERE", "Error: page rejection"),
        ("SEVERE", "worker error"),
        ("WARNING", "worker warning"),
        ("SEVERE", "Error: worker rejection"),
    ];
    let further = if Kind::chosen() == Kind::Chromium { &of_chromium[..] } else { &[] };
    let expected = [&of_both, further].concat();
    for &(level, text) in &expected {
        let noticed = complaints.iter().any(|said| said.level == level && said.message.contains(text));
        assert!(noticed, "no {level} {text:?} among {complaints:#?}");
    }
    assert_eq!(complaints.len(), expected.len(), "{complaints:#?}");
}

#[test]
#[should_panic(expected = "the browser's console complained")]
fn an_exception_on_the_page_fails_a_test() {
    test_page(&[], async |page, _| {
        page.run("setTimeout(() => { throw new Error('on purpose') })").await;
    });
}

#[test]
#[should_panic(expected = "the browser's console complained")]
fn an_error_in_a_worker_fails_a_test() {
    test_page(&[], async |page, _| {
        page.go_to("about:blank").await;
        run_in_worker(page, "console.error('on purpose'); postMessage(0)").await;
    });
}
