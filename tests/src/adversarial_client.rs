//! A client that sends malformed and adversarial traffic, drawn from a seed.
//!
//! ```text
//!   connect -- [ hello ] -- frames that a session survives -- a fatal frame -- read until the server closes
//! ```
//!
//! The client encodes WebSocket frames itself, because a library rejects invalid ones.

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream};

use farsign::random::Stream;
use farsign::wire::{ClientFrame, Hello, ServerRecord, VERSION, read_server_frame};

use socket2::{Domain, Socket, Type};

use crate::wait::TEST_TIMEOUT;

/// Maximum number of survivable frames in a session, before the fatal one.
const MAX_ACTIONS: u64 = 40;

/// Number of rejected updates in a row that ends a session.
const MAX_REJECTED_IN_A_ROW: u32 = 8;

/// Number of pings between two updates that a session survives.
const MAX_CONTROL_FRAMES: usize = 256;

/// WebSocket opcodes.
mod opcode {
    pub const CONTINUATION: u8 = 0;
    pub const TEXT: u8 = 1;
    pub const BINARY: u8 = 2;
    pub const CLOSE: u8 = 8;
    pub const PING: u8 = 9;
    pub const PONG: u8 = 10;
}

const FIN: u8 = 0x80;

/// Kinds of frames that a session survives.
const SURVIVABLE: [&str; 8] = [
    "ping",
    "pong",
    "unknown task",
    "foreign task",
    "wrong length",
    "spare bits",
    "replay",
    "fragments",
];

/// Kinds of frames that end a session.
const FATAL: [&str; 14] = [
    "random bytes",
    "truncated record",
    "wrong record length",
    "oversize",
    "announced oversize",
    "text",
    "reserved bits",
    "unknown opcode",
    "unmasked",
    "long ping",
    "endless pings",
    "second hello",
    "unsupported version",
    "half a frame",
];

/// Number of frames sent, by kind.
pub type SentFrames = BTreeMap<&'static str, u64>;

/// A client with its own random stream.
#[derive(Debug)]
pub struct AdversarialClient {
    address: SocketAddr,
    stream: Stream,
    /// Loopback addresses of its sessions, in turn. Empty for the default address.
    from: VecDeque<Ipv4Addr>,
    /// Frames sent so far.
    pub sent: SentFrames,
}

impl AdversarialClient {
    /// Creates a client of the server at an address.
    pub fn new(address: SocketAddr, seed: u64) -> Self {
        Self {
            address,
            stream: Stream::new(seed),
            from: VecDeque::new(),
            sent: SentFrames::new(),
        }
    }

    /// Uses `count` source addresses of its own, as a client with rented addresses would.
    #[must_use]
    pub fn with_addresses(mut self, seed: u8, count: u8) -> Self {
        self.from = (0..count)
            .map(|n| Ipv4Addr::new(127, 1, seed, 1 + n))
            .collect();
        self
    }

    /// Runs one session until the server closes the connection, and returns the number of frames sent.
    ///
    /// # Errors
    /// Returns an error if the server rejects the connection or does not close it in time.
    pub fn session(&mut self) -> io::Result<u64> {
        let before: u64 = self.sent.values().sum();
        if self.stream.below(32) == 0 {
            self.invalid_request()?;
        } else {
            self.web_socket()?;
        }
        Ok(self.sent.values().sum::<u64>() - before)
    }

    /// Sends bytes that are no HTTP request, or a request with a header that is too long.
    fn invalid_request(&mut self) -> io::Result<()> {
        let mut connection = self.open()?;
        let (kind, bytes) = if self.stream.below(2) == 0 {
            ("invalid request", self.random_bytes(512))
        } else {
            (
                "endless header",
                [&b"GET /ws HTTP/1.1\r\nx: "[..], &vec![b'x'; 20_000]].concat(),
            )
        };
        self.count(kind);
        connection.write(&bytes);
        connection.close()
    }

    fn web_socket(&mut self) -> io::Result<()> {
        let mut connection = self.open()?;
        connection.upgrade()?;
        let mut bytes = Vec::new();
        let mut open = None;
        if self.stream.below(8) > 0 {
            connection.write(&frame(FIN | opcode::BINARY, &hello()));
            open = connection.first_task()?;
        }
        // A full server may have sent a goodbye instead of a task; the client continues anyway.
        let is_alive = open
            .is_none_or(|(task, directions)| self.send_survivable(task, directions, &mut bytes));
        if is_alive {
            self.send_fatal(&mut bytes);
        }
        connection.write(&bytes);
        connection.close()
    }

    /// Appends survivable frames, and returns whether the session survives. Too many rejected updates end it.
    fn send_survivable(&mut self, task: u64, directions: usize, out: &mut Vec<u8>) -> bool {
        let mut rejects = 0;
        let mut closed = false;
        for _ in 0..self.stream.below(MAX_ACTIONS) {
            let kind = match SURVIVABLE[self.stream.below(SURVIVABLE.len() as u64) as usize] {
                "spare bits" if directions.is_multiple_of(8) => "wrong length", // there are no spare bits
                "replay" if !closed => "unknown task",
                kind => kind,
            };
            let closes = matches!(kind, "wrong length" | "spare bits");
            if closes && closed {
                continue; // the number of the next task is unknown
            }
            closed |= closes;
            self.count(kind);
            self.append(kind, task, &vec![0xaa; directions.div_ceil(8)], out);
            rejects += u32::from(!matches!(kind, "ping" | "pong"));
            if rejects == MAX_REJECTED_IN_A_ROW {
                return false;
            }
        }
        true
    }

    fn append(&mut self, kind: &str, task: u64, bits: &[u8], out: &mut Vec<u8>) {
        match kind {
            "ping" => out.extend(frame(FIN | opcode::PING, &self.random_bytes(126))),
            "pong" => out.extend(frame(FIN | opcode::PONG, &self.random_bytes(126))),
            "unknown task" => out.extend(binary(&update(u64::MAX - self.stream.below(1000), bits))),
            "foreign task" => out.extend(binary(&update(self.stream.below(task), bits))),
            "wrong length" => out.extend(binary(&update(task, &bits[1..]))),
            "spare bits" => out.extend(binary(&update(task, &vec![0xff; bits.len()]))),
            "replay" => out.extend(binary(&update(task, bits))),
            _ => self.fragments(&update(u64::MAX, bits), out),
        }
    }

    /// Appends a message in fragments with pings between them, fewer than the limit.
    fn fragments(&mut self, message: &[u8], out: &mut Vec<u8>) {
        let mut first = opcode::BINARY;
        for piece in message.chunks(8 + self.stream.below(300) as usize) {
            out.extend(frame(first, piece));
            out.extend(frame(FIN | opcode::PING, b"between"));
            first = opcode::CONTINUATION;
        }
        out.extend(frame(FIN | opcode::CONTINUATION, &[]));
    }

    fn send_fatal(&mut self, out: &mut Vec<u8>) {
        let kind = FATAL[self.stream.below(FATAL.len() as u64) as usize];
        self.count(kind);
        let record =
            |length: u32, body: &[u8]| [&[VERSION, 2][..], &length.to_le_bytes(), body].concat();
        out.extend(match kind {
            "random bytes" => binary(&[&[VERSION, 0x7f][..], &self.random_bytes(120)].concat()),
            "truncated record" => binary(&record(998, &self.random_bytes(500))),
            "wrong record length" => binary(&record(self.stream.below(8) as u32, &[7; 20])),
            "oversize" => binary(&vec![1; 70_000]),
            "announced oversize" => {
                [&[FIN | opcode::BINARY, 0xff, 0x7f][..], &[0xff; 7], &[0; 4]].concat()
            }
            "text" => frame(FIN | opcode::TEXT, b"hello"),
            "reserved bits" => frame(FIN | 0x70 | opcode::BINARY, &[VERSION, 2]),
            "unknown opcode" => frame(FIN | 0x0b, &[VERSION, 2]),
            "unmasked" => vec![FIN | opcode::BINARY, 2, 1, 2],
            "endless pings" => frame(FIN | opcode::PING, &[]).repeat(MAX_CONTROL_FRAMES + 1),
            "long ping" => frame(FIN | opcode::PING, &[0; 300]),
            // Two hellos, because the session may have had none.
            "second hello" => [binary(&hello()), binary(&hello())].concat(),
            "unsupported version" => binary(&[VERSION + 1, 1, 0, 0, 0, 0]),
            _ => frame(FIN | opcode::BINARY, &[1; 200])[..100].to_vec(),
        });
    }

    fn random_bytes(&mut self, below: u64) -> Vec<u8> {
        let length = self.stream.below(below);
        (0..length).map(|_| self.stream.bits() as u8).collect()
    }

    fn open(&mut self) -> io::Result<Connection> {
        let from = self.from.pop_front();
        self.from.extend(from);
        Connection::open(self.address, from)
    }

    fn count(&mut self, kind: &'static str) {
        *self.sent.entry(kind).or_default() += 1;
    }
}

fn hello() -> Vec<u8> {
    let mut out = Vec::new();
    ClientFrame::hello(
        &Hello {
            agent: "adversarial",
            ..Hello::default()
        },
        &mut out,
    );
    out
}

fn update(task: u64, bits: &[u8]) -> Vec<u8> {
    let length = (8 + bits.len() as u32).to_le_bytes();
    [&[VERSION, 2][..], &length, &task.to_le_bytes(), bits].concat()
}

fn binary(payload: &[u8]) -> Vec<u8> {
    frame(FIN | opcode::BINARY, payload)
}

/// Encodes a WebSocket frame of a client, with a mask of zeros that leaves the payload unchanged.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let length = payload.len();
    let mut out = vec![first];
    match length {
        0..=125 => out.push(0x80 | length as u8),
        126..=0xffff => out.extend([&[0xfe][..], &(length as u16).to_be_bytes()].concat()),
        _ => out.extend([&[0xff][..], &(length as u64).to_be_bytes()].concat()),
    }
    out.extend([0; 4]);
    out.extend(payload);
    out
}

struct Connection(TcpStream);

impl Connection {
    fn open(address: SocketAddr, from: Option<Ipv4Addr>) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
        if let Some(from) = from {
            socket.bind(&SocketAddr::from((from, 0)).into())?;
        }
        socket.connect(&address.into())?;
        let stream = TcpStream::from(socket);
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(TEST_TIMEOUT))?;
        stream.set_write_timeout(Some(TEST_TIMEOUT))?;
        Ok(Self(stream))
    }

    /// Writes bytes; the server may have closed the connection already.
    fn write(&mut self, bytes: &[u8]) {
        _ = self.0.write_all(bytes);
    }

    fn upgrade(&mut self) -> io::Result<()> {
        self.write(
            b"GET /ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
              Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
        );
        let mut head = Vec::new();
        let mut buffer = [0; 1024];
        while !head.ends_with(b"\r\n\r\n") {
            match self.0.read(&mut buffer)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                read => head.extend(&buffer[..read]),
            }
        }
        Ok(())
    }

    /// Returns the first task and the number of signs in its update, or `None` if the frame has no task.
    fn first_task(&mut self) -> io::Result<Option<(u64, usize)>> {
        let mut head = [0; 10];
        self.0.read_exact(&mut head[..2])?;
        let wide = match head[1] {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        self.0.read_exact(&mut head[2..2 + wide])?;
        let wide_length = head[2..2 + wide]
            .iter()
            .fold(0, |length, byte| 256 * length + usize::from(*byte));
        let mut payload = vec![
            0;
            if wide == 0 {
                usize::from(head[1])
            } else {
                wide_length
            }
        ];
        self.0.read_exact(&mut payload)?;
        let mut task = None;
        let mut directions = 0;
        for record in read_server_frame(&payload).into_iter().flatten() {
            match record {
                Ok(ServerRecord::Welcome(welcome)) => {
                    directions = welcome.settings.directions.count();
                }
                Ok(ServerRecord::Task(first)) => task = Some(first.id.0),
                _ => {}
            }
        }
        Ok(task.map(|task| (task, directions)))
    }

    /// Closes the sending side, and reads until the server closes the connection.
    fn close(mut self) -> io::Result<()> {
        self.write(&frame(FIN | opcode::CLOSE, &[]));
        _ = self.0.shutdown(Shutdown::Write); // the server may have closed it already
        let mut buffer = [0; 16 * 1024];
        loop {
            match self.0.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }
}
