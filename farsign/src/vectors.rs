//! Loops in the widest vectors that the processor at hand has.
//!
//! What is compiled for any processor uses the narrow vectors that all of them have. Here a loop is compiled for several
//! generations, and the newest at hand is used. That changes no bit as long as lanes are independent: nothing is summed in
//! another order, and there is no fused multiply-add.

use pulp::{Arch, NullaryFnOnce};

/// Runs a loop in the widest vectors at hand. The closure, and every function in it that has a loop, must be
/// `#[inline(always)]`: what is called is compiled for the oldest generation only.
pub fn widest<R>(run: impl FnMut() -> R) -> R {
    Arch::new().dispatch(Inlined(run))
}

/// A closure that is given to `dispatch` itself is called through a function of the compiler's own, which is not inlined.
struct Inlined<F>(F);

impl<R, F: FnMut() -> R> NullaryFnOnce for Inlined<F> {
    type Output = R;

    #[inline(always)]
    fn call(mut self) -> R {
        (self.0)()
    }
}
