//! Measures the calls of the algorithm next to their peers. Fails if one exceeds its bound.

use std::process::ExitCode;

use farsign_bench_check::bounds;
use farsign_bench_check::verdict::report;

fn main() -> ExitCode {
    if report(&bounds::measure()) {
        ExitCode::SUCCESS
    } else {
        eprintln!("error: expected every ratio within its bound, found some above");
        ExitCode::FAILURE
    }
}
