//! The runner of wasm-bindgen's tests, in the locked version and compiled with the workspace.
//!
//! wasm-pack would install the same program. This one shares compiled dependencies with `xtask-web`.

fn main() -> anyhow::Result<()> {
    wasm_bindgen_cli::wasm_bindgen_test_runner::run_cli_with_args(std::env::args_os())
}
