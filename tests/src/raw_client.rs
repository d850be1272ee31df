//! A volunteer that sends arbitrary frames, valid or not.

use std::net::SocketAddr;

use farsign::step::Step;
use farsign::task::{Goodbye, RejectReason, Task, TaskId};
use farsign::wire::{ClientFrame, DeltaBody, Hello, ServerRecord, Welcome, read_server_frame};
use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{self, Bytes, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::test_server::TestServer;
use crate::wait::TEST_TIMEOUT;

/// A WebSocket connection to a server.
#[derive(Debug)]
pub struct RawClient {
    runtime: tokio::runtime::Runtime,
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    /// Number of signs in an update, known after the welcome.
    directions: usize,
}

/// The decoded records of one server frame.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Received {
    /// The welcome.
    pub welcome: Option<Welcome>,
    /// The first task.
    pub task: Option<Task>,
    /// The second task.
    pub second: Option<Task>,
    /// Version and parameters of the snapshot.
    pub snapshot: Option<(u64, Vec<f32>)>,
    /// First version, last version and steps of the delta.
    pub delta: Option<(u64, u64, Vec<Step>)>,
    /// Number of accepted updates, from the acknowledgement.
    pub accepted: Option<u64>,
    /// The rejected task and the reason.
    pub rejected: Option<(TaskId, RejectReason)>,
    /// The goodbye.
    pub goodbye: Option<Goodbye>,
}

impl RawClient {
    /// Connects without a hello.
    pub fn connect(server: &TestServer) -> Self {
        Self::connect_with(server, &[]).expect("the server accepts connections")
    }

    /// Connects with these headers.
    ///
    /// # Errors
    /// Returns an error if the server rejects the WebSocket.
    pub fn connect_with(
        server: &TestServer,
        headers: &[(&'static str, &str)],
    ) -> Result<Self, tungstenite::Error> {
        Self::connect_to(server.address(), headers)
    }

    /// Connects to an address, with these headers.
    ///
    /// # Errors
    /// Returns an error if the server rejects the WebSocket.
    pub fn connect_to(
        address: SocketAddr,
        headers: &[(&'static str, &str)],
    ) -> Result<Self, tungstenite::Error> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let mut request = format!("ws://{address}/ws")
            .into_client_request()
            .expect("a valid URL");
        for (name, value) in headers {
            request
                .headers_mut()
                .append(*name, value.parse().expect("a header value"));
        }
        let (socket, _) = runtime.block_on(connect_async(request))?;
        Ok(Self {
            runtime,
            socket,
            directions: 0,
        })
    }

    /// Connects, sends a hello, and returns the first task.
    pub fn join(server: &TestServer) -> (Self, Task) {
        let mut client = Self::connect(server);
        client.send_hello(&Hello::default());
        let received = client.recv();
        let task = received
            .task
            .unwrap_or_else(|| panic!("expected a task, found {received:?}"));
        (client, task)
    }

    /// Sends a hello with all of these fields except the agent.
    pub fn send_hello(&mut self, hello: &Hello<'_>) {
        let mut frame = Vec::new();
        ClientFrame::hello(
            &Hello {
                agent: "raw-test",
                ..*hello
            },
            &mut frame,
        );
        self.send_frame(frame);
    }

    /// Sends an update with these packed bits.
    pub fn send_update(&mut self, task: TaskId, bits: &[u8]) {
        let mut frame = vec![1, 2]; // version, kind
        frame.extend((8 + bits.len() as u32).to_le_bytes());
        frame.extend(task.0.to_le_bytes());
        frame.extend(bits);
        self.send_frame(frame);
    }

    /// Sends bytes as one binary message.
    pub fn send_frame(&mut self, frame: Vec<u8>) {
        self.send_message(Message::Binary(frame.into()));
    }

    /// Sends any message.
    pub fn send_message(&mut self, message: Message) {
        // Sending fails if the server has closed the connection; its last frames can still be received.
        _ = self.runtime.block_on(self.socket.send(message));
    }

    /// Receives the next frame and decodes it.
    pub fn recv(&mut self) -> Received {
        let frame = self.recv_frame();
        let mut received = Received::default();
        for record in read_server_frame(&frame).expect("a frame of this version") {
            match record.expect("a valid record") {
                ServerRecord::Welcome(welcome) => {
                    self.directions = welcome.settings.directions.count();
                    received.welcome = Some(*welcome);
                }
                ServerRecord::Task(task) if received.task.is_none() => received.task = Some(task),
                ServerRecord::Task(task) => received.second = Some(task),
                ServerRecord::Snapshot(snapshot) => {
                    let mut x = Vec::new();
                    snapshot.unpack(&mut x).expect("finite parameters");
                    received.snapshot = Some((snapshot.version, x));
                }
                ServerRecord::Delta(delta) => {
                    received.delta = Some((delta.base, delta.version, self.steps(delta)));
                }
                ServerRecord::Accepted { accepted, .. } => received.accepted = Some(accepted),
                ServerRecord::Rejected { task, reason } => received.rejected = Some((task, reason)),
                ServerRecord::Goodbye(goodbye) => received.goodbye = Some(goodbye),
            }
        }
        received
    }

    /// Receives the next frame.
    pub fn recv_frame(&mut self) -> Bytes {
        loop {
            match self.next().expect("a message") {
                Ok(Message::Binary(frame)) => return frame,
                Ok(Message::Ping(_) | Message::Pong(_)) => {}
                other => panic!("expected a frame, found {other:?}"),
            }
        }
    }

    /// Waits for the close of the connection, and returns its code.
    ///
    /// # Panics
    /// If another message arrives first.
    pub fn recv_close(&mut self) -> u16 {
        loop {
            match self.next() {
                Some(Ok(Message::Close(Some(CloseFrame { code, .. })))) => {
                    return CloseCode::into(code);
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                other => panic!("expected a close with a code, found {other:?}"),
            }
        }
    }

    fn steps(&self, delta: DeltaBody<'_>) -> Vec<Step> {
        let mut steps = Vec::new();
        let read = delta.for_each_step(self.directions, &mut Step::default(), |step| {
            steps.push(step.clone());
        });
        read.expect("valid steps");
        steps
    }

    fn next(&mut self) -> Option<Result<Message, tungstenite::Error>> {
        let next = async { tokio::time::timeout(TEST_TIMEOUT, self.socket.next()).await };
        self.runtime.block_on(next).expect("a message in time")
    }
}
