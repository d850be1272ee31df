//! A volunteer that sends arbitrary frames, valid or not.

use std::net::SocketAddr;
use std::sync::Arc;

use farsign::task::{Goodbye, RejectReason, Task, TaskId};
use farsign::version::Version;
use farsign::volunteer::Volunteer;
use farsign::wire::{
    ClientFrame, Hello, ServerRecord, VERSION, VersionBody, Welcome, read_server_frame,
};
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
    /// Number of parameters, known after the welcome.
    parameters: usize,
    /// The newest version.
    version: Option<Arc<Version>>,
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
    /// The version.
    pub version: Option<Arc<Version>>,
    /// Whether the version came as differences to another.
    pub is_difference: bool,
    /// Number of the message of the log, from the acknowledgement.
    pub accepted: Option<u64>,
    /// The rejected task and the reason.
    pub rejected: Option<(TaskId, RejectReason)>,
    /// The goodbye.
    pub goodbye: Option<Goodbye>,
}

impl Received {
    /// Returns the tasks in order.
    pub fn tasks(&self) -> impl Iterator<Item = Task> {
        [self.task, self.second].into_iter().flatten()
    }
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
            parameters: 0,
            version: None,
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
        let mut frame = vec![VERSION, 2]; // kind
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
        self.decode(&frame)
    }

    /// Receives the next frame and decodes it. `None` if the connection has ended.
    pub fn try_recv(&mut self) -> Option<Received> {
        loop {
            match self.next()? {
                Ok(Message::Binary(frame)) => return Some(self.decode(&frame)),
                Ok(Message::Ping(_) | Message::Pong(_)) => {}
                Ok(_) | Err(_) => return None,
            }
        }
    }

    fn decode(&mut self, frame: &[u8]) -> Received {
        let mut received = Received::default();
        for record in read_server_frame(frame).expect("a frame of this version") {
            match record.expect("a valid record") {
                ServerRecord::Welcome(welcome) => {
                    self.parameters = welcome.settings.architecture.parameters();
                    received.welcome = Some(*welcome);
                }
                ServerRecord::Task(task) if received.task.is_none() => received.task = Some(task),
                ServerRecord::Task(task) => received.second = Some(task),
                ServerRecord::Version(body) => {
                    received.is_difference = body.base.is_some();
                    received.version = Some(self.take_version(&body));
                }
                ServerRecord::Accepted { message, .. } => received.accepted = Some(message),
                ServerRecord::Rejected { task, reason } => received.rejected = Some((task, reason)),
                ServerRecord::Goodbye(goodbye) => received.goodbye = Some(goodbye),
            }
        }
        received
    }

    /// Receives frames until the volunteer has a task, and returns it.
    ///
    /// # Panics
    /// Panics if the session ends, or a frame is invalid.
    pub fn next_task(&mut self, volunteer: &mut Volunteer) -> Task {
        loop {
            if let Some(task) = volunteer.next_task() {
                return task;
            }
            let received = volunteer.receive(&self.recv_frame(), &mut Vec::new());
            received.expect("a valid frame");
        }
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

    fn take_version(&mut self, body: &VersionBody<'_>) -> Arc<Version> {
        let held = self.version.as_deref();
        let base = body.base.map(|hash| {
            held.filter(|held| held.hash() == hash)
                .expect("differences to the newest version")
        });
        let d = self.parameters;
        let version = Version::from_differences(base, body.number, body.grid, body.differences, d);
        let version = Arc::new(version.expect("valid differences"));
        self.version = Some(Arc::clone(&version));
        version
    }

    fn next(&mut self) -> Option<Result<Message, tungstenite::Error>> {
        let next = async { tokio::time::timeout(TEST_TIMEOUT, self.socket.next()).await };
        self.runtime.block_on(next).expect("a message in time")
    }
}

/// Decodes a frame with one whole version.
pub fn whole_version(frame: &[u8]) -> Version {
    let mut records = read_server_frame(frame).expect("a frame of this version");
    let Some(Ok(ServerRecord::Version(body))) = records.next() else {
        panic!("no version")
    };
    assert_eq!(body.base, None, "differences to another version");
    let d = body.parameters as usize;
    Version::from_differences(None, body.number, body.grid, body.differences, d)
        .expect("valid differences")
}
