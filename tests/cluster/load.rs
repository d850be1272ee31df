//! Volunteers that send random updates through any gateway, and remember what was acknowledged.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use farsign::random::Stream;
use farsign::task::TaskId;
use farsign::wire::Hello;
use farsign_tests::raw_client::RawClient;

/// Time before a volunteer connects again.
const RECONNECT_DELAY: Duration = Duration::from_millis(50);

/// The volunteers.
pub struct Load {
    shared: Arc<Shared>,
    volunteers: Vec<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    stops: AtomicBool,
    count: AtomicU64,
    /// Acknowledged tasks with their messages.
    acknowledged: Mutex<Vec<(TaskId, u64)>>,
}

impl Load {
    /// Starts volunteers, each with a stream of random numbers.
    pub fn start(addresses: &[SocketAddr], volunteers: u64, parameters: usize) -> Self {
        let shared = Arc::new(Shared::default());
        let start = |seed| {
            let shared = Arc::clone(&shared);
            let addresses = addresses.to_vec();
            std::thread::spawn(move || {
                let mut stream = Stream::new(seed);
                while !shared.stops.load(Ordering::Relaxed) {
                    let gateway = stream.below(addresses.len() as u64) as usize;
                    if train(addresses[gateway], parameters, &mut stream, &shared).is_none() {
                        std::thread::sleep(RECONNECT_DELAY);
                    }
                }
            })
        };
        let volunteers = (0..volunteers).map(start).collect();
        Self { shared, volunteers }
    }

    /// Returns the number of acknowledged updates.
    pub fn acknowledged(&self) -> u64 {
        self.shared.count.load(Ordering::Relaxed)
    }

    /// Stops the volunteers, and returns the acknowledged tasks with their messages.
    pub fn stop(self) -> Vec<(TaskId, u64)> {
        self.shared.stops.store(true, Ordering::Relaxed);
        for volunteer in self.volunteers {
            volunteer.join().expect("no volunteer panics");
        }
        std::mem::take(
            &mut self
                .shared
                .acknowledged
                .lock()
                .expect("no volunteer panics"),
        )
    }
}

/// Trains until the connection ends. `None` always.
fn train(
    address: SocketAddr,
    parameters: usize,
    stream: &mut Stream,
    shared: &Shared,
) -> Option<()> {
    let mut client = RawClient::connect_to(address, &[]).ok()?;
    client.send_hello(&Hello::default());
    let mut task = client.try_recv()?.task?;
    while !shared.stops.load(Ordering::Relaxed) {
        let mut bits: Vec<u8> = (0..parameters.div_ceil(8))
            .map(|_| stream.bits() as u8)
            .collect();
        if let Some(last) = bits.last_mut().filter(|_| !parameters.is_multiple_of(8)) {
            *last &= (1 << (parameters % 8)) - 1;
        }
        client.send_update(task.id, &bits);
        let received = client.try_recv()?;
        if let Some(message) = received.accepted {
            let mut acknowledged = shared.acknowledged.lock().ok()?;
            acknowledged.push((task.id, message));
            shared.count.fetch_add(1, Ordering::Relaxed);
        }
        task = received.task?;
    }
    None
}
