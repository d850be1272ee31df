//! Servers as child processes, signals, and plain HTTP.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStdout, Command, Stdio};

/// A server, what it has printed, and its page's address.
pub struct Started {
    pub child: Child,
    pub output: String,
    pub url: String,
    /// The rest of standard output.
    pub rest: BufReader<ChildStdout>,
}

/// Starts a server, and waits for its page's address.
pub fn start(command: &mut Command) -> Started {
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut rest = BufReader::new(child.stdout.take().unwrap());
    let mut output = String::new();
    let url = loop {
        let mut line = String::new();
        let length = rest.read_line(&mut line).unwrap();
        if length == 0 {
            let status = child.wait().unwrap();
            panic!("{status} without an address: {output}");
        }
        output.push_str(&line);
        if let Some(line) = line.strip_prefix("Open ") {
            break line.split(' ').next().unwrap().to_owned();
        }
    };
    Started {
        child,
        output,
        url,
        rest,
    }
}

/// Sends a signal, such as `INT`.
pub fn send_signal(child: &Child, signal: &str) {
    let kill = Command::new("kill")
        .args([&format!("-{signal}"), &child.id().to_string()])
        .status();
    assert!(kill.unwrap().success());
}

/// Sends a request to a server at `http://HOST:PORT`, and returns the response with its header.
pub fn request(url: &str, method: &str, path: &str, token: &str, body: &str) -> String {
    let authority = url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(authority).unwrap();
    let length = body.len();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: {authority}\r\nAuthorization: Bearer {token}\r\n\
         Connection: close\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    .unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    response
}
