//! The session of a simulated volunteer: it receives and decodes as one that computes, and sends pseudorandom signs.
//!
//! This file has everything of the load that depends on the protocol's version.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use farsign::dataset::ShardedDataset;
use farsign::model::Architecture;
use farsign::random::Stream;
use farsign::sign::SignBits;
use farsign::task::{Secret, Task};
use farsign::volunteer::{Event, Volunteer};
use farsign::wire::{ClientFrame, Hello};
use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Bytes, Message};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

/// Size of the largest whole version with the records around it, as of the native volunteer.
const MAX_FRAME_BYTES: usize = 5 * Architecture::MAX_PARAMETERS as usize;

/// The library's read buffer, small because there may be thousands of sessions.
const READ_BUFFER_BYTES: usize = 8 * 1024;

/// Number of updates that are computed to measure the time of one.
const MEASURED_UPDATES: usize = 15;

/// Time in which an update is computed.
#[derive(Clone, Copy, Debug)]
pub struct ComputingTime {
    images: u32,
    time: Duration,
}

impl ComputingTime {
    /// Returns the time for this number of images, in proportion to the measured one.
    pub fn of(self, images: u32) -> Duration {
        self.time
            .mul_f64(f64::from(images) / f64::from(self.images.max(1)))
    }

    /// Returns the measured time, and its number of images.
    pub fn measured(self) -> (Duration, u32) {
        (self.time, self.images)
    }
}

/// A volunteer's session.
#[derive(Debug)]
pub struct Session {
    socket: WebSocketStream<TcpStream>,
    volunteer: Volunteer,
    events: Vec<Event>,
    /// Updates that were accepted since [`Session::take_accepted`].
    accepted: u64,
    random: Stream,
    signs: SignBits,
    bytes: Vec<u8>,
    frame: Vec<u8>,
}

impl Session {
    /// Opens a session with a server that trains on this data. `seed` determines the volunteer's identity and signs.
    ///
    /// # Errors
    ///
    /// Returns an error if the server does not welcome the volunteer, or sends no task.
    pub async fn join(address: SocketAddr, data: ShardedDataset, seed: u64) -> Result<Self> {
        let stream = TcpStream::connect(address)
            .await
            .with_context(|| format!("connecting to {address}"))?;
        stream.set_nodelay(true)?;
        let config = WebSocketConfig::default()
            .max_message_size(Some(MAX_FRAME_BYTES))
            .max_frame_size(Some(MAX_FRAME_BYTES))
            .read_buffer_size(READ_BUFFER_BYTES)
            .write_buffer_size(0);
        let url = format!("ws://{address}/ws");
        let (socket, _) = client_async_with_config(url, stream, Some(config))
            .await
            .context("opening a WebSocket")?;
        let mut session = Self {
            socket,
            volunteer: Volunteer::new(data),
            events: Vec::new(),
            accepted: 0,
            random: Stream::new(seed),
            signs: SignBits::default(),
            bytes: Vec::new(),
            frame: Vec::new(),
        };
        session.greet().await?;
        session.next_task().await?;
        Ok(session)
    }

    async fn greet(&mut self) -> Result<()> {
        let mut secret = [0; 16];
        secret.fill_with(|| self.random.below(256) as u8);
        let hello = Hello {
            agent: "farsign-bench",
            shards: self.volunteer.held_shards() as u16,
            secret: Some(Secret(secret)),
            token: None,
        };
        ClientFrame::hello(&hello, &mut self.frame);
        self.send_frame().await
    }

    /// Returns the oldest task without an update, and waits for it if there is none yet.
    ///
    /// # Errors
    ///
    /// Returns an error if the session ends or an update is rejected.
    pub async fn next_task(&mut self) -> Result<Task> {
        loop {
            if let Some(task) = self.volunteer.next_task() {
                return Ok(task);
            }
            self.receive().await?;
        }
    }

    /// Receives until a time.
    ///
    /// # Errors
    ///
    /// Returns an error if the session ends or an update is rejected.
    pub async fn receive_until(&mut self, end: Instant) -> Result<()> {
        while Instant::now() < end {
            match timeout_at(end, self.receive()).await {
                Ok(received) => received?,
                Err(_) => break,
            }
        }
        Ok(())
    }

    /// Returns the number of updates that were accepted since the last call.
    pub fn take_accepted(&mut self) -> u64 {
        std::mem::take(&mut self.accepted)
    }

    /// Announces a rest with the next update: the server sends the next task when it is over.
    ///
    /// # Errors
    ///
    /// Returns an error if the connection is lost.
    pub async fn announce_rest(&mut self, rest: Duration) -> Result<()> {
        ClientFrame::rest(rest.as_millis() as u32, &mut self.frame);
        self.send_frame().await
    }

    /// Sends pseudorandom signs as the update of a task.
    ///
    /// # Errors
    ///
    /// Returns an error if the connection is lost.
    pub async fn send_update(&mut self, task: &Task) -> Result<()> {
        // The signs of the default directions: one a parameter.
        let count = self.volunteer.parameters().context("no session")?;
        self.bytes.clear();
        while self.bytes.len() < count.div_ceil(8) {
            self.bytes.extend(self.random.bits().to_ne_bytes());
        }
        self.bytes.truncate(count.div_ceil(8));
        if let Some(last) = self.bytes.last_mut()
            && !count.is_multiple_of(8)
        {
            *last &= (1 << (count % 8)) - 1; // spare bits are 0
        }
        self.signs.copy_from_bytes(&self.bytes, count)?;
        ClientFrame::update(task.id, &self.signs, &mut self.frame);
        self.volunteer.drop_task(task.id);
        self.send_frame().await
    }

    /// Computes the update of the first task several times, and returns the median time.
    ///
    /// # Errors
    ///
    /// Returns an error if there is no task, or the estimate is not finite.
    pub fn measure_computing(mut self) -> Result<ComputingTime> {
        let task = self.volunteer.next_task().context("no task")?;
        let mut times = Vec::new();
        for _ in 0..MEASURED_UPDATES {
            let started = Instant::now();
            self.volunteer.compute_update(&task)?;
            times.push(started.elapsed());
        }
        times.sort_unstable();
        Ok(ComputingTime {
            images: task.images,
            time: times[times.len() / 2],
        })
    }

    async fn send_frame(&mut self) -> Result<()> {
        let message = Message::Binary(Bytes::copy_from_slice(&self.frame));
        Ok(self.socket.send(message).await?)
    }

    /// Receives a frame, and keeps its tasks. No part of a frame is lost if the future is dropped.
    async fn receive(&mut self) -> Result<()> {
        let message = self
            .socket
            .next()
            .await
            .context("the server closed the connection")??;
        let Message::Binary(frame) = message else {
            return Ok(());
        };
        self.volunteer.receive(&frame, &mut self.events)?;
        for event in self.events.drain(..) {
            match event {
                Event::Joined | Event::Task(_) => {}
                Event::Accepted(_) => self.accepted += 1,
                Event::Rejected(reason) => bail!("an update was rejected: {reason}"),
                Event::VersionMissing(task) => bail!("the version of task {} is missing", task.0),
                Event::Goodbye(goodbye) => bail!("the server ended a session: {}", goodbye.reason),
            }
        }
        Ok(())
    }
}
