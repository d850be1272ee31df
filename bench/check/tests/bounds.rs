//! The table of bounds: what it detects, and where it is published.

use farsign_bench_check::bounds::{BOUNDS, table};

/// Number of calls that the slow variant of a call makes.
const SLOWDOWN: usize = 5;

/// Tests compile this project's packages without most optimizations, which can only add time to a call.
#[test]
fn slowed_calls_exceed_their_bounds() {
    for bound in &BOUNDS {
        let Some(pair) = bound.pair else { continue };
        let mut pair = pair();
        let mut call = pair.call;
        pair.call = Box::new(move || (0..SLOWDOWN).for_each(|_| call()));
        let ratio = pair.ratio();
        let what = bound.what();
        assert!(
            ratio > bound.widest,
            "{what}: {ratio:.2} for {SLOWDOWN} calls, within {}",
            bound.widest
        );
    }
}

#[test]
fn document_shows_table_of_bounds() {
    let document = include_str!("../../../docs/performance.md");
    assert!(
        document.contains(&table()),
        "expected in docs/performance.md:\n{}",
        table()
    );
}
