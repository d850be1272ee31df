//! A call and its peer, and the ratio of their times.

use std::time::{Duration, Instant};

/// Number of samples of each, taken in alternation.
const ROUNDS: usize = 25;

/// Approximate duration of a sample: shorter than a time slice of the system, so that some samples are undisturbed.
const SAMPLE: Duration = Duration::from_millis(2);

/// A call and the peer that its time is compared with.
pub struct Pair {
    /// The call.
    pub call: Box<dyn FnMut()>,
    /// The peer.
    pub peer: Box<dyn FnMut()>,
}

impl Pair {
    /// Returns the time of the call over that of the peer, each from its fastest sample.
    ///
    /// Other programs only ever add time to a sample, so the fastest one is the least disturbed.
    pub fn ratio(&mut self) -> f64 {
        let contenders = [&mut self.call, &mut self.peer];
        let mut contenders = contenders.map(|call| (calls_per_sample(call), call, f64::INFINITY));
        for _ in 0..ROUNDS {
            for (calls, call, fastest) in &mut contenders {
                *fastest = fastest.min(seconds_per_call(call, *calls));
            }
        }
        let [(.., call), (.., peer)] = contenders;
        call / peer
    }
}

/// Returns the number of calls that last about as long as a sample.
fn calls_per_sample(call: &mut dyn FnMut()) -> u32 {
    call(); // fills buffers and caches
    let calls = SAMPLE.as_secs_f64() / seconds_per_call(call, 1).max(1e-9);
    (calls as u32).max(1)
}

fn seconds_per_call(call: &mut dyn FnMut(), calls: u32) -> f64 {
    let started = Instant::now();
    (0..calls).for_each(|_| call());
    started.elapsed().as_secs_f64() / f64::from(calls)
}
