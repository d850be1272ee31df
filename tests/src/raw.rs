//! A volunteer that sends what it is told, right or wrong.

use farsign::step::Step;
use farsign::task::{Goodbye, RejectReason, Task, TaskId};
use farsign::wire::{Abilities, ClientFrame, DeltaBody, Hello, ServerRecord, Welcome, read_server_frame};
use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{self, Bytes, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::host::Host;
use crate::waiting::FAILURE_BOUND;

/// A connection, and what the server said on it last.
#[derive(Debug)]
pub struct RawVolunteer {
    runtime: tokio::runtime::Runtime,
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    /// Signs an answer has, once welcomed.
    directions: usize,
}

/// A frame of the server, taken apart.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Said {
    /// A welcome in it.
    pub welcome: Option<Welcome>,
    /// A task in it.
    pub task: Option<Task>,
    /// Version of a snapshot in it, and its parameters.
    pub snapshot: Option<(u64, Vec<f32>)>,
    /// Steps in it, from one version to another.
    pub delta: Option<(u64, u64, Vec<Step>)>,
    /// The number of accepted contributions, of an acknowledgement in it.
    pub accepted: Option<u64>,
    /// A rejection in it.
    pub rejected: Option<(TaskId, RejectReason)>,
    /// A goodbye in it.
    pub goodbye: Option<Goodbye>,
}

impl RawVolunteer {
    /// Connects without saying anything.
    pub fn connect(host: &Host) -> Self {
        Self::connect_with(host, &[]).expect("the server takes connections")
    }

    /// Connects with these headers.
    ///
    /// # Errors
    /// When the server does not want a WebSocket.
    pub fn connect_with(host: &Host, headers: &[(&'static str, &str)]) -> Result<Self, tungstenite::Error> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let mut request = host.socket_url().into_client_request().expect("an address");
        for (name, value) in headers {
            request.headers_mut().append(*name, value.parse().expect("a header's value"));
        }
        let (socket, _) = runtime.block_on(connect_async(request))?;
        Ok(Self { runtime, socket, directions: 0 })
    }

    /// Connects, says hello, and gives the first task.
    pub fn join(host: &Host) -> (Self, Task) {
        let mut volunteer = Self::connect(host);
        volunteer.hello();
        let said = volunteer.hear();
        let task = said.task.unwrap_or_else(|| panic!("expected a task after the hello, heard {said:?}"));
        (volunteer, task)
    }

    /// Sends a hello that asks for snapshots.
    pub fn hello(&mut self) {
        self.hello_with(Abilities::default());
    }

    /// Sends a hello with these abilities.
    pub fn hello_with(&mut self, abilities: Abilities) {
        self.hello_as(&Hello { abilities, ..Hello::default() });
    }

    /// Sends a hello with all of this but for the name.
    pub fn hello_as(&mut self, hello: &Hello<'_>) {
        let mut frame = Vec::new();
        ClientFrame::hello(&Hello { agent: "raw-test", ..*hello }, &mut frame);
        self.send(frame);
    }

    /// Sends an answer with these packed bits.
    pub fn answer(&mut self, task: TaskId, bits: &[u8]) {
        let mut frame = vec![1, 2]; // version, kind
        frame.extend((8 + bits.len() as u32).to_le_bytes());
        frame.extend(task.0.to_le_bytes());
        frame.extend(bits);
        self.send(frame);
    }

    /// Sends bytes as one binary message.
    pub fn send(&mut self, frame: Vec<u8>) {
        self.send_message(Message::Binary(frame.into()));
    }

    /// Sends any message.
    pub fn send_message(&mut self, message: Message) {
        // A server that has closed the connection makes this fail; what it said is still to be heard.
        _ = self.runtime.block_on(self.socket.send(message));
    }

    /// The next frame of the server, taken apart.
    pub fn hear(&mut self) -> Said {
        let frame = self.hear_frame();
        let mut said = Said::default();
        for record in read_server_frame(&frame).expect("the server speaks this version") {
            match record.expect("the server's records can be read") {
                ServerRecord::Welcome(welcome) => {
                    self.directions = welcome.settings.directions.count();
                    said.welcome = Some(*welcome);
                }
                ServerRecord::Task(task) => said.task = Some(task),
                ServerRecord::Snapshot(snapshot) => {
                    let mut x = Vec::new();
                    snapshot.unpack(&mut x).expect("the server's parameters are finite");
                    said.snapshot = Some((snapshot.version, x));
                }
                ServerRecord::Delta(delta) => {
                    said.delta = Some((delta.base, delta.version, self.steps(delta)));
                }
                ServerRecord::Accepted { accepted, .. } => said.accepted = Some(accepted),
                ServerRecord::Rejected { task, reason } => said.rejected = Some((task, reason)),
                ServerRecord::Goodbye(goodbye) => said.goodbye = Some(goodbye),
            }
        }
        said
    }

    /// The next frame of the server.
    pub fn hear_frame(&mut self) -> Bytes {
        loop {
            match self.next().expect("the server says something") {
                Ok(Message::Binary(frame)) => return frame,
                Ok(Message::Ping(_) | Message::Pong(_)) => {}
                other => panic!("expected a frame, heard {other:?}"),
            }
        }
    }

    /// Waits for the close of the connection; gives its code. Anything else the server says is a failure.
    pub fn hear_close(&mut self) -> u16 {
        loop {
            match self.next() {
                Some(Ok(Message::Close(Some(CloseFrame { code, .. })))) => return CloseCode::into(code),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                other => panic!("expected a close with a code, heard {other:?}"),
            }
        }
    }

    fn steps(&self, delta: DeltaBody<'_>) -> Vec<Step> {
        let mut steps = Vec::new();
        let read =
            delta.for_each_step(self.directions, &mut Step::default(), |step| steps.push(step.clone()));
        read.expect("the server's steps can be read");
        steps
    }

    fn next(&mut self) -> Option<Result<Message, tungstenite::Error>> {
        let next = async { tokio::time::timeout(FAILURE_BOUND, self.socket.next()).await };
        self.runtime.block_on(next).expect("the server says something")
    }
}
