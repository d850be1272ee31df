//! The simulation behind the demo of the page.

use crate::page::test_page;

/// The simulation agrees with the text next to it.
#[test]
fn demo_signs_resist_minority_of_cheaters() {
    test_page(&[], async |page, _| {
        page.wait_for("idle").await;
        let remaining = page
            .run(
                "return import('/js/panels/sign-demo.js').then(({ simulate, remainingFraction }) =>
                   [0, 6, 12].map((cheaters) => [1, 2, 3, 4, 5, 6, 7, 8].map((seed) => {
                     const last = simulate({ cheaters, seed }).at(-1);
                     return [remainingFraction(last.averaging), remainingFraction(last.signs)];
                   })))",
            )
            .await;
        let all = |cheaters: usize, way: usize, is_met: fn(f64) -> bool| {
            let runs = remaining[cheaters].as_array().expect("runs");
            assert_eq!(runs.len(), 8);
            runs.iter()
                .all(|run| is_met(run[way].as_f64().expect("a number")))
        };
        assert!(
            all(0, 0, |left| left < 0.2) && all(0, 1, |left| left < 0.2),
            "without cheaters: {remaining}"
        );
        assert!(
            all(1, 0, |left| left > 10.0),
            "six cheaters against averages: {remaining}"
        );
        assert!(
            all(1, 1, |left| left < 0.2),
            "six cheaters against signs: {remaining}"
        );
        assert!(
            all(2, 1, |left| left > 1.0),
            "a majority of cheaters: {remaining}"
        );
    });
}
