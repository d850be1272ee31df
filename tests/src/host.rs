//! A server inside the test process, on a free port of the loopback interface.

use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;

use farsign_server::app::{App, Server};
use farsign_server::config::Config;
use farsign_server::dataset_source;
use farsign_server::edge;
use farsign_server::settings::Settings;
use farsign_server::volunteer::{self, Attack, Tally, VolunteerOptions, WorkerEnd};
use serde_json::Value;
use tokio::sync::{oneshot, watch};

use crate::waiting;

/// A running server. Dropping it stops it and waits until it has stopped.
#[derive(Debug)]
pub struct Host {
    address: SocketAddr,
    app: Arc<App>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<std::io::Result<()>>>,
}

impl Host {
    /// Starts a server with these settings. Unless they say otherwise the seed is 1, and nobody connects too often: each look
    /// at the status while a test waits is a connection.
    pub fn start(settings: Settings) -> Self {
        let settings = settings.or(Settings {
            listen: Some(([127, 0, 0, 1], 0).into()),
            seed: Some(1),
            connections_per_minute: Some(1_000_000),
            ..Settings::default()
        });
        let data = dataset_source::load(settings.data.as_deref()).expect("the data is there");
        let config = Config::new(&settings, &data.train, 0).expect("the settings are valid");
        let server = Server::new(config.clone(), data).expect("a server can be set up");
        let app = server.app();
        let (stop, stopped) = oneshot::channel::<()>();
        let (tell, told) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            tokio::runtime::Runtime::new()?.block_on(async {
                let listener = edge::listen(config.listen)?;
                tell.send(listener.local_addr()?).map_err(std::io::Error::other)?;
                server.run(listener, async { _ = stopped.await }).await
            })
        });
        let address = told.recv().expect("the server listens");
        Self { address, app, stop: Some(stop), thread: Some(thread) }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Address of a path.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Address of the WebSocket.
    pub fn socket_url(&self) -> String {
        format!("ws://{}/ws", self.address)
    }

    /// The server's inside.
    pub fn app(&self) -> &App {
        &self.app
    }

    /// The body of a path.
    pub fn get(&self, path: &str) -> Vec<u8> {
        let mut response = ureq::get(self.url(path)).call().expect("the server answers");
        response.body_mut().with_config().limit(1 << 30).read_to_vec().expect("the body comes")
    }

    /// `/api/v1/status`.
    pub fn status(&self) -> Value {
        serde_json::from_slice(&self.get("/api/v1/status")).expect("the status is JSON")
    }

    /// Waits until the status meets a condition, and gives it.
    pub fn wait_until(&self, what: &str, met: impl Fn(&Value) -> bool) -> Value {
        waiting::until(|| self.status(), what, met)
    }

    /// Runs native volunteers until the run is finished; gives how each of them ended.
    pub fn train(&self, fleets: &[(usize, Attack)]) -> Vec<WorkerEnd> {
        let fleet = |&(workers, attack): &(usize, Attack)| VolunteerOptions { attack, ..self.fleet(workers) };
        self.train_with(&fleets.iter().map(fleet).collect::<Vec<_>>())
    }

    /// A fleet of this server that does nothing special.
    pub fn fleet(&self, workers: usize) -> VolunteerOptions {
        VolunteerOptions::new(self.url("").parse().expect("a server's address is one"), workers)
    }

    /// The same with any fleets.
    pub fn train_with(&self, fleets: &[VolunteerOptions]) -> Vec<WorkerEnd> {
        let (_stop, stopping) = watch::channel(false);
        std::thread::scope(|scope| {
            let run = |options| {
                let stopping = stopping.clone();
                scope
                    .spawn(move || volunteer::run(options, &Arc::new(Tally::default()), &stopping, |_, _| {}))
            };
            let fleets: Vec<_> = fleets.iter().map(run).collect();
            let ended =
                fleets.into_iter().map(|fleet| fleet.join().expect("no panic").expect("data and threads"));
            ended.flatten().collect()
        })
    }

    /// Accuracy on the held-out data of the finished model, 0 to 1.
    pub fn final_accuracy(&self) -> f64 {
        let status = self.wait_until("an evaluation of the finished model", |status| {
            status["run"]["phase"] == "finished" && status["held_out"]["at_accepted"] == status["accepted"]
        });
        status["held_out"]["accuracy"].as_f64().expect("there is an accuracy")
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        _ = self.stop.take().map(|stop| stop.send(()));
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            if !std::thread::panicking() {
                ended.expect("the server does not panic").expect("the server stops cleanly");
            }
        }
    }
}
