//! The WebSocket of a session: frames in both directions, pings and deadlines.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::ws::{CloseFrame, Message, WebSocket};
use farsign::task::{Goodbye, GoodbyeReason};
use farsign::wire::ServerFrame;
use tokio::sync::watch;
use tokio::time::{Instant, Interval, MissedTickBehavior, Sleep, timeout};

use crate::counters::Counters;
use crate::net::egress::ConnectionEgress;
use crate::session::close::{SessionEnd, classify_error, close_code_of, is_timeout};
use crate::shutdown::cancelled;
use crate::state::SessionLimits;

/// Pings, pongs, rests and reports of shards between two updates. A volunteer responds to one ping every half minute, for as long as a task takes.
const MAX_CONTROL_FRAMES: u32 = 256;

/// Time for a pong, after which another ping measures the round trip.
const PONG_TIMEOUT: Duration = Duration::from_secs(10);

/// Time for the volunteer to close its side of the connection.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// A WebSocket with its deadlines.
pub(super) struct Transport {
    socket: WebSocket,
    counters: Arc<Counters>,
    write_timeout: Duration,
    egress: ConnectionEgress,
    /// Timer of pings. Timers are reused, because registering one per update costs more than applying the update.
    pings: Interval,
    /// Deadline of the next message.
    deadline: Pin<Box<Sleep>>,
    /// Pings, pongs, rests and reports of shards since the last update, without the pongs that measure the round trip.
    control_frames: u32,
    /// The ping that measures the round trip.
    measuring: Option<MeasuringPing>,
    /// The newest measured round trip, until it is taken.
    round_trip: Option<RoundTrip>,
    shutdown: watch::Receiver<bool>,
    /// The frame in preparation.
    pub(super) frame: Vec<u8>,
}

/// A ping without its pong.
struct MeasuringPing {
    /// Unpredictable, so that no pong can be sent before the ping was received.
    payload: [u8; 8],
    sent: Instant,
    is_idle: bool,
}

/// A measured round trip.
#[derive(Clone, Copy, Debug)]
pub(super) struct RoundTrip {
    pub time: Duration,
    /// Whether the volunteer had no open task when the ping was sent.
    pub was_idle: bool,
}

impl Transport {
    /// Creates a transport whose first message is due within the hello timeout.
    pub(super) fn new(
        socket: WebSocket,
        counters: Arc<Counters>,
        limits: &SessionLimits,
        egress: ConnectionEgress,
        shutdown: watch::Receiver<bool>,
    ) -> Self {
        let mut pings =
            tokio::time::interval_at(Instant::now() + limits.ping_interval, limits.ping_interval);
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            socket,
            counters,
            write_timeout: limits.write_timeout,
            egress,
            pings,
            deadline: Box::pin(tokio::time::sleep(limits.hello_timeout)),
            control_frames: 0,
            measuring: None,
            round_trip: None,
            shutdown,
            frame: Vec::new(),
        }
    }

    /// Sets the deadline of the next message.
    pub(super) fn set_deadline(&mut self, deadline: Instant) {
        self.deadline.as_mut().reset(deadline);
    }

    /// Reserves the bytes of the next task, and returns the time for which the task waits.
    pub(super) fn reserve_task(&self, bytes: u64) -> Duration {
        self.egress.reserve_task(bytes, std::time::Instant::now())
    }

    /// Receives the next binary message; `None` at the deadline. Pings the volunteer while waiting.
    ///
    /// # Errors
    /// Returns the end of the session if the connection closes, breaks the protocol, or the server shuts down.
    pub(super) async fn receive(&mut self) -> Result<Option<Bytes>, SessionEnd> {
        loop {
            tokio::select! {
                biased; // the other branches need no poll while messages arrive
                message = self.socket.recv() => match message {
                    Some(Ok(Message::Binary(frame))) => {
                        self.counters.received_bytes.fetch_add(frame.len() as u64, Ordering::Relaxed);
                        return Ok(Some(frame));
                    }
                    Some(Ok(Message::Text(_))) => return Err(SessionEnd::Goodbye(GoodbyeReason::Malformed)),
                    Some(Ok(Message::Pong(payload))) if self.is_measured(&payload) => {}
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => self.count_control_frame()?,
                    Some(Ok(Message::Close(_))) | None => return Err(SessionEnd::Left),
                    Some(Err(error)) => return Err(classify_error(error)),
                },
                () = cancelled(&mut self.shutdown) => {
                    return Err(SessionEnd::Goodbye(GoodbyeReason::ShuttingDown));
                }
                () = &mut self.deadline => return Ok(None),
                _ = self.pings.tick() => self.ping(false).await?,
            }
        }
    }

    /// Sends a ping, and measures its round trip unless another ping is under way. `is_idle` says that the volunteer has
    /// no open task, so that it returns the ping at once.
    ///
    /// # Errors
    /// Returns the errors of [`Transport::send`].
    pub(super) async fn ping(&mut self, is_idle: bool) -> Result<(), SessionEnd> {
        let sent = Instant::now();
        let is_under_way = self
            .measuring
            .as_ref()
            .is_some_and(|ping| sent - ping.sent < PONG_TIMEOUT);
        if is_under_way {
            return self.write(Message::Ping(Bytes::new())).await;
        }
        let payload: [u8; 8] = rand::random();
        self.measuring = Some(MeasuringPing {
            payload,
            sent,
            is_idle,
        });
        self.write(Message::Ping(Bytes::copy_from_slice(&payload)))
            .await
    }

    /// Records the round trip of the measuring ping if this is its pong, and returns whether it is.
    fn is_measured(&mut self, payload: &[u8]) -> bool {
        let Some(ping) = self.measuring.take_if(|ping| ping.payload == payload) else {
            return false;
        };
        self.round_trip = Some(RoundTrip {
            time: ping.sent.elapsed(),
            was_idle: ping.is_idle,
        });
        true
    }

    /// Takes the newest round trip. `None` if none was measured since the last call.
    pub(super) fn take_round_trip(&mut self) -> Option<RoundTrip> {
        self.round_trip.take()
    }

    /// Limits pings, rests and reports of shards, which cost their sender next to nothing.
    ///
    /// # Errors
    /// Returns the end of the session if there were too many since the last update.
    pub(super) fn count_control_frame(&mut self) -> Result<(), SessionEnd> {
        self.control_frames += 1;
        if self.control_frames > MAX_CONTROL_FRAMES {
            return Err(SessionEnd::Goodbye(GoodbyeReason::TooManyPings));
        }
        Ok(())
    }

    /// Allows as many control frames as before the first update.
    pub(super) fn reset_control_frames(&mut self) {
        self.control_frames = 0;
    }

    /// Sends the frame in preparation.
    ///
    /// # Errors
    /// Returns the end of the session if the volunteer stopped reading or the connection is lost.
    pub(super) async fn send(&mut self) -> Result<(), SessionEnd> {
        let frame = Bytes::from(std::mem::take(&mut self.frame));
        let length = frame.len() as u64;
        self.write(Message::Binary(frame)).await?;
        self.counters
            .sent_bytes
            .fetch_add(length, Ordering::Relaxed);
        Ok(())
    }

    async fn write(&mut self, message: Message) -> Result<(), SessionEnd> {
        let bytes = match &message {
            Message::Binary(frame) => frame.len(),
            _ => 0, // a control frame is small
        };
        let now = std::time::Instant::now();
        let hold = self.egress.write_time(bytes as u64, now);
        match timeout(self.write_timeout + hold, self.socket.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) if is_timeout(&error) => Err(SessionEnd::SlowReader),
            Ok(Err(_)) => Err(SessionEnd::Left),
            Err(_) => Err(SessionEnd::SlowReader),
        }
    }

    /// Sends a goodbye and closes the connection.
    pub(super) async fn close(&mut self, goodbye: Goodbye) {
        ServerFrame::new(&mut self.frame).goodbye(goodbye);
        if self.send().await.is_err() {
            return;
        }
        let code = close_code_of(goodbye.reason);
        let close = CloseFrame {
            code,
            reason: goodbye.reason.name().into(),
        };
        if self.write(Message::Close(Some(close))).await.is_ok() {
            // Closing at once could reset the connection before the volunteer has read the goodbye.
            let drain = async { while let Some(Ok(_)) = self.socket.recv().await {} };
            _ = timeout(CLOSE_TIMEOUT, drain).await;
        }
    }
}
