//! A stream that gives a client up which does not read what it is sent.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

use crate::places::Place;

/// A connection in its place, which is free again when the connection ends, also after it became a WebSocket.
#[derive(Debug)]
pub struct Patient<S> {
    stream: S,
    write_timeout: Duration,
    /// When a write that does not go on is given up.
    stalled: Option<Pin<Box<Sleep>>>,
    _place: Place,
}

impl<S> Patient<S> {
    /// A connection whose writes go on at least every `write_timeout`.
    pub fn new(stream: S, write_timeout: Duration, place: Place) -> Self {
        Self { stream, write_timeout, stalled: None, _place: place }
    }

    /// Passes on what became of a write; fails when none has gone on for too long.
    fn watch<T>(&mut self, cx: &mut Context<'_>, done: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if done.is_ready() {
            self.stalled = None;
            return done;
        }
        let timeout = self.write_timeout;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep(timeout)));
        ready!(stalled.as_mut().poll(cx));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client does not read")))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Patient<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
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
    use crate::places::Places;

    #[tokio::test]
    async fn a_client_that_does_not_read_is_given_up_and_its_place_is_free() {
        let places = Places::new(1, 1);
        let (_client, server) = tokio::io::duplex(16);
        let place = places.take(None).unwrap();
        let mut stream = Patient::new(server, Duration::from_millis(10), place);
        let error = stream.write_all(&[0; 17]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(places.taken(), 1);
        drop(stream);
        assert_eq!(places.taken(), 0);
    }

    #[tokio::test]
    async fn a_client_that_reads_is_not() {
        let (mut client, server) = tokio::io::duplex(16);
        let place = Places::new(1, 1).take(None).unwrap();
        let mut stream = Patient::new(server, Duration::from_mins(1), place);
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
