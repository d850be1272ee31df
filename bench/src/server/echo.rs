//! The peer of the server: tokio-tungstenite and nothing else, in a process of its own. It answers every message with as
//! many bytes as the server's answers have on average.

use std::env;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};
use futures_util::{SinkExt, StreamExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::accept_async;
use tokio_tungstenite::tungstenite::{Bytes, Message};

/// Makes this program an echo server with replies of so many bytes.
const VARIABLE: &str = "FARSIGN_BENCH_ECHO_BYTES";

/// An echo server. Dropping it ends it.
#[derive(Debug)]
pub struct Echo {
    child: Child,
    /// Where it listens.
    pub address: SocketAddr,
}

impl Echo {
    /// Starts this program once more, as an echo server.
    pub fn start(reply_bytes: u64) -> Result<Self> {
        let mut command = Command::new(env::current_exe()?);
        let mut child = command.env(VARIABLE, reply_bytes.to_string()).stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        let printed = child.stdout.take().context("its output is piped")?;
        BufReader::new(printed).read_line(&mut line)?;
        let address = line.trim().parse().with_context(|| format!("the echo server said {line:?}"));
        match address {
            Ok(address) => Ok(Self { child, address }),
            Err(error) => {
                _ = child.kill();
                Err(error)
            }
        }
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        _ = self.child.kill(); // it may have ended
        _ = self.child.wait();
    }
}

/// The reply this process is to serve as an echo server, if it was started as one.
pub fn asked_for() -> Option<String> {
    env::var(VARIABLE).ok()
}

/// Serves on a free port, which it prints, until it is killed.
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

/// Until the client goes; whatever it is that ends the connection.
async fn echo(stream: TcpStream, reply: Bytes) {
    let Ok(mut socket) = accept_async(stream).await else { return };
    while let Some(Ok(message)) = socket.next().await {
        if message.is_binary() && socket.send(Message::Binary(reply.clone())).await.is_err() {
            return;
        }
    }
}
