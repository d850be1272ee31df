//! One worker: connects, computes updates, and reconnects.

use std::convert::Infallible;
use std::ops::ControlFlow;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use farsign::backoff::Backoff;
use farsign::dataset::ShardedDataset;
use farsign::model::Architecture;
use farsign::task::{Goodbye, GoodbyeReason, Secret, Task};
use farsign::task_timing::TaskTiming;
use farsign::volunteer::{Event, Volunteer, VolunteerError};
use farsign::wire::{Capabilities, ClientFrame, Hello};
use futures_util::{SinkExt, StreamExt};
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::tungstenite::{self, Bytes, Message};

use crate::attack::AttackState;
use crate::remote::Socket;
use crate::training_data::TrainingData;
use crate::{FleetOptions, FleetStats, WorkerEvent, WorkerExit};

const AGENT: &str = concat!("farsign-native/", env!("CARGO_PKG_VERSION"));

/// Time without a message after which the server counts as gone. It sends a ping every 30 s.
const IDLE_TIMEOUT: Duration = Duration::from_secs(90);

/// Time to read the messages that arrived before the connection was lost.
const DRAIN_TIMEOUT: Duration = Duration::from_millis(200);

/// Time to open a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);

/// Time for the closing handshake.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// Size of the largest snapshot with the records around it.
const MAX_MESSAGE_BYTES: usize = 4 * Architecture::MAX_PARAMETERS as usize + 4096;

struct Worker<'a> {
    options: &'a FleetOptions,
    stats: &'a FleetStats,
    on_event: &'a dyn Fn(WorkerEvent),
    /// The data of all workers, from which newer data comes.
    source: &'a TrainingData,
    data: ShardedDataset,
    /// Set between loading other data and the next welcome.
    is_reloaded: bool,
    volunteer: Volunteer,
    attack: AttackState,
    /// Data that the attack computes on. `None` if it uses the training data.
    poisoned: Option<ShardedDataset>,
    /// Secret that identifies the volunteer across sessions.
    secret: Secret,
    /// Malicious updates sent under the current identity.
    malicious_updates: u64,
    events: Vec<Event>,
    frame: Vec<u8>,
    backoff: Backoff,
    timing: TaskTiming,
    /// The part of the delay that the last task left no time for.
    remaining_delay: Duration,
}

/// The reason why a session ended.
enum Disconnect {
    /// The connection was lost; the worker retries after its own backoff.
    Lost(String),
    /// The server requested a retry after this delay, in ms.
    RetryAfter(u32, GoodbyeReason),
    /// The worker rests for longer than a task may stay open.
    Rest(Duration),
    /// The server trains on other data than this worker has.
    OtherData,
    /// The worker does not reconnect.
    Exit(WorkerExit),
}

impl From<tungstenite::Error> for Disconnect {
    fn from(error: tungstenite::Error) -> Self {
        Self::Lost(error.to_string())
    }
}

impl From<VolunteerError> for Disconnect {
    fn from(error: VolunteerError) -> Self {
        Self::Exit(WorkerExit::Failed(error))
    }
}

/// Runs a worker on the calling thread until it ends.
pub fn run(
    options: &FleetOptions,
    secret: Secret,
    data: ShardedDataset,
    source: &TrainingData,
    stats: &FleetStats,
    mut stop: watch::Receiver<bool>,
    on_event: &dyn Fn(WorkerEvent),
) -> WorkerExit {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime.expect("a single-threaded runtime starts");
    let attack = attack_state(options);
    let mut worker = Worker {
        options,
        stats,
        on_event,
        poisoned: attack.poisoned(&data),
        attack,
        secret,
        malicious_updates: 0,
        volunteer: Volunteer::new(data.clone()),
        source,
        data,
        is_reloaded: false,
        events: Vec::new(),
        frame: Vec::new(),
        backoff: Backoff::default(),
        timing: TaskTiming::default(),
        remaining_delay: Duration::ZERO,
    };
    runtime.block_on(async {
        tokio::select! {
            exit = worker.run_until_closed() => exit,
            _ = stop.wait_for(|stop| *stop) => WorkerExit::Stopped,
        }
    })
}

fn attack_state(options: &FleetOptions) -> AttackState {
    AttackState::new(options.attack, options.honest_updates, rand::random())
}

impl Worker<'_> {
    async fn run_until_closed(&mut self) -> WorkerExit {
        const EJECTED: WorkerExit = WorkerExit::Ejected(GoodbyeReason::FailedVerification);
        loop {
            let (delay_ms, cause) = match self.session().await {
                Disconnect::Exit(EJECTED) if self.options.rejoin => {
                    self.rejoin_as_new();
                    continue;
                }
                Disconnect::Exit(exit) => {
                    if exit == EJECTED {
                        self.rejoin_as_new();
                    }
                    return exit;
                }
                Disconnect::Rest(rest) => {
                    (self.on_event)(WorkerEvent::Resting(rest));
                    tokio::time::sleep(rest).await;
                    continue;
                }
                Disconnect::OtherData => match self.reload().await {
                    Ok(()) => continue,
                    Err(exit) => return exit,
                },
                Disconnect::RetryAfter(delay_ms, GoodbyeReason::TaskTimeout) => {
                    self.after_timeout(delay_ms)
                }
                Disconnect::RetryAfter(delay_ms, reason) => (delay_ms, reason.to_string()),
                Disconnect::Lost(cause) => (self.backoff.next_ms(rand::random()), cause),
            };
            (self.on_event)(WorkerEvent::Waiting { delay_ms, cause });
            tokio::time::sleep(Duration::from_millis(delay_ms.into())).await;
        }
    }

    /// Returns the delay after a task that timed out, and the cause to report.
    fn after_timeout(&mut self, delay_ms: u32) -> (u32, String) {
        match self.timing.record_timeout() {
            Some(slow) => (slow.delay_ms().max(delay_ms), slow.to_string()),
            None => (delay_ms, GoodbyeReason::TaskTimeout.to_string()),
        }
    }

    /// Loads the server's new data.
    async fn reload(&mut self) -> Result<(), WorkerExit> {
        let wait = |delay_ms, cause| (self.on_event)(WorkerEvent::Waiting { delay_ms, cause });
        let stale = self.data.digest();
        let loaded = self.source.load(Some(stale), &mut self.backoff, wait).await;
        self.data = loaded.map_err(|error| WorkerExit::NoData(error.to_string()))?;
        self.volunteer = Volunteer::new(self.data.clone());
        self.poisoned = self.attack.poisoned(&self.data);
        self.is_reloaded = true;
        Ok(())
    }

    /// Records the ejection of an attacker and draws a new identity.
    fn rejoin_as_new(&mut self) {
        self.stats
            .record_ejection(std::mem::take(&mut self.malicious_updates));
        self.attack = attack_state(self.options);
        self.secret = Secret(rand::random());
    }

    async fn session(&mut self) -> Disconnect {
        let mut socket = match self.connect().await {
            Ok(socket) => socket,
            Err(disconnect) => return disconnect,
        };
        let disconnect = match self.work(&mut socket).await {
            Ok(never) => match never {},
            Err(disconnect) => disconnect,
        };
        if self.volunteer.leave() {
            self.stats.connected.fetch_sub(1, Ordering::Relaxed);
        }
        _ = timeout(CLOSE_TIMEOUT, socket.close(None)).await; // the server may be gone
        disconnect
    }

    async fn connect(&self) -> Result<Socket, Disconnect> {
        let config = WebSocketConfig::default()
            .max_message_size(Some(MAX_MESSAGE_BYTES))
            .max_frame_size(Some(MAX_MESSAGE_BYTES))
            .write_buffer_size(0);
        timeout(CONNECT_TIMEOUT, self.options.server.connect(config))
            .await
            .unwrap_or_else(|_| Err("the connection timed out".to_owned()))
            .map_err(Disconnect::Lost)
    }

    async fn work(&mut self, socket: &mut Socket) -> Result<Infallible, Disconnect> {
        let hello = Hello {
            agent: AGENT,
            capabilities: Capabilities {
                deltas: true,
                half_snapshots: self.options.half_snapshots,
            },
            secret: Some(self.secret),
            token: self.options.token.as_deref(),
        };
        ClientFrame::hello(&hello, &mut self.frame);
        socket
            .send(Message::Binary(Bytes::copy_from_slice(&self.frame)))
            .await?;
        loop {
            let message = timeout(IDLE_TIMEOUT, socket.next()).await;
            match message.map_err(|_| Disconnect::Lost("the server timed out".to_owned()))? {
                Some(Ok(Message::Binary(frame))) => {
                    if let ControlFlow::Continue(task) = self.handle_frame(&frame)? {
                        if !self.remaining_delay.is_zero() {
                            let rest = std::mem::take(&mut self.remaining_delay);
                            return Err(Disconnect::Rest(rest));
                        }
                        self.grow();
                        self.compute_update(&task)?;
                        self.delay().await;
                        let update = Message::Binary(Bytes::copy_from_slice(&self.frame));
                        if let Err(error) = socket.send(update).await {
                            self.drain(socket).await?;
                            return Err(error.into());
                        }
                    }
                }
                // The protocol has no text messages; decoding one as a frame returns the error.
                Some(Ok(Message::Text(text))) => _ = self.handle_frame(text.as_bytes())?,
                Some(Ok(Message::Close(close))) => return Err(closed(close)),
                None => return Err(closed(None)),
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error.into()),
            }
        }
    }

    /// Waits for the delay, or for as much of it as the open task leaves time for.
    async fn delay(&mut self) {
        let delay = self.options.delay;
        if delay.is_zero() {
            return;
        }
        let max = Duration::try_from_secs_f64(self.timing.max_rest_ms() / 1000.0);
        let now = delay.min(max.unwrap_or(Duration::MAX));
        self.remaining_delay = delay.saturating_sub(now);
        tokio::time::sleep(now).await;
    }

    /// Reads the messages that arrived before the connection was lost.
    ///
    /// A goodbye among them has the reason and the retry delay.
    async fn drain(&mut self, socket: &mut Socket) -> Result<(), Disconnect> {
        while let Ok(Some(Ok(message))) = timeout(DRAIN_TIMEOUT, socket.next()).await {
            if let Message::Binary(frame) = message {
                _ = self.handle_frame(&frame)?;
            }
        }
        Ok(())
    }

    /// Handles a frame and continues with its task, if it has one.
    fn handle_frame(&mut self, frame: &[u8]) -> Result<ControlFlow<(), Task>, Disconnect> {
        self.events.clear();
        match self.volunteer.receive(frame, &mut self.events) {
            Err(VolunteerError::DatasetMismatch) if !self.is_reloaded => {
                return Err(Disconnect::OtherData);
            }
            received => received?,
        }
        let mut next = ControlFlow::Break(());
        for event in self.events.drain(..) {
            match event {
                Event::Joined => {
                    self.stats.connected.fetch_add(1, Ordering::Relaxed);
                    self.backoff.succeeded();
                    self.is_reloaded = false;
                    if let Some(timeout_ms) = self.volunteer.task_timeout_ms() {
                        self.timing.join(timeout_ms);
                    }
                    (self.on_event)(WorkerEvent::Joined);
                }
                Event::Accepted(_) => {
                    self.stats.accepted.fetch_add(1, Ordering::Relaxed);
                    self.timing.record_accepted();
                }
                Event::Rejected(reason) => {
                    self.stats.rejected.fetch_add(1, Ordering::Relaxed);
                    (self.on_event)(WorkerEvent::Rejected(reason));
                }
                Event::Task(task) => next = ControlFlow::Continue(task),
                Event::Goodbye(goodbye) => return Err(dismissed(goodbye)),
            }
        }
        Ok(next)
    }

    /// Takes the shards that were downloaded since the last task.
    fn grow(&mut self) {
        if self.data.is_complete() {
            return;
        }
        let newest = self.source.newest();
        let grown = |data: &ShardedDataset| {
            data.digest() == self.data.digest() && data.held() > self.data.held()
        };
        if let Some(data) = newest.filter(grown) {
            self.poisoned = self.attack.poisoned(&data);
            self.volunteer.grow(&data);
            self.data = data;
        }
    }

    fn compute_update(&mut self, task: &Task) -> Result<(), Disconnect> {
        let started = Instant::now();
        let signs = match &self.poisoned {
            None => self.volunteer.compute_update(task)?,
            Some(data) => self.volunteer.compute_update_on(task, data)?,
        };
        let malicious = self.attack.malicious_update(signs);
        self.malicious_updates += u64::from(self.poisoned.is_some() || malicious.is_some());
        ClientFrame::update(
            task.id,
            malicious.as_ref().unwrap_or(signs),
            &mut self.frame,
        );
        self.timing
            .record_update(started.elapsed().as_secs_f64() * 1000.0);
        Ok(())
    }
}

/// Interprets a close without a goodbye. After these codes a new session would end in the same way.
fn closed(close: Option<CloseFrame>) -> Disconnect {
    let ejected = |reason| Disconnect::Exit(WorkerExit::Ejected(reason));
    match close.map(|close| close.code) {
        Some(CloseCode::Protocol) => ejected(GoodbyeReason::Malformed),
        Some(CloseCode::Policy) => ejected(GoodbyeReason::TooManyRejects),
        Some(CloseCode::Size) => ejected(GoodbyeReason::Oversize),
        _ => Disconnect::Lost("the server closed the connection".to_owned()),
    }
}

fn dismissed(goodbye: Goodbye) -> Disconnect {
    match (goodbye.reason, goodbye.retry_after_ms) {
        (GoodbyeReason::RunFinished, _) => Disconnect::Exit(WorkerExit::Finished),
        (reason, Some(delay_ms)) => Disconnect::RetryAfter(delay_ms, reason),
        (reason, None) => Disconnect::Exit(WorkerExit::Ejected(reason)),
    }
}
