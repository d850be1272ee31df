//! A volunteer in another language, written from docs/protocol.md alone, trains against the real server.

use std::path::Path;
use std::process::Command;

use farsign_tests::process::Server;

#[test]
fn the_python_volunteer_trains_a_model() {
    let python = std::env::var_os("FARSIGN_PYTHON").expect("`cargo xtask test third-party` names a Python");
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("third-party/volunteer.py");
    for directions in ["coordinate", "hadamard"] {
        let server = Server::start(&["--model", "softmax", "--directions", directions, "--rule", "plain"]);
        let url = format!("http://{}", server.address());
        let mut volunteer = Command::new(&python);
        let output =
            volunteer.arg(&program).args(["--url", &url, "--contributions", "300"]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{directions}: {said}");
        let status = server.wait_until("an evaluation of what it did", |status| {
            status["accepted"].as_u64() >= Some(300)
                && status["held_out"]["at_accepted"].as_u64() >= Some(280)
        });
        assert!(status["held_out"]["accuracy"].as_f64() >= Some(0.85), "{directions}: {status:#}");
        let rejected = status["rejected"].as_object().unwrap();
        assert!(rejected.values().all(|count| *count == 0), "{directions}: {rejected:?}");
    }
}
