//! What the page may use: effort, cores, and when it pauses by itself.

use serde_json::json;

use crate::page::{PRELOADED, Page, needs_chromium, test_page};

/// What the page says that it uses, a hundred answers or more from now, when that is within bounds: a moment in which
/// the machine is busy with something else is made up for by the rest after it.
async fn cores_in_use(page: &Page, most: f64) -> f64 {
    page.wait_until("an answer", |facts| facts.value("own-cores").is_some()).await;
    let before = page.facts().await.count("own-accepted");
    let what = format!("a hundred answers and at most {most} of a core");
    let facts = page.wait_until(&what, |facts| {
        facts.count("own-accepted") >= before + 100.0
            && facts.value("own-cores").is_some_and(|cores| cores <= most)
    });
    facts.await.count("own-cores")
}

#[test]
fn the_effort_is_kept_and_changes_at_once() {
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
fn several_cores_are_several_volunteers_and_choices_are_remembered() {
    if needs_chromium(PRELOADED) {
        return;
    }
    test_page(&["--model", "softmax", "--schedule", "constant"], async |page, server| {
        page.wait_for("idle").await;
        page.reload_with("Object.defineProperty(navigator, 'hardwareConcurrency', { get: () => 4 })").await;
        page.set("cores", "value = '3'", "change").await;
        page.set_effort(20).await;
        page.press("start").await;
        server.wait_until("three volunteers", |status| status["volunteers"]["active"] == 3);
        page.wait_until("all three at work", |facts| facts.text("detail").starts_with("3 cores")).await;
        page.set("cores", "value = '1'", "change").await;
        server.wait_until("one volunteer", |status| status["volunteers"]["connected"] == 1);
        assert_eq!(
            page.wait_for("working").await.text("detail"),
            "Your answers are shaping the shared model."
        );
        page.set("cores", "value = '2'", "change").await;
        server.wait_until("two volunteers", |status| status["volunteers"]["connected"] == 2);
        let own = page.facts().await.count("own-accepted");
        assert!(own <= server.status()["accepted"].as_f64().expect("a count"));

        page.reload().await;
        page.wait_for("idle").await;
        let chosen = page.run("return [effort.value, cores.value]").await;
        assert_eq!(chosen, json!(["20", "2"]));
        assert!(page.text("own-ever").await.contains("With earlier visits"), "what was done is remembered");
    });
}

#[test]
fn a_hidden_tab_works_on_unless_it_is_to_pause() {
    test_page(&["--model", "softmax", "--schedule", "constant"], async |page, server| {
        page.press("start").await;
        page.wait_for("working").await;
        page.hide(true).await;
        let accepted = page.facts().await.count("own-accepted");
        page.wait_until("answers while hidden", |facts| facts.count("own-accepted") > accepted + 10.0).await;

        page.set("rest-hidden", "checked = true", "change").await;
        let facts = page.wait_for("held").await;
        assert!(facts.text("detail").starts_with("This tab is hidden."), "{facts:?}");
        assert_eq!(facts.buttons(), ["pause", "stop"]);
        server.wait_until("the end of the connection", |status| status["volunteers"]["connected"] == 0);

        page.hide(false).await;
        page.wait_for("working").await;
        page.hide(true).await;
        page.wait_for("held").await;
        page.press("pause").await; // the person's own word counts more
        page.wait_for("paused").await;
        page.hide(false).await;
        assert_eq!(page.facts().await.state(), "paused");
        page.press("start").await;
        page.wait_for("working").await;
    });
}

#[test]
fn on_battery_and_on_metered_connections_it_waits() {
    if needs_chromium(PRELOADED) {
        return;
    }
    test_page(&["--model", "softmax", "--schedule", "constant"], async |page, server| {
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
        let facts = page.wait_for("held").await;
        assert!(facts.text("detail").starts_with("This device runs on battery."), "{facts:?}");
        assert_eq!(server.status()["accepted"], 0, "it has worked on battery");
        page.run("battery.set('charging', true, 'chargingchange')").await;
        page.wait_for("working").await;
        page.press("pause").await;
        page.wait_for("paused").await;
        page.run("battery.set('charging', false, 'chargingchange')").await;
        page.press("start").await; // on battery again: it is wanted, and waits
        let facts = page.wait_for("held").await;
        assert!(facts.text("detail").starts_with("This device runs on battery."), "{facts:?}");
        page.run("battery.set('charging', true, 'chargingchange')").await;
        page.wait_for("working").await;
        page.run("connection.set('type', 'cellular', 'change')").await;
        let facts = page.wait_for("held").await;
        assert!(facts.text("detail").starts_with("This connection is metered."), "{facts:?}");
        page.set("rest-metered", "checked = false", "change").await;
        page.wait_for("working").await;
        page.press("stop").await;
        assert_eq!(page.wait_for("stopped").await.buttons(), ["start"]);
    });
}
