//! A child process whose output is kept.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::{Duration, Instant};

use crate::wait::{POLL_INTERVAL, TEST_TIMEOUT};

/// A child process. Dropping it kills it.
#[derive(Debug)]
pub struct ChildProcess {
    name: String,
    child: Child,
    lines: Receiver<String>,
    /// Lines received from `lines`.
    output: Vec<String>,
}

impl ChildProcess {
    /// Starts the process.
    pub fn start(command: &mut Command) -> Self {
        let name = command.get_program().to_string_lossy().into_owned();
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command
            .spawn()
            .unwrap_or_else(|error| panic!("{name} could not be started: {error}"));
        let (sender, lines) = mpsc::channel();
        forward_lines(child.stdout.take(), sender.clone());
        forward_lines(child.stderr.take(), sender);
        Self {
            name,
            child,
            lines,
            output: Vec::new(),
        }
    }

    /// Waits for a line in which `find` returns a value, and returns the value.
    pub fn find_line<T>(&mut self, what: &str, find: impl Fn(&str) -> Option<T>) -> T {
        let started = Instant::now();
        loop {
            let remaining = TEST_TIMEOUT.saturating_sub(started.elapsed());
            let Ok(line) = self.lines.recv_timeout(remaining) else {
                panic!(
                    "{} ended or timed out before it printed {what}: {:#?}",
                    self.name, self.output
                )
            };
            let found = find(&line);
            self.output.push(line);
            if let Some(found) = found {
                return found;
            }
        }
    }

    /// Waits until each text was printed on a line, and returns all lines so far.
    pub fn wait_for_lines(&mut self, texts: &[&str]) -> &[String] {
        for text in texts {
            if !self.output.iter().any(|line| line.contains(text)) {
                self.find_line(text, |line| line.contains(text).then_some(()));
            }
        }
        &self.output
    }

    /// Returns the process ID.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for the process to exit, and returns whether it exited in time.
    pub fn exits_within(&mut self, timeout: Duration) -> bool {
        let started = Instant::now();
        loop {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return true;
            }
            if started.elapsed() >= timeout {
                return false;
            }
            std::thread::sleep(POLL_INTERVAL);
        }
    }
}

impl Drop for ChildProcess {
    fn drop(&mut self) {
        _ = self.child.kill(); // the process may have exited
        _ = self.child.wait();
        // A grandchild may hold the pipes open, so the rest of the output is not waited for.
        self.output.extend(self.lines.try_iter());
        if std::thread::panicking() {
            eprintln!("output of {}: {:#?}", self.name, self.output);
        } else {
            let panicked = self.output.iter().any(|line| line.contains("panicked at"));
            assert!(!panicked, "{} panicked: {:#?}", self.name, self.output);
        }
    }
}

fn forward_lines(pipe: Option<impl Read + Send + 'static>, sender: Sender<String>) {
    let lines = BufReader::new(pipe.expect("the output is piped")).lines();
    std::thread::spawn(move || {
        lines
            .map_while(Result::ok)
            .try_for_each(|line| sender.send(line))
    });
}
