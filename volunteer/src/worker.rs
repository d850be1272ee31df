//! One worker: connects, computes updates, and reconnects.

use std::convert::Infallible;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use farsign::backoff::Backoff;
use farsign::dataset::ShardedDataset;
use farsign::model::Architecture;
use farsign::task::{GoodbyeReason, Secret, Task, TaskId};
use farsign::task_timing::TaskTiming;
use farsign::volunteer::{Event, MAX_TASK_DELAY_MS, Volunteer, VolunteerError};
use farsign::wire::{ClientFrame, Hello};
use futures_util::{SinkExt, StreamExt};
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

use crate::attack::AttackState;
use crate::disconnect::{Disconnect, closed, dismissed};
use crate::line::WorkerLine;
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

/// Longest rest within a session.
const MAX_REST: Duration = Duration::from_millis(MAX_TASK_DELAY_MS);

/// Size of the largest whole version with the records around it.
const MAX_MESSAGE_BYTES: usize = 5 * Architecture::MAX_PARAMETERS as usize;

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
    backoff: Backoff,
    timing: TaskTiming,
    line: WorkerLine<'a>,
    /// Updates without a reply.
    unacknowledged: u32,
    /// A rest without a session, which begins when the last update is acknowledged.
    long_rest: Option<Duration>,
    /// The same, because the line budget allows no further task for this time.
    line_rest: Option<Duration>,
    /// A task whose version is to be requested.
    missing_version: Option<TaskId>,
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
        backoff: Backoff::default(),
        timing: TaskTiming::default(),
        line: WorkerLine::new(&stats.line, options.max_bytes_per_hour, options.cores()),
        unacknowledged: 0,
        long_rest: None,
        line_rest: None,
        missing_version: None,
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
                    self.rest(rest).await;
                    continue;
                }
                Disconnect::LineBudgetUsed(rest) => {
                    (self.on_event)(WorkerEvent::LineBudgetUsed(rest));
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
        if let Err(rest) = self.line.open() {
            return Disconnect::LineBudgetUsed(rest);
        }
        let disconnect = self.connect_and_work().await;
        self.line.close();
        disconnect
    }

    async fn connect_and_work(&mut self) -> Disconnect {
        (self.unacknowledged, self.line_rest, self.missing_version) = (0, None, None);
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
        self.take_shards();
        let hello = Hello {
            agent: AGENT,
            shards: self.data.held() as u16,
            secret: Some(self.secret),
            token: self.options.token.as_deref(),
        };
        let mut frame = Vec::new();
        ClientFrame::hello(&hello, &mut frame);
        self.send(socket, frame).await?;
        loop {
            let message = timeout(IDLE_TIMEOUT, socket.next()).await;
            match message.map_err(|_| Disconnect::Lost("the server timed out".to_owned()))? {
                Some(Ok(Message::Binary(frame))) => {
                    self.line.received(frame.len());
                    self.handle_frame(&frame)?;
                    self.request_version(socket).await?;
                    self.announce_shards(socket).await?;
                    self.announce_line_rate(socket).await?;
                    self.compute_tasks(socket).await?;
                    self.leave_for_rest()?;
                }
                // The protocol has no text messages; decoding one as a frame returns the error.
                Some(Ok(Message::Text(text))) => self.handle_frame(text.as_bytes())?,
                Some(Ok(Message::Close(close))) => return Err(closed(close)),
                None => return Err(closed(None)),
                Some(Ok(ping)) => self.line.received(ping.len()),
                Some(Err(error)) => return Err(error.into()),
            }
        }
    }

    /// Requests the version of a task that the volunteer does not hold.
    async fn request_version(&mut self, socket: &mut Socket) -> Result<(), Disconnect> {
        if let Some(task) = self.missing_version.take() {
            let mut frame = Vec::new();
            ClientFrame::version_request(task, &mut frame);
            self.send(socket, frame).await?;
        }
        Ok(())
    }

    /// Computes and sends the updates of the tasks that the volunteer holds, until the line budget is used up.
    async fn compute_tasks(&mut self, socket: &mut Socket) -> Result<(), Disconnect> {
        while self.line_rest.is_none()
            && let Some(task) = self.volunteer.next_task()
        {
            self.line_rest = self.line.take_task().err();
            if self.line_rest.is_none() {
                let mut update = Vec::new();
                let computing = self.compute_update(&task, &mut update)?;
                self.announce_rest(socket, computing).await?;
                self.send(socket, update).await?;
                self.unacknowledged += 1;
            }
        }
        Ok(())
    }

    /// Leaves if a rest without a session is due and every update is acknowledged, so that none is lost.
    fn leave_for_rest(&mut self) -> Result<(), Disconnect> {
        if self.unacknowledged > 0 {
            return Ok(());
        }
        if let Some(rest) = self.line_rest.take() {
            return Err(Disconnect::LineBudgetUsed(rest));
        }
        self.long_rest
            .take()
            .map_or(Ok(()), |rest| Err(Disconnect::Rest(rest)))
    }

    /// Announces the rest after an update that was computed in this time, if there is one: the server sends the next task
    /// when it is over. The worker takes a long one without a session.
    async fn announce_rest(
        &mut self,
        socket: &mut Socket,
        computing: Duration,
    ) -> Result<(), Disconnect> {
        let delay = self.options.rest_after(computing);
        if delay.is_zero() {
            return Ok(());
        }
        let max = Duration::try_from_secs_f64(self.timing.max_rest_ms() / 1000.0);
        let max = max.unwrap_or(MAX_REST).min(MAX_REST);
        self.long_rest = (delay > max).then_some(delay);
        let rest = delay.min(MAX_REST);
        if self.long_rest.is_none() {
            self.stats.record_rest(rest);
        }
        let mut frame = Vec::new();
        ClientFrame::rest(rest.as_millis() as u32, &mut frame);
        self.send(socket, frame).await
    }

    async fn rest(&self, time: Duration) {
        let started = Instant::now();
        tokio::time::sleep(time).await;
        self.stats.record_rest(started.elapsed());
    }

    /// Sends a frame. If the connection is lost, reads what arrived before.
    async fn send(&mut self, socket: &mut Socket, frame: Vec<u8>) -> Result<(), Disconnect> {
        self.line.sent(frame.len());
        if let Err(error) = socket.send(Message::Binary(frame.into())).await {
            self.drain(socket).await?;
            return Err(error.into());
        }
        Ok(())
    }

    /// Reads the messages that arrived before the connection was lost.
    ///
    /// A goodbye among them has the reason and the retry delay.
    async fn drain(&mut self, socket: &mut Socket) -> Result<(), Disconnect> {
        while let Ok(Some(Ok(message))) = timeout(DRAIN_TIMEOUT, socket.next()).await {
            if let Message::Binary(frame) = message {
                self.handle_frame(&frame)?;
            }
        }
        Ok(())
    }

    /// Handles a frame. The volunteer holds its tasks.
    fn handle_frame(&mut self, frame: &[u8]) -> Result<(), Disconnect> {
        self.events.clear();
        match self.volunteer.receive(frame, &mut self.events) {
            Err(VolunteerError::DatasetMismatch) if !self.is_reloaded => {
                return Err(Disconnect::OtherData);
            }
            received => received?,
        }
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
                    self.unacknowledged = self.unacknowledged.saturating_sub(1);
                    self.stats.accepted.fetch_add(1, Ordering::Relaxed);
                    self.timing.record_accepted();
                }
                Event::Rejected(reason) => {
                    self.unacknowledged = self.unacknowledged.saturating_sub(1);
                    self.stats.rejected.fetch_add(1, Ordering::Relaxed);
                    (self.on_event)(WorkerEvent::Rejected(reason));
                }
                Event::Task(_) => {}
                Event::VersionMissing(task) => self.missing_version = Some(task),
                Event::Goodbye(goodbye) => return Err(dismissed(goodbye)),
            }
        }
        Ok(())
    }

    /// Takes the shards that were downloaded since the last call, and returns whether there are any.
    fn take_shards(&mut self) -> bool {
        let Some(data) = self.source.grown(&self.data) else {
            return false;
        };
        self.poisoned = self.attack.poisoned(&data);
        self.volunteer.grow(&data);
        self.data = data;
        true
    }

    /// Reports the number of held shards to the server, if it has changed.
    async fn announce_shards(&mut self, socket: &mut Socket) -> Result<(), Disconnect> {
        if self.take_shards() {
            let mut frame = Vec::new();
            ClientFrame::shards(self.data.held() as u16, &mut frame);
            self.send(socket, frame).await?;
        }
        Ok(())
    }

    /// States what a second of computing may cost the line, if it has changed.
    async fn announce_line_rate(&mut self, socket: &mut Socket) -> Result<(), Disconnect> {
        if let Some(rate) = self.line.restate_rate() {
            let mut frame = Vec::new();
            ClientFrame::line_rate(rate, &mut frame);
            self.send(socket, frame).await?;
        }
        Ok(())
    }

    /// Computes the update of a task, writes its frame into `out`, and returns the time that it took.
    fn compute_update(&mut self, task: &Task, out: &mut Vec<u8>) -> Result<Duration, Disconnect> {
        let started = Instant::now();
        let signs = match &self.poisoned {
            None => self.volunteer.compute_update(task)?,
            Some(data) => self.volunteer.compute_update_on(task, data)?,
        };
        let malicious = self.attack.malicious_update(signs);
        self.malicious_updates += u64::from(self.poisoned.is_some() || malicious.is_some());
        ClientFrame::update(task.id, malicious.as_ref().unwrap_or(signs), out);
        let time = started.elapsed();
        self.timing.record_update(time.as_secs_f64() * 1000.0);
        self.stats.record_update(task.images, time);
        Ok(time)
    }
}
