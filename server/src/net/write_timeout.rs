//! A stream with a write timeout, for clients that stop reading.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

use crate::net::connection_limiter::Permit;

/// A connection with its permit, which is released when the connection ends, also as a WebSocket.
#[derive(Debug)]
pub struct WriteTimeoutStream<S> {
    stream: S,
    write_timeout: Duration,
    /// Deadline of a write without progress.
    deadline: Option<Pin<Box<Sleep>>>,
    _permit: Permit,
}

impl<S> WriteTimeoutStream<S> {
    /// Wraps a connection whose writes must progress within `write_timeout`.
    pub fn new(stream: S, write_timeout: Duration, permit: Permit) -> Self {
        Self {
            stream,
            write_timeout,
            deadline: None,
            _permit: permit,
        }
    }

    /// Passes the result of a write on, or fails if no write has progressed in time.
    fn watch<T>(&mut self, cx: &mut Context<'_>, done: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if done.is_ready() {
            self.deadline = None;
            return done;
        }
        let timeout = self.write_timeout;
        let deadline = self
            .deadline
            .get_or_insert_with(|| Box::pin(sleep(timeout)));
        ready!(deadline.as_mut().poll(cx));
        Poll::Ready(Err(io::Error::new(
            io::ErrorKind::TimedOut,
            "the client stopped reading",
        )))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for WriteTimeoutStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for WriteTimeoutStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let done = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.watch(cx, done)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let done = Pin::new(&mut self.stream).poll_flush(cx);
        self.watch(cx, done)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let done = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.watch(cx, done)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let done = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.watch(cx, done)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;
    use crate::net::connection_limiter::ConnectionLimiter;

    #[tokio::test]
    async fn write_timeout_releases_permit() {
        let limiter = ConnectionLimiter::new(1, 1);
        let (_client, server) = tokio::io::duplex(16);
        let permit = limiter.acquire(None).unwrap();
        let mut stream = WriteTimeoutStream::new(server, Duration::from_millis(10), permit);
        let error = stream.write_all(&[0; 17]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(limiter.in_use(), 1);
        drop(stream);
        assert_eq!(limiter.in_use(), 0);
    }

    #[tokio::test]
    async fn reading_client_receives_all_bytes() {
        let (mut client, server) = tokio::io::duplex(16);
        let permit = ConnectionLimiter::new(1, 1).acquire(None).unwrap();
        let mut stream = WriteTimeoutStream::new(server, Duration::from_mins(1), permit);
        let (wrote, read) = tokio::join!(
            async {
                let wrote = stream.write_all(&[7; 100]).await;
                drop(stream);
                wrote
            },
            async {
                let mut read = Vec::new();
                client.read_to_end(&mut read).await.map(|_| read)
            }
        );
        wrote.unwrap();
        assert_eq!(read.unwrap(), [7; 100]);
    }
}
