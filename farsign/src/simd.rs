//! Runtime dispatch of loops to the widest vector instructions of the processor.
//!
//! A binary compiled for every processor uses only the narrow vectors that all of them have. This module compiles a
//! loop for several generations and runs the newest available one. Results are identical to the bit, provided that
//! lanes are independent: the order of sums does not change, and multiply-adds are not fused.

#[cfg(feature = "reference")]
use std::cell::Cell;

use pulp::{Arch, NullaryFnOnce};

#[cfg(feature = "reference")]
thread_local! {
    static BASELINE: Cell<bool> = const { Cell::new(false) };
}

/// Runs `run` with the vectors that every processor has, on this thread.
///
/// Tests compare the bits, and benchmarks the time, with those of the widest vectors.
#[cfg(feature = "reference")]
pub fn with_baseline_vectors<R>(run: impl FnOnce() -> R) -> R {
    let before = BASELINE.replace(true);
    let result = run();
    BASELINE.set(before);
    result
}

/// Runs `run`, compiled for the widest available vectors.
///
/// The closure and every function in it that has a loop must be `#[inline(always)]`: a function that is called rather
/// than inlined is compiled for the oldest generation. The closure must be `move` and capture numbers by value: a
/// reference to a number may alias a slice that the loop writes, which prevents vectorisation.
pub fn dispatch<R>(run: impl FnOnce() -> R) -> R {
    #[cfg(feature = "reference")]
    if BASELINE.get() {
        return run();
    }
    Arch::new().dispatch(InlineClosure(run))
}

/// An adapter whose call is inlined. A closure passed to `dispatch` directly is called through a function that the
/// compiler generates and does not inline.
struct InlineClosure<F>(F);

impl<R, F: FnOnce() -> R> NullaryFnOnce for InlineClosure<F> {
    type Output = R;

    #[inline(always)]
    fn call(self) -> R {
        (self.0)()
    }
}
