//! One volunteer's WebSocket, from hello to goodbye.
//!
//! ```text
//!   connect --hello--> join --welcome, snapshot, task--> [ answer -- accepted | rejected, snapshot?, task? ]* --> goodbye
//! ```
//!
//! A session holds one place, one open task and at most one frame in each direction. It ends when the volunteer
//! leaves, breaks the protocol, lets a task expire or does not read, when the run is finished, or when the server
//! stops. Its state is plain data on this task's stack; everything shared is behind [`App`].

mod end;

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use farsign::task::{GoodbyeReason, TaskId, VolunteerId};
use farsign::wire::{
    Abilities, ClientRecord, Hello, SUBPROTOCOL, ServerFrame, max_client_frame_bytes, read_client_frame,
};
use tokio::sync::{oneshot, watch};
use tokio::time::{Instant, Interval, MissedTickBehavior, Sleep, timeout};

use crate::app::App;
use crate::coordinator::{Joined, Newcomer, NextTask, Outcome};
use crate::edge::Peer;
use crate::effort::Effort;
use crate::places::Network;
use crate::switch::turned_on;

use end::{End, broken, close_code_of, is_timeout};

/// Rejected answers in a row after which a session ends.
const MOST_REJECTS: u32 = 8;

/// Pings and pongs from one message to the next. A volunteer answers a ping every half minute, for as long as a task
/// takes.
const MOST_CONTROL_FRAMES: u32 = 256;

/// The library's read buffer; frames are small, and there may be thousands of connections.
const READ_BUFFER_BYTES: usize = 8 * 1024;

/// How long a connection that was closed may take to close from the other side.
const LINGER: Duration = Duration::from_secs(1);

/// Answers `GET /ws`.
pub async fn upgrade(
    State(app): State<Arc<App>>,
    Extension(Peer(peer)): Extension<Peer>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    if !app.admission.allows_page(&headers) {
        return (StatusCode::FORBIDDEN, "no page of this origin may open a session here").into_response();
    }
    let network = app.admission.client(peer.ip(), &headers);
    let largest = max_client_frame_bytes(app.config.run.directions.count());
    let snapshot_bytes = 4 * app.config.run.architecture.parameters();
    upgrade
        .protocols([SUBPROTOCOL])
        .max_frame_size(largest)
        .max_message_size(largest)
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(0)
        .max_write_buffer_size(2 * snapshot_bytes + 64 * 1024)
        .on_upgrade(move |socket| serve(app, socket, network))
}

/// What is known of the volunteer's side.
struct Session {
    app: Arc<App>,
    socket: WebSocket,
    /// Version of the model sent last.
    sent_version: Option<u64>,
    /// What the volunteer takes besides snapshots in f32.
    abilities: Abilities,
    /// Rejected answers since the last accepted one.
    rejects: u32,
    /// The frame that is being written.
    frame: Vec<u8>,
    /// When to ping the volunteer. Timers are kept, because to register one for every answer costs more than to apply it.
    pings: Interval,
    /// When waiting for the volunteer's next message ends.
    deadline: Pin<Box<Sleep>>,
    /// When the open task was sent; none while the volunteer rests and has none.
    task_sent: Option<Instant>,
    /// Pings and pongs since the last message.
    control_frames: u32,
    /// Turns true when the server is to stop.
    stopping: watch::Receiver<bool>,
}

async fn serve(app: Arc<App>, socket: WebSocket, network: Network) {
    let place = app.admission.enter(network, std::time::Instant::now());
    let limits = app.config.limits;
    let mut pings = tokio::time::interval_at(Instant::now() + limits.ping_interval, limits.ping_interval);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut session = Session {
        pings,
        deadline: Box::pin(tokio::time::sleep(limits.hello_timeout)),
        task_sent: None,
        control_frames: 0,
        stopping: app.stopping.clone(),
        app,
        socket,
        sent_version: None,
        abilities: Abilities::default(),
        rejects: 0,
        frame: Vec::new(),
    };
    let end = match &place {
        Ok(_) => session.run(network).await,
        Err(goodbye) => {
            refused(network, goodbye.reason.name());
            End::Refused(*goodbye)
        }
    };
    session.finish(end).await;
    drop(place);
}

/// Anybody can cause this as often as they like, so it is not in the log unless asked for.
fn refused(network: Network, reason: &str) {
    tracing::debug!(event = "refused", address = %network, reason, "a volunteer was turned away");
}

impl Session {
    /// Runs the session; gives why it ended.
    async fn run(&mut self, network: Network) -> End {
        let who = match self.hello(network).await {
            Ok(who) => who,
            Err(end) => {
                refused(network, end.name());
                return end;
            }
        };
        let identity = who.identity;
        let Joined { volunteer, first, removal } = match self.app.coordinator.join(who).await {
            Ok(Some(joined)) => joined,
            Ok(None) => return End::Goodbye(GoodbyeReason::RunFinished),
            Err(_) => return End::Goodbye(GoodbyeReason::ShuttingDown),
        };
        // Asked once more: a ban ends the sessions it finds, and this one may have come just after.
        let end = if self.app.admission.bans(network, identity) {
            End::Goodbye(GoodbyeReason::Banned)
        } else {
            self.until_end(volunteer, first, removal).await
        };
        self.app.coordinator.leave(volunteer).await;
        let (number, reason) = (volunteer.0, end.name());
        tracing::info!(event = "left", volunteer = number, address = %network, reason, "a session has ended");
        end
    }

    async fn until_end(
        &mut self,
        volunteer: VolunteerId,
        first: NextTask,
        removal: oneshot::Receiver<GoodbyeReason>,
    ) -> End {
        let mut paused = self.app.admission.paused();
        tokio::select! {
            end = self.train(volunteer, first) => match end {
                Ok(never) => match never {},
                Err(end) => end,
            },
            Ok(reason) = removal => End::Goodbye(reason),
            () = turned_on(&mut paused) => End::Goodbye(GoodbyeReason::Paused),
        }
    }

    async fn hello(&mut self, network: Network) -> Result<Newcomer, End> {
        let frame = self.receive().await?.ok_or(End::Goodbye(GoodbyeReason::NoHello))?;
        match read_client_frame(&frame)? {
            ClientRecord::Hello(hello) => {
                let identity = self.app.admission.recognise(&hello).map_err(End::Goodbye)?;
                if self.app.admission.bans(network, identity) {
                    return Err(End::Goodbye(GoodbyeReason::Banned));
                }
                let Hello { agent, abilities, .. } = hello;
                self.abilities = abilities;
                Ok(Newcomer { abilities, agent: agent.to_owned(), network, identity })
            }
            ClientRecord::Answer { .. } => Err(End::Goodbye(GoodbyeReason::NoHello)),
        }
    }

    async fn train(
        &mut self,
        volunteer: VolunteerId,
        first: NextTask,
    ) -> Result<std::convert::Infallible, End> {
        ServerFrame::new(&mut self.frame).welcome(volunteer, &self.app.config.run);
        self.add_task(&first);
        self.send().await?;
        self.expect_answer();
        loop {
            match self.receive().await? {
                Some(frame) => self.take_answer(volunteer, &frame).await?,
                None if self.task_sent.is_none() => self.go_on(volunteer).await?,
                None => return Err(End::Goodbye(GoodbyeReason::NoAnswer)),
            }
        }
    }

    async fn take_answer(&mut self, volunteer: VolunteerId, frame: &Bytes) -> Result<(), End> {
        let ClientRecord::Answer { task, bits } = read_client_frame(frame)? else {
            return Err(End::Goodbye(GoodbyeReason::Malformed)); // a second hello
        };
        let bits = frame.slice_ref(bits);
        let outcome = self.app.coordinator.answer(volunteer, task, bits).await;
        let outcome = outcome.map_err(|_| End::Goodbye(GoodbyeReason::ShuttingDown))?;
        match (&outcome.next, outcome.rest) {
            (Some(_), _) => self.expect_answer(),
            (None, Some(effort)) => self.rest(effort),
            (None, None) => {}
        }
        self.respond(task, &outcome).await
    }

    /// A task has just been issued.
    fn expect_answer(&mut self) {
        let now = Instant::now();
        self.task_sent = Some(now);
        self.deadline.as_mut().reset(now + self.app.config.limits.task_expiry);
    }

    /// There is no task for a while.
    fn rest(&mut self, effort: Effort) {
        let now = Instant::now();
        let worked = self.task_sent.take().map_or(Duration::ZERO, |sent| now - sent);
        self.deadline.as_mut().reset(now + effort.rest(worked).unwrap_or_default());
    }

    /// The volunteer has rested.
    async fn go_on(&mut self, volunteer: VolunteerId) -> Result<(), End> {
        let next = self.app.coordinator.rested(volunteer).await;
        let next = next.map_err(|_| End::Goodbye(GoodbyeReason::ShuttingDown))?;
        let next = next.ok_or(End::Goodbye(GoodbyeReason::RunFinished))?;
        self.expect_answer();
        ServerFrame::new(&mut self.frame);
        self.add_task(&next);
        self.send().await
    }

    /// Acknowledges an answer, with the next task in the same frame.
    async fn respond(&mut self, task: TaskId, outcome: &Outcome) -> Result<(), End> {
        let mut frame = ServerFrame::new(&mut self.frame);
        match outcome.verdict {
            Ok(accepted) => {
                frame.accepted(task, accepted);
                self.rejects = 0;
            }
            Err(reason) => {
                frame.rejected(task, reason);
                self.rejects += 1;
            }
        }
        if let Some(next) = &outcome.next {
            self.add_task(next);
        }
        self.send().await?;
        match () {
            () if outcome.finished => Err(End::Goodbye(GoodbyeReason::RunFinished)),
            () if self.rejects >= MOST_REJECTS => Err(End::Goodbye(GoodbyeReason::TooManyRejects)),
            () => Ok(()),
        }
    }

    /// Adds a task to the frame; before it, when the volunteer's model is older, whatever is shorter of the steps since
    /// then and a snapshot.
    fn add_task(&mut self, next: &NextTask) {
        let (snapshot, sent) = (&next.snapshot, self.sent_version.replace(next.snapshot.version));
        let mut frame = ServerFrame::append(&mut self.frame);
        if sent != Some(snapshot.version) {
            let Abilities { deltas, half_snapshots } = self.abilities;
            let base = sent.filter(|_| deltas && !half_snapshots);
            match base.and_then(|base| Some((base, snapshot.steps_since(base)?))) {
                Some((base, steps)) => frame.delta(base, snapshot.version, steps),
                None if half_snapshots => frame.half_snapshot(&snapshot.encoded),
                None => frame.snapshot(&snapshot.encoded),
            };
        }
        frame.task(&next.task);
    }

    /// The next binary message, none at the deadline; pings the volunteer while it waits, and gives up when the server
    /// stops.
    async fn receive(&mut self) -> Result<Option<Bytes>, End> {
        loop {
            tokio::select! {
                biased; // the rest need not be looked at when there is a message
                message = self.socket.recv() => match message {
                    Some(Ok(Message::Binary(frame))) => {
                        self.app.counters.received_bytes.fetch_add(frame.len() as u64, Ordering::Relaxed);
                        self.control_frames = 0;
                        return Ok(Some(frame));
                    }
                    Some(Ok(Message::Text(_))) => return Err(End::Goodbye(GoodbyeReason::Malformed)),
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => self.count_control_frame()?,
                    Some(Ok(Message::Close(_))) | None => return Err(End::Left),
                    Some(Err(error)) => return Err(broken(error)),
                },
                () = turned_on(&mut self.stopping) => return Err(End::Goodbye(GoodbyeReason::ShuttingDown)),
                () = &mut self.deadline => return Ok(None),
                _ = self.pings.tick() => self.write(Message::Ping(Bytes::new())).await?,
            }
        }
    }

    /// A ping costs its sender next to nothing, and the server an answer.
    fn count_control_frame(&mut self) -> Result<(), End> {
        self.control_frames += 1;
        if self.control_frames > MOST_CONTROL_FRAMES {
            return Err(End::Goodbye(GoodbyeReason::TooManyPings));
        }
        Ok(())
    }

    async fn send(&mut self) -> Result<(), End> {
        let frame = Bytes::from(std::mem::take(&mut self.frame));
        let length = frame.len() as u64;
        self.write(Message::Binary(frame)).await?;
        self.app.counters.sent_bytes.fetch_add(length, Ordering::Relaxed);
        Ok(())
    }

    async fn write(&mut self, message: Message) -> Result<(), End> {
        match timeout(self.app.config.limits.write_timeout, self.socket.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) if is_timeout(&error) => Err(End::Deaf),
            Ok(Err(_)) => Err(End::Left),
            Err(_) => Err(End::Deaf),
        }
    }

    /// Says goodbye and closes the connection.
    async fn finish(&mut self, end: End) {
        let goodbye = match end {
            End::Left => return,
            End::Deaf => return self.app.counters.ended(GoodbyeReason::SlowReader),
            End::Goodbye(reason) => self.app.admission.goodbye(reason, std::time::Instant::now()),
            End::Refused(goodbye) => goodbye,
        };
        let reason = goodbye.reason;
        self.app.counters.ended(reason);
        ServerFrame::new(&mut self.frame).goodbye(goodbye);
        if self.send().await.is_err() {
            return;
        }
        let close = CloseFrame { code: close_code_of(reason), reason: reason.name().into() };
        if self.write(Message::Close(Some(close))).await.is_ok() {
            // Closing at once could reset the connection before the volunteer has read the goodbye.
            let rest = async { while let Some(Ok(_)) = self.socket.recv().await {} };
            _ = timeout(LINGER, rest).await;
        }
    }
}
