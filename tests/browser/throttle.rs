//! Resource limits: effort, cores and automatic pauses.

use serde_json::json;

use crate::cores::{choose_cores, set_cores};
use crate::page::{PRELOADED, Page, needs_chromium, test_page};

/// Waits for a hundred updates and for a processor use of at most `max` cores, and returns the use. After a moment in
/// which the machine is busy with something else, the throttle compensates.
async fn cores_in_use(page: &Page, max: f64) -> f64 {
    page.wait_until("an update", |state| state.value("own-cores").is_some())
        .await;
    let before = page.state().await.count("own-accepted");
    let condition = format!("a hundred updates and at most {max} of a core");
    let state = page.wait_until(&condition, |state| {
        state.count("own-accepted") >= before + 100.0
            && state.value("own-cores").is_some_and(|cores| cores <= max)
    });
    state.await.count("own-cores")
}

/// Returns the processor use since the start, in cores, after some more updates.
async fn cores_in_use_after(page: &Page, updates: f64) -> f64 {
    let before = page.state().await.count("own-accepted");
    let state = page.wait_until("more updates and their rate", |state| {
        state.count("own-accepted") >= before + updates && state.value("own-cores").is_some()
    });
    state.await.count("own-cores")
}

#[test]
fn effort_limits_processor_use() {
    test_page(&["--schedule", "constant"], async |page, _| {
        page.set_effort(10).await;
        page.press("start").await;
        let low = cores_in_use(page, 0.12).await;
        page.set_effort(100).await;
        let high = cores_in_use(page, 1.5).await;
        assert!(high > 1.5 * low, "{high} of a core at 100 %, {low} at 10 %");
        page.set_effort(10).await;
        cores_in_use(page, 0.12).await;
    });
}

#[test]
fn long_rests_expire_no_task() {
    // A rest at 5 % is nineteen times as long as the work, and longer than a task may take.
    let arguments = [
        "--batch",
        "4096",
        "--schedule",
        "constant",
        "--task-timeout-ms",
        "1000",
    ];
    test_page(&arguments, async |page, server| {
        page.set_effort(5).await;
        page.press("start").await;
        let state = page.wait_for("resting").await;
        assert!(state.text("detail").starts_with("Resting"), "{state:?}");
        assert_eq!(state.buttons(), ["pause", "stop"]);
        page.wait_until("updates", |state| state.count("own-accepted") >= 4.0)
            .await;
        let used = cores_in_use_after(page, 4.0).await;
        assert!(used < 0.1, "{used} of a core at 5 %");
        let status = server.status();
        assert_eq!(status["sessions_ended"]["task_timeout"], 0, "{status:#}");
        // More effort ends the rest.
        page.wait_for("resting").await;
        page.set_effort(100).await;
        page.wait_until("more updates", |state| state.count("own-accepted") >= 12.0)
            .await;
    });
}

#[test]
fn slow_device_is_reported() {
    let arguments = [
        "--hidden",
        "1024",
        "--batch",
        "8192",
        "--task-timeout-ms",
        "100",
        "--retry-after-ms",
        "100",
    ];
    test_page(&arguments, async |page, server| {
        page.start_at_full_effort().await;
        let state = page.wait_for("too-slow").await;
        let detail = state.text("detail");
        for part in ["too slow", "0.1 s", "--task-timeout-ms", "--batch"] {
            assert!(detail.contains(part), "{part}: {state:?}");
        }
        let state = page
            .wait_until("a countdown", |state| !state.text("countdown").is_empty())
            .await;
        assert_eq!(state.buttons(), ["pause", "stop"]);
        assert_eq!(server.status()["sessions_ended"]["task_timeout"], 3);
    });
}

#[test]
fn cores_are_volunteers_and_settings_persist() {
    if needs_chromium(PRELOADED) {
        return;
    }
    test_page(
        &["--model", "softmax", "--schedule", "constant"],
        async |page, server| {
            choose_cores(page, 3).await;
            page.set_effort(20).await;
            page.press("start").await;
            server.wait_until("three volunteers", |status| {
                status["volunteers"]["active"] == 3
            });
            page.wait_until("three active cores", |state| {
                state.text("detail").starts_with("3 cores")
            })
            .await;
            set_cores(page, 1).await;
            server.wait_until("one volunteer", |status| {
                status["volunteers"]["connected"] == 1
            });
            assert_eq!(
                page.wait_for("working").await.text("detail"),
                "Your device is improving the shared model."
            );
            set_cores(page, 2).await;
            server.wait_until("two volunteers", |status| {
                status["volunteers"]["connected"] == 2
            });
            let own = page.state().await.count("own-accepted");
            assert!(own <= server.status()["accepted"].as_f64().expect("a count"));

            page.reload().await;
            page.wait_for("idle").await;
            let settings = page.run("return [effort.value, cores.value]").await;
            assert_eq!(settings, json!(["20", "2"]));
            assert!(
                page.text("own-all-visits")
                    .await
                    .contains("With earlier visits")
            );
        },
    );
}

#[test]
fn hidden_tab_pauses_only_if_chosen() {
    test_page(
        &["--model", "softmax", "--schedule", "constant"],
        async |page, server| {
            page.press("start").await;
            page.wait_for("working").await;
            page.hide(true).await;
            let accepted = page.state().await.count("own-accepted");
            page.wait_until("updates while hidden", |state| {
                state.count("own-accepted") > accepted + 10.0
            })
            .await;

            page.set("pause-when-hidden", "checked = true", "change")
                .await;
            let state = page.wait_for("waiting").await;
            assert!(
                state.text("detail").starts_with("This tab is hidden."),
                "{state:?}"
            );
            assert_eq!(state.buttons(), ["pause", "stop"]);
            server.wait_until("the end of the connection", |status| {
                status["volunteers"]["connected"] == 0
            });

            page.hide(false).await;
            page.wait_for("working").await;
            page.hide(true).await;
            page.wait_for("waiting").await;
            page.press("pause").await; // overrides the automatic pause
            page.wait_for("paused").await;
            page.hide(false).await;
            assert_eq!(page.state().await.name(), "paused");
            page.press("start").await;
            page.wait_for("working").await;
        },
    );
}

#[test]
fn battery_and_metered_connection_pause() {
    if needs_chromium(PRELOADED) {
        return;
    }
    test_page(
        &["--model", "softmax", "--schedule", "constant"],
        async |page, server| {
            page.wait_for("idle").await;
            page.reload_with(
                "const target = () => Object.assign(new EventTarget(), { set(name, value, event) {
               this[name] = value;
               this.dispatchEvent(new Event(event));
             } });
             window.battery = Object.assign(target(), { charging: false });
             window.connection = Object.assign(target(), { saveData: false, type: 'wifi' });
             navigator.getBattery = async () => battery;
             Object.defineProperty(navigator, 'connection', { get: () => connection });",
            )
            .await;
            page.press("start").await;
            let state = page.wait_for("waiting").await;
            assert!(
                state
                    .text("detail")
                    .starts_with("This device runs on battery."),
                "{state:?}"
            );
            assert_eq!(server.status()["accepted"], 0, "updates on battery");
            page.run("battery.set('charging', true, 'chargingchange')")
                .await;
            page.wait_for("working").await;
            page.press("pause").await;
            page.wait_for("paused").await;
            page.run("battery.set('charging', false, 'chargingchange')")
                .await;
            page.press("start").await; // waits, because the device is on battery again
            let state = page.wait_for("waiting").await;
            assert!(
                state
                    .text("detail")
                    .starts_with("This device runs on battery."),
                "{state:?}"
            );
            page.run("battery.set('charging', true, 'chargingchange')")
                .await;
            page.wait_for("working").await;
            page.run("connection.set('type', 'cellular', 'change')")
                .await;
            let state = page.wait_for("waiting").await;
            assert!(
                state
                    .text("detail")
                    .starts_with("This connection is metered."),
                "{state:?}"
            );
            page.set("pause-on-metered", "checked = false", "change")
                .await;
            page.wait_for("working").await;
            page.press("stop").await;
            assert_eq!(page.wait_for("stopped").await.buttons(), ["start"]);
        },
    );
}
