//! The console watch of these tests: every error of a page or worker fails a test.

use farsign_tests::browser::Kind;

use crate::console_message::ConsoleMessage;
use crate::page::{Page, console_messages_during, test_page};

/// Runs a script in a new worker until it has posted a message or thrown. An empty page must be open, because the
/// product's pages allow only their own workers.
async fn run_in_worker(page: &Page, script: &str) {
    let quoted = serde_json::to_string(script).expect("a JSON string");
    page.run(&format!(
        "return new Promise((done) => {{
           const worker = new Worker(URL.createObjectURL(new Blob([{quoted}])));
           worker.onmessage = worker.onerror = () => done();
         }})"
    ))
    .await;
}

#[test]
fn page_and_worker_errors_are_recorded() {
    let messages = console_messages_during(&[], async |page, _| {
        page.wait_for("idle").await;
        page.run("console.log('quiet'); console.error('page error'); console.warn('page warning')")
            .await;
        page.run("setTimeout(() => { throw new Error('page exception') })")
            .await;
        page.run("Promise.reject(new Error('page rejection'))")
            .await;
        // The product's own worker with an unknown command.
        page.run(
            "return new Promise((done) => {
               const worker = new Worker('/js/worker/volunteer-worker.js', { type: 'module' });
               worker.onmessage = ({ data }) => {
                 if (data.type === 'ready') worker.postMessage({ type: 'nonsense' });
               };
               worker.onerror = () => done();
               const { port1 } = new MessageChannel(); // there is no data worker
               worker.postMessage({ type: 'connect', port: port1 }, [port1]);
             })",
        )
        .await;
        page.go_to("about:blank").await;
        run_in_worker(
            page,
            "console.error('worker error'); console.warn('worker warning'); postMessage(0)",
        )
        .await;
        run_in_worker(page, "throw new Error('worker exception')").await;
        run_in_worker(
            page,
            "Promise.reject(new Error('worker rejection')); setTimeout(() => postMessage(0))",
        )
        .await;
    });
    // Firefox reports synchronous exceptions of workers only to the page.
    let of_chromium = [
        (
            "SEVERE",
            "TypeError: actions[command.type] is not a function",
        ),
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
    let further = if Kind::chosen() == Kind::Chromium {
        &of_chromium[..]
    } else {
        &[]
    };
    let expected = [&of_both, further].concat();
    for &(level, text) in &expected {
        let is_recorded = messages
            .iter()
            .any(|message| message.level == level && message.text.contains(text));
        assert!(is_recorded, "no {level} {text:?} in {messages:#?}");
    }
    assert_eq!(messages.len(), expected.len(), "{messages:#?}");
}

#[test]
fn lines_of_firefox_itself_are_ignored() {
    for line in [
        "JavaScript error: moz-src:///browser/x.sys.mjs, line 3: Error: no",
        "JavaScript error: resource:///modules/x.sys.mjs, line 3: Error: no",
        "JavaScript error: http://127.0.0.1:1/js/main.js, line 86: Script terminated by timeout at:",
        "console.error: RSLoader: ",
        "console.log: \"quiet\"",
    ] {
        assert!(ConsoleMessage::from_line(line).is_none(), "{line}");
    }
    for line in [
        "JavaScript error: http://127.0.0.1:1/js/main.js, line 3: Error: yes",
        "JavaScript error: , line 0: Error: yes",
        "console.warn: \"yes\"",
    ] {
        assert!(ConsoleMessage::from_line(line).is_some(), "{line}");
    }
}

#[test]
#[should_panic(expected = "the console has messages")]
fn page_exception_fails_a_test() {
    test_page(&[], async |page, _| {
        page.run("setTimeout(() => { throw new Error('on purpose') })")
            .await;
    });
}

#[test]
#[should_panic(expected = "the console has messages")]
fn worker_error_fails_a_test() {
    test_page(&[], async |page, _| {
        page.go_to("about:blank").await;
        run_in_worker(page, "console.error('on purpose'); postMessage(0)").await;
    });
}
