//! A server inside the test process, on a free port of the loopback interface.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;

use farsign::dataset::hexadecimal;
use farsign::keys::{Key, RunKeys};
use farsign_server::data::loader::{self, DataSource, TrainAndHeldOut};
use farsign_server::net::listen_sockets;
use farsign_server::state::AppState;
use farsign_server::{Config, Server, Settings};
use farsign_volunteer::{Attack, FleetOptions, FleetStats, WorkerExit, run_fleet};
use serde_json::Value;
use tokio::sync::{oneshot, watch};

use crate::wait;

/// Keys of all test servers. With the usual probability, no update of the first 96 records is verified, so that a short test
/// may send any signs.
const KEYS: RunKeys = RunKeys {
    tasks: Key::new([1; Key::BYTES]),
    sampling: Key::new([181; Key::BYTES]),
};

/// A running server. Dropping it stops it and waits until it has stopped.
#[derive(Debug)]
pub struct TestServer {
    address: SocketAddr,
    state: Arc<AppState>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<std::io::Result<()>>>,
}

impl TestServer {
    /// Starts a server with these settings.
    ///
    /// By default the seed is 1 and the connection rate is unlimited, because each poll of the status is a connection. The
    /// keys are always the same.
    pub fn start(settings: Settings) -> Self {
        let settings = settings.or(Settings {
            listen: Some(([127, 0, 0, 1], 0).into()),
            seed: Some(1),
            connections_per_minute: Some(1_000_000),
            ..Settings::default()
        });
        let data = load(&settings.data_source());
        let mut config = Config::new(&settings, &data, 0).expect("valid settings");
        config.keys = KEYS;
        let server = Server::new(config.clone(), data).expect("a server");
        let state = server.state();
        let (stop, stopped) = oneshot::channel::<()>();
        let (bound, address) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            tokio::runtime::Runtime::new()?.block_on(async {
                let listener = listen_sockets::bind(&config.listen)?;
                bound
                    .send(listener.local_addr()?)
                    .map_err(std::io::Error::other)?;
                server.run(listener, async { _ = stopped.await }).await
            })
        });
        let address = address.recv().expect("the server listens");
        Self {
            address,
            state,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    /// Returns the address that the server listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the URL of a path.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Returns the internal state of the server.
    pub fn state(&self) -> &AppState {
        &self.state
    }

    /// Returns the paths of the shards of the training data, in order.
    pub fn shard_paths(&self) -> Vec<String> {
        let entries = self.state().data.shards.data().list().entries();
        let path = |digest| format!("/api/v1/data/shards/{}", hexadecimal(digest));
        entries.iter().map(|entry| path(entry.digest)).collect()
    }

    /// Returns the body of a path.
    pub fn get(&self, path: &str) -> Vec<u8> {
        let mut response = ureq::get(self.url(path)).call().expect("a response");
        response
            .body_mut()
            .with_config()
            .limit(1 << 30)
            .read_to_vec()
            .expect("a body")
    }

    /// Returns `/api/v1/status`.
    pub fn status(&self) -> Value {
        serde_json::from_slice(&self.get("/api/v1/status")).expect("the status is JSON")
    }

    /// Polls the status until it meets a condition, and returns it.
    pub fn wait_until(&self, what: &str, is_met: impl Fn(&Value) -> bool) -> Value {
        wait::wait_for(|| self.status(), what, is_met)
    }

    /// Returns the options of an honest fleet for this server.
    pub fn fleet(&self, workers: usize) -> FleetOptions {
        FleetOptions::new(self.url("").parse().expect("a server URL"), workers)
    }

    /// Runs one fleet per attack until the run is finished, and returns the exits of all workers.
    pub fn train(&self, fleets: &[(usize, Attack)]) -> Vec<WorkerExit> {
        let fleet = |&(workers, attack): &(usize, Attack)| FleetOptions {
            attack,
            ..self.fleet(workers)
        };
        self.train_with(&fleets.iter().map(fleet).collect::<Vec<_>>())
    }

    /// Runs fleets until the run is finished, and returns the exits of all workers.
    pub fn train_with(&self, fleets: &[FleetOptions]) -> Vec<WorkerExit> {
        let (_stop, stopping) = watch::channel(false);
        std::thread::scope(|scope| {
            let start = |options| {
                let stopping = stopping.clone();
                scope.spawn(move || {
                    run_fleet(
                        options,
                        &Arc::new(FleetStats::default()),
                        &stopping,
                        |_, _| {},
                    )
                })
            };
            let fleets: Vec<_> = fleets.iter().map(start).collect();
            let exits = fleets
                .into_iter()
                .map(|fleet| fleet.join().expect("no panic").expect("a fleet"));
            exits.flatten().collect()
        })
    }

    /// Returns the held-out accuracy of the finished model, 0 to 1.
    pub fn final_accuracy(&self) -> f64 {
        let status = self.wait_until("an evaluation of the finished model", |status| {
            status["run"]["phase"] == "finished"
                && status["held_out"]["at_accepted"] == status["accepted"]
        });
        status["held_out"]["accuracy"]
            .as_f64()
            .expect("an accuracy")
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        _ = self.stop.take().map(|stop| stop.send(()));
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            if !std::thread::panicking() {
                ended
                    .expect("the server does not panic")
                    .expect("the server stops cleanly");
            }
        }
    }
}

/// Loads data. The servers of a process share the built-in digits, which are packed once.
fn load(source: &DataSource) -> TrainAndHeldOut {
    static BUILT_IN: OnceLock<TrainAndHeldOut> = OnceLock::new();
    let load = || loader::load(source, &mut |_| {}).expect("the data exists");
    if *source == DataSource::default() {
        BUILT_IN.get_or_init(load).clone()
    } else {
        load()
    }
}
