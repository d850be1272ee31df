//! The server's peer: an echo with tokio-tungstenite alone, in a separate process. It replies to every frame with the
//! server's average number of bytes.

use std::env;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};
use futures_util::{SinkExt, StreamExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::accept_async;
use tokio_tungstenite::tungstenite::{Bytes, Message};

/// Environment variable that makes this program an echo server; its value is the size of a reply in bytes.
const VARIABLE: &str = "FARSIGN_BENCH_ECHO_BYTES";

/// A child process that runs an echo server. Stopped on drop.
#[derive(Debug)]
pub struct Echo {
    child: Child,
    /// Address of the echo server.
    pub address: SocketAddr,
}

impl Echo {
    /// Starts this program as an echo server.
    ///
    /// # Errors
    ///
    /// Returns an error if the process does not start or print its address.
    pub fn start(reply_bytes: u64) -> Result<Self> {
        let mut command = Command::new(env::current_exe()?);
        let mut child = command
            .env(VARIABLE, reply_bytes.to_string())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        let printed = child.stdout.take().context("stdout is piped")?;
        BufReader::new(printed).read_line(&mut line)?;
        let address = line
            .trim()
            .parse()
            .with_context(|| format!("the echo server printed {line:?}"));
        match address {
            Ok(address) => Ok(Self { child, address }),
            Err(error) => {
                _ = child.kill();
                Err(error)
            }
        }
    }

    /// Returns the process ID.
    pub fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        _ = self.child.kill(); // it may have exited
        _ = self.child.wait();
    }
}

/// Returns the size of a reply if this process was started as an echo server, else `None`.
pub fn requested() -> Option<String> {
    env::var(VARIABLE).ok()
}

/// Serves on a free port, whose address it prints, until the process is killed.
///
/// # Errors
///
/// Returns an error if the size is not a number or the port cannot be opened.
pub fn serve(reply_bytes: &str) -> Result<()> {
    let reply = Bytes::from(vec![0; reply_bytes.parse()?]);
    tokio::runtime::Runtime::new()?.block_on(async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        println!("{}", listener.local_addr()?);
        std::io::stdout().flush()?;
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            tokio::spawn(echo(stream, reply.clone()));
        }
    })
}

/// Echoes until the connection closes.
async fn echo(stream: TcpStream, reply: Bytes) {
    let Ok(mut socket) = accept_async(stream).await else {
        return;
    };
    while let Some(Ok(message)) = socket.next().await {
        if message.is_binary() && socket.send(Message::Binary(reply.clone())).await.is_err() {
            return;
        }
    }
}
