//! One worker: connect, work, come back.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::body::Bytes;
use farsign::backoff::Backoff;
use farsign::dataset::Dataset;
use farsign::model::Architecture;
use farsign::task::{Goodbye, GoodbyeReason, Secret, Task};
use farsign::volunteer::{Event, Volunteer, VolunteerError};
use farsign::wire::{Abilities, ClientFrame, Hello, SUBPROTOCOL};
use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

use super::attack::Liar;
use super::{Notice, Tally, VolunteerOptions, WorkerEnd};

const AGENT: &str = concat!("farsign-native/", env!("CARGO_PKG_VERSION"));

/// A server that says nothing for so long is gone; it pings every half minute.
const SILENCE: Duration = Duration::from_secs(90);

/// Time to read what a broken connection still holds.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// Time for a connection.
const CONNECT: Duration = Duration::from_secs(20);

/// The largest snapshot and the records around it.
const MOST_BYTES: usize = 4 * Architecture::MAX_PARAMETERS as usize + 4096;

struct Worker<'a> {
    options: &'a VolunteerOptions,
    tally: &'a Tally,
    notice: &'a dyn Fn(Notice),
    volunteer: Volunteer,
    liar: Liar,
    /// What the volunteer computes on in place of the training data, when that is how it lies.
    poisoned: Option<Dataset>,
    /// What makes it the same volunteer after it comes back.
    secret: Secret,
    /// Lies sent under the present name.
    lies: u64,
    events: Vec<Event>,
    answer: Vec<u8>,
    backoff: Backoff,
}

/// Why a session ended.
enum Cut {
    /// The connection is gone; come back after a while.
    Lost(String),
    /// The server says when to come back.
    Wait(u32, GoodbyeReason),
    /// Not to come back.
    End(WorkerEnd),
}

impl From<tungstenite::Error> for Cut {
    fn from(error: tungstenite::Error) -> Self {
        Self::Lost(error.to_string())
    }
}

impl From<VolunteerError> for Cut {
    fn from(error: VolunteerError) -> Self {
        Self::End(WorkerEnd::Failed(error))
    }
}

/// Runs a worker on this thread until it ends.
pub fn run(
    options: &VolunteerOptions,
    secret: Secret,
    data: Arc<Dataset>,
    tally: &Tally,
    mut stop: watch::Receiver<bool>,
    notice: &dyn Fn(Notice),
) -> WorkerEnd {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a thread can have a runtime");
    let liar = liar(options);
    let mut worker = Worker {
        options,
        tally,
        notice,
        poisoned: liar.poisoned(&data),
        liar,
        secret,
        lies: 0,
        volunteer: Volunteer::new(data),
        events: Vec::new(),
        answer: Vec::new(),
        backoff: Backoff::default(),
    };
    runtime.block_on(async {
        tokio::select! {
            end = worker.until_end() => end,
            _ = stop.wait_for(|stop| *stop) => WorkerEnd::Stopped,
        }
    })
}

fn liar(options: &VolunteerOptions) -> Liar {
    Liar::new(options.attack, options.honest_answers, rand::random())
}

impl Worker<'_> {
    async fn until_end(&mut self) -> WorkerEnd {
        loop {
            let (wait_ms, why) = match self.session().await {
                Cut::End(WorkerEnd::Removed(GoodbyeReason::WrongAnswer)) if self.options.rejoin => {
                    self.start_over();
                    continue;
                }
                Cut::End(end) => {
                    if end == WorkerEnd::Removed(GoodbyeReason::WrongAnswer) {
                        self.start_over();
                    }
                    return end;
                }
                Cut::Wait(wait_ms, reason) => (wait_ms, reason.to_string()),
                Cut::Lost(why) => (self.backoff.next_ms(rand::random()), why),
            };
            (self.notice)(Notice::Waiting(wait_ms, why));
            tokio::time::sleep(Duration::from_millis(wait_ms.into())).await;
        }
    }

    /// A liar was found out, and will be somebody else from now on.
    fn start_over(&mut self) {
        self.tally.removed(std::mem::take(&mut self.lies));
        self.liar = liar(self.options);
        self.secret = Secret(rand::random());
    }

    async fn session(&mut self) -> Cut {
        let mut socket = match self.connect().await {
            Ok(socket) => socket,
            Err(cut) => return cut,
        };
        let cut = match self.work(&mut socket).await {
            Ok(never) => match never {},
            Err(cut) => cut,
        };
        if self.volunteer.leave() {
            self.tally.connected.fetch_sub(1, Ordering::Relaxed);
        }
        _ = timeout(Duration::from_secs(1), socket.close(None)).await; // the server may be gone
        cut
    }

    async fn connect(&self) -> Result<WebSocketStream<MaybeTlsStream<TcpStream>>, Cut> {
        let mut request = self.options.endpoint.socket_url().into_client_request()?;
        request.headers_mut().insert("Sec-WebSocket-Protocol", HeaderValue::from_static(SUBPROTOCOL));
        let config = WebSocketConfig::default()
            .max_message_size(Some(MOST_BYTES))
            .max_frame_size(Some(MOST_BYTES))
            .write_buffer_size(0);
        let connect = connect_async_with_config(request, Some(config), true);
        let connected = timeout(CONNECT, connect).await;
        let (socket, _) = connected.map_err(|_| Cut::Lost("the connection timed out".to_owned()))??;
        Ok(socket)
    }

    async fn work(
        &mut self,
        socket: &mut WebSocketStream<MaybeTlsStream<TcpStream>>,
    ) -> Result<std::convert::Infallible, Cut> {
        let abilities = Abilities { deltas: true, half_snapshots: self.options.half_snapshots };
        let (secret, token) = (Some(self.secret), self.options.token.as_deref());
        ClientFrame::hello(&Hello { agent: AGENT, abilities, secret, token }, &mut self.answer);
        socket.send(Message::Binary(Bytes::copy_from_slice(&self.answer))).await?;
        loop {
            let message = timeout(SILENCE, socket.next()).await;
            match message.map_err(|_| Cut::Lost("the server fell silent".to_owned()))? {
                Some(Ok(Message::Binary(frame))) => {
                    if let ControlFlow::Continue(task) = self.take(&frame)? {
                        self.answer(&task)?;
                        if !self.options.delay.is_zero() {
                            tokio::time::sleep(self.options.delay).await;
                        }
                        let answer = Message::Binary(Bytes::copy_from_slice(&self.answer));
                        if let Err(error) = socket.send(answer).await {
                            self.last_words(socket).await?;
                            return Err(error.into());
                        }
                    }
                }
                // The protocol has no texts; reading one as a frame says so.
                Some(Ok(Message::Text(text))) => _ = self.take(text.as_bytes())?,
                Some(Ok(Message::Close(close))) => return Err(closed(close)),
                None => return Err(closed(None)),
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error.into()),
            }
        }
    }

    /// Reads what came before the connection broke: a goodbye in it says when to come back.
    async fn last_words(
        &mut self,
        socket: &mut WebSocketStream<MaybeTlsStream<TcpStream>>,
    ) -> Result<(), Cut> {
        while let Ok(Some(Ok(message))) = timeout(LAST_WORDS, socket.next()).await {
            if let Message::Binary(frame) = message {
                _ = self.take(&frame)?;
            }
        }
        Ok(())
    }

    /// Takes in a frame; continues with the task it brought, if any.
    fn take(&mut self, frame: &[u8]) -> Result<ControlFlow<(), Task>, Cut> {
        self.events.clear();
        self.volunteer.receive(frame, &mut self.events)?;
        let mut next = ControlFlow::Break(());
        for event in self.events.drain(..) {
            match event {
                Event::Joined => {
                    self.tally.connected.fetch_add(1, Ordering::Relaxed);
                    self.backoff.succeeded();
                    (self.notice)(Notice::Joined);
                }
                Event::Accepted(_) => _ = self.tally.accepted.fetch_add(1, Ordering::Relaxed),
                Event::Rejected(reason) => {
                    self.tally.rejected.fetch_add(1, Ordering::Relaxed);
                    (self.notice)(Notice::Rejected(reason));
                }
                Event::Task(task) => next = ControlFlow::Continue(task),
                Event::Goodbye(goodbye) => return Err(cut(goodbye)),
            }
        }
        Ok(next)
    }

    fn answer(&mut self, task: &Task) -> Result<(), Cut> {
        let signs = match &self.poisoned {
            None => self.volunteer.work(task)?,
            Some(data) => self.volunteer.work_on(task, data)?,
        };
        let lie = self.liar.lie(signs);
        self.lies += u64::from(self.poisoned.is_some() || lie.is_some());
        ClientFrame::answer(task.id, lie.as_ref().unwrap_or(signs), &mut self.answer);
        Ok(())
    }
}

/// A close without a goodbye: of these codes, coming back would only bring another.
fn closed(close: Option<CloseFrame>) -> Cut {
    let removed = |reason| Cut::End(WorkerEnd::Removed(reason));
    match close.map(|close| close.code) {
        Some(CloseCode::Protocol) => removed(GoodbyeReason::Malformed),
        Some(CloseCode::Policy) => removed(GoodbyeReason::TooManyRejects),
        Some(CloseCode::Size) => removed(GoodbyeReason::Oversize),
        _ => Cut::Lost("the server closed the connection".to_owned()),
    }
}

fn cut(goodbye: Goodbye) -> Cut {
    match (goodbye.reason, goodbye.retry_after_ms) {
        (GoodbyeReason::RunFinished, _) => Cut::End(WorkerEnd::Finished),
        (reason, Some(wait_ms)) => Cut::Wait(wait_ms, reason),
        (reason, None) => Cut::End(WorkerEnd::Removed(reason)),
    }
}
