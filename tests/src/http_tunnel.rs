//! What test proxies do with a connection: read the head of a request, and forward all bytes.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpListener, TcpStream};

/// Longest head of a request.
const MAX_HEAD_BYTES: usize = 16 * 1024;

/// Handles each connection to a free port of an address on a thread, until the process ends. Returns address and port.
///
/// # Errors
/// Returns an error if the system has no free port.
pub fn listen(
    address: IpAddr,
    handle: impl Fn(TcpStream) -> io::Result<()> + Clone + Send + 'static,
) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind((address, 0))?;
    let address = listener.local_addr()?;
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let handle = handle.clone();
            std::thread::spawn(move || handle(client)); // a client may leave at any time
        }
    });
    Ok(address)
}

/// Reads the lines of a request or response up to the empty one, and nothing of what follows.
///
/// # Errors
/// Returns an error if the connection ends or the head is too long.
pub fn read_head(stream: &mut TcpStream) -> io::Result<Vec<String>> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() >= MAX_HEAD_BYTES {
            return Err(io::Error::other("the head is too long"));
        }
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head);
    Ok(head
        .lines()
        .filter(|line| !line.is_empty())
        .map(str::to_owned)
        .collect())
}

/// Writes a head, with the empty line after it.
///
/// # Errors
/// Returns an error if the connection ends.
pub fn write_head(stream: &mut TcpStream, lines: &[String]) -> io::Result<()> {
    stream.write_all(format!("{}\r\n\r\n", lines.join("\r\n")).as_bytes())
}

/// Returns the value of a header. `None` if it is missing.
pub fn header<'a>(head: &'a [String], name: &str) -> Option<&'a str> {
    let fields = head.iter().filter_map(|line| line.split_once(':'));
    let mut values = fields.filter(|(found, _)| found.eq_ignore_ascii_case(name));
    values.next().map(|(_, value)| value.trim())
}

/// Forwards bytes in both directions until both ends have closed.
///
/// # Errors
/// Returns an error if a connection cannot be shared between threads.
pub fn forward(client: &TcpStream, server: &TcpStream) -> io::Result<()> {
    let from_server = server.try_clone()?;
    let to_client = client.try_clone()?;
    let back = std::thread::spawn(move || copy(from_server, to_client));
    copy(client.try_clone()?, server.try_clone()?);
    _ = back.join();
    Ok(())
}

fn copy(mut from: TcpStream, mut to: TcpStream) {
    _ = io::copy(&mut from, &mut to); // either end may be gone
    _ = to.shutdown(Shutdown::Write);
}
