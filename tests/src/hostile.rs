//! A client that does everything wrong that can be done over a connection, bit by bit, as a seed draws it.
//!
//! ```text
//!   connect -- [ hello ] -- acts that a session survives -- one that it does not -- until the server has hung up
//! ```
//!
//! It writes WebSocket frames by hand: a library would refuse to.

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream};

use farsign::random::Stream;
use farsign::wire::{ClientFrame, Hello, ServerRecord, read_server_frame};

use socket2::{Domain, Socket, Type};

use crate::waiting::FAILURE_BOUND;

/// Most acts of a session before the one that ends it.
const MOST_ACTS: u64 = 40;

/// Rejected answers in a row that end a session.
const MOST_REJECTS: u32 = 8;

/// Pings between two answers that a session survives.
const MOST_CONTROL_FRAMES: usize = 256;

/// WebSocket opcodes.
mod opcode {
    pub const GO_ON: u8 = 0;
    pub const TEXT: u8 = 1;
    pub const BINARY: u8 = 2;
    pub const CLOSE: u8 = 8;
    pub const PING: u8 = 9;
    pub const PONG: u8 = 10;
}

const FIN: u8 = 0x80;

/// What a session survives.
const SURVIVED: [&str; 8] =
    ["ping", "pong", "unknown task", "foreign task", "wrong length", "spare bits", "replay", "fragments"];

/// What ends one.
const FATAL: [&str; 14] = [
    "random bytes",
    "truncated record",
    "wrong record length",
    "oversize",
    "announced oversize",
    "text",
    "reserved bits",
    "unknown opcode",
    "without a mask",
    "long ping",
    "endless pings",
    "second hello",
    "another version",
    "half a frame",
];

/// Frames that were sent, by what is wrong with them.
pub type Sent = BTreeMap<&'static str, u64>;

/// A client with its own randomness.
#[derive(Debug)]
pub struct Hostile {
    address: SocketAddr,
    stream: Stream,
    /// Loopback addresses that its sessions come from, in turn; empty: the usual one.
    from: VecDeque<Ipv4Addr>,
    /// What was sent so far.
    pub sent: Sent,
}

impl Hostile {
    /// A client of the server at this address.
    pub fn new(address: SocketAddr, seed: u64) -> Self {
        Self { address, stream: Stream::new(seed), from: VecDeque::new(), sent: Sent::new() }
    }

    /// The same, coming from so many addresses of its own, as a client that has rented them would.
    #[must_use]
    pub fn with_addresses(mut self, seed: u8, count: u8) -> Self {
        self.from = (0..count).map(|n| Ipv4Addr::new(127, 1, seed, 1 + n)).collect();
        self
    }

    /// One session, from the connection until the server has hung up; gives the frames it sent.
    ///
    /// # Errors
    /// When the server does not take the connection or does not hang up in time.
    pub fn session(&mut self) -> io::Result<u64> {
        let before: u64 = self.sent.values().sum();
        if self.stream.below(32) == 0 {
            self.no_request()?;
        } else {
            self.web_socket()?;
        }
        Ok(self.sent.values().sum::<u64>() - before)
    }

    /// Bytes that are no request, or one whose header is too long.
    fn no_request(&mut self) -> io::Result<()> {
        let mut connection = self.open()?;
        let (what, bytes) = if self.stream.below(2) == 0 {
            ("no request", self.random_bytes(512))
        } else {
            ("endless header", [&b"GET /ws HTTP/1.1\r\nx: "[..], &vec![b'x'; 20_000]].concat())
        };
        self.count(what);
        connection.write(&bytes);
        connection.hang_up()
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
        // Under a crowd the server may have said goodbye instead; what follows is sent all the same.
        let alive = open.is_none_or(|(task, directions)| self.survived(task, directions, &mut bytes));
        if alive {
            self.fatal(&mut bytes);
        }
        connection.write(&bytes);
        connection.hang_up()
    }

    /// Whether the session has survived them: one rejected answer too many ends it.
    fn survived(&mut self, task: u64, directions: usize, out: &mut Vec<u8>) -> bool {
        let (mut rejects, mut closed) = (0, false);
        for _ in 0..self.stream.below(MOST_ACTS) {
            let what = match SURVIVED[self.stream.below(SURVIVED.len() as u64) as usize] {
                "spare bits" if directions.is_multiple_of(8) => "wrong length", // there are none
                "replay" if !closed => "unknown task",
                what => what,
            };
            let closes = matches!(what, "wrong length" | "spare bits");
            if closes && closed {
                continue; // the next task's number is not known here
            }
            closed |= closes;
            self.count(what);
            self.act(what, task, &vec![0xaa; directions.div_ceil(8)], out);
            rejects += u32::from(!matches!(what, "ping" | "pong"));
            if rejects == MOST_REJECTS {
                return false;
            }
        }
        true
    }

    fn act(&mut self, what: &str, task: u64, bits: &[u8], out: &mut Vec<u8>) {
        match what {
            "ping" => out.extend(frame(FIN | opcode::PING, &self.random_bytes(126))),
            "pong" => out.extend(frame(FIN | opcode::PONG, &self.random_bytes(126))),
            "unknown task" => out.extend(binary(&answer(u64::MAX - self.stream.below(1000), bits))),
            "foreign task" => out.extend(binary(&answer(self.stream.below(task), bits))),
            "wrong length" => out.extend(binary(&answer(task, &bits[1..]))),
            "spare bits" => out.extend(binary(&answer(task, &vec![0xff; bits.len()]))),
            "replay" => out.extend(binary(&answer(task, bits))),
            _ => self.fragments(&answer(u64::MAX, bits), out),
        }
    }

    /// A message in pieces, pings between them; not so many that they would be the end.
    fn fragments(&mut self, message: &[u8], out: &mut Vec<u8>) {
        let mut first = opcode::BINARY;
        for piece in message.chunks(8 + self.stream.below(300) as usize) {
            out.extend(frame(first, piece));
            out.extend(frame(FIN | opcode::PING, b"between"));
            first = opcode::GO_ON;
        }
        out.extend(frame(FIN | opcode::GO_ON, &[]));
    }

    fn fatal(&mut self, out: &mut Vec<u8>) {
        let what = FATAL[self.stream.below(FATAL.len() as u64) as usize];
        self.count(what);
        let record = |length: u32, body: &[u8]| [&[1, 2][..], &length.to_le_bytes(), body].concat();
        out.extend(match what {
            "random bytes" => binary(&[&[1, 0x7f][..], &self.random_bytes(120)].concat()),
            "truncated record" => binary(&record(998, &self.random_bytes(500))),
            "wrong record length" => binary(&record(self.stream.below(8) as u32, &[7; 20])),
            "oversize" => binary(&vec![1; 70_000]),
            "announced oversize" => [&[FIN | opcode::BINARY, 0xff, 0x7f][..], &[0xff; 7], &[0; 4]].concat(),
            "text" => frame(FIN | opcode::TEXT, b"hello"),
            "reserved bits" => frame(FIN | 0x70 | opcode::BINARY, &[1, 2]),
            "unknown opcode" => frame(FIN | 0x0b, &[1, 2]),
            "without a mask" => vec![FIN | opcode::BINARY, 2, 1, 2],
            "endless pings" => frame(FIN | opcode::PING, &[]).repeat(MOST_CONTROL_FRAMES + 1),
            "long ping" => frame(FIN | opcode::PING, &[0; 300]),
            // The first one where none has been: the second is fatal in any case.
            "second hello" => [binary(&hello()), binary(&hello())].concat(),
            "another version" => binary(&[2, 1, 0, 0, 0, 0]),
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

    fn count(&mut self, what: &'static str) {
        *self.sent.entry(what).or_default() += 1;
    }
}

fn hello() -> Vec<u8> {
    let mut out = Vec::new();
    ClientFrame::hello(&Hello { agent: "hostile", ..Hello::default() }, &mut out);
    out
}

fn answer(task: u64, bits: &[u8]) -> Vec<u8> {
    let length = (8 + bits.len() as u32).to_le_bytes();
    [&[1, 2][..], &length, &task.to_le_bytes(), bits].concat()
}

fn binary(payload: &[u8]) -> Vec<u8> {
    frame(FIN | opcode::BINARY, payload)
}

/// A WebSocket frame of a client; its mask is zeros, so that the payload stays what it is.
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
        stream.set_read_timeout(Some(FAILURE_BOUND))?;
        stream.set_write_timeout(Some(FAILURE_BOUND))?;
        Ok(Self(stream))
    }

    /// A server that has hung up makes this fail, and that is its right.
    fn write(&mut self, bytes: &[u8]) {
        _ = self.0.write_all(bytes);
    }

    fn upgrade(&mut self) -> io::Result<()> {
        self.write(
            b"GET /ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
              Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
        );
        let (mut head, mut buffer) = (Vec::new(), [0; 1024]);
        while !head.ends_with(b"\r\n\r\n") {
            match self.0.read(&mut buffer)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                read => head.extend(&buffer[..read]),
            }
        }
        Ok(())
    }

    /// The first task and the number of signs its answer has; none when the server says something else.
    fn first_task(&mut self) -> io::Result<Option<(u64, usize)>> {
        let mut head = [0; 10];
        self.0.read_exact(&mut head[..2])?;
        let wide = match head[1] {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        self.0.read_exact(&mut head[2..2 + wide])?;
        let wide_length = head[2..2 + wide].iter().fold(0, |length, byte| 256 * length + usize::from(*byte));
        let mut payload = vec![0; if wide == 0 { usize::from(head[1]) } else { wide_length }];
        self.0.read_exact(&mut payload)?;
        let (mut task, mut directions) = (None, 0);
        for record in read_server_frame(&payload).into_iter().flatten() {
            match record {
                Ok(ServerRecord::Welcome(welcome)) => directions = welcome.settings.directions.count(),
                Ok(ServerRecord::Task(first)) => task = Some(first.id.0),
                _ => {}
            }
        }
        Ok(task.map(|task| (task, directions)))
    }

    /// Reads whatever comes until the server has hung up. What is half said will not go on, and a close is answered.
    fn hang_up(mut self) -> io::Result<()> {
        self.write(&frame(FIN | opcode::CLOSE, &[]));
        _ = self.0.shutdown(Shutdown::Write); // it may have hung up by now
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
