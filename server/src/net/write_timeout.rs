//! A stream with a write timeout, for clients that stop reading, whose writes keep to the limits of the egress.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

use crate::net::connection_limiter::Permit;
use crate::net::egress::ConnectionEgress;

/// A connection with its permit, which is released when the connection ends, also as a WebSocket.
#[derive(Debug)]
pub struct WriteTimeoutStream<S> {
    stream: S,
    write_timeout: Duration,
    /// Deadline of a write without progress.
    deadline: Option<Pin<Box<Sleep>>>,
    egress: ConnectionEgress,
    /// Runs until a limit of the egress permits the next write. It is not part of the write timeout.
    hold: Option<Pin<Box<Sleep>>>,
    _permit: Permit,
}

impl<S> WriteTimeoutStream<S> {
    /// Wraps a connection whose writes must progress within `write_timeout`.
    pub fn new(
        stream: S,
        write_timeout: Duration,
        egress: ConnectionEgress,
        permit: Permit,
    ) -> Self {
        Self {
            stream,
            write_timeout,
            deadline: None,
            egress,
            hold: None,
            _permit: permit,
        }
    }

    /// Returns how many of `bytes` may be written now. Pending until a limit of the egress permits any.
    fn poll_permit(&mut self, cx: &mut Context<'_>, bytes: usize) -> Poll<usize> {
        loop {
            if let Some(hold) = &mut self.hold {
                ready!(hold.as_mut().poll(cx));
                self.hold = None;
            }
            match self.egress.permit(bytes, Instant::now().into_std()) {
                Ok(permitted) => return Poll::Ready(permitted),
                Err(wait) => self.hold = Some(Box::pin(sleep(wait))),
            }
        }
    }

    /// Counts the bytes of a write, and passes its result on, as [`Self::watch`] does.
    fn watch_write(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if let Poll::Ready(Ok(bytes)) = written {
            self.egress.record(bytes);
        }
        self.watch(cx, written)
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
        let permitted = ready!(self.poll_permit(cx, bytes.len()));
        let written = Pin::new(&mut self.stream).poll_write(cx, &bytes[..permitted]);
        self.watch_write(cx, written)
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
        let bytes = slices.iter().map(|slice| slice.len()).sum();
        let permitted = ready!(self.poll_permit(cx, bytes));
        let written = if permitted == bytes {
            Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
        } else {
            let first = slices.iter().find(|slice| !slice.is_empty());
            let first: &[u8] = first.map_or(&[], |slice| slice);
            let permitted = permitted.min(first.len());
            Pin::new(&mut self.stream).poll_write(cx, &first[..permitted])
        };
        self.watch_write(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU64;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;
    use crate::net::connection_limiter::ConnectionLimiter;
    use crate::net::egress::{Egress, EgressLimits};

    /// Returns the egress of a connection with a limit in all, in bytes a second.
    fn egress(limit: Option<u64>) -> ConnectionEgress {
        let limits = EgressLimits {
            total: limit.and_then(NonZeroU64::new),
            per_address: None,
        };
        Egress::new(limits, Instant::now().into_std()).connection(None)
    }

    #[tokio::test]
    async fn write_timeout_releases_permit() {
        let limiter = ConnectionLimiter::new(1, 1);
        let (_client, server) = tokio::io::duplex(16);
        let permit = limiter.acquire(None).unwrap();
        let mut stream =
            WriteTimeoutStream::new(server, Duration::from_millis(10), egress(None), permit);
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
        let mut stream =
            WriteTimeoutStream::new(server, Duration::from_mins(1), egress(None), permit);
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

    /// Returns the seconds in which these bytes are written. Time passes when nothing else is to do.
    async fn seconds_to_write(bytes: usize, limit: Option<u64>, is_vectored: bool) -> f64 {
        let (mut client, server) = tokio::io::duplex(1 << 20);
        let permit = ConnectionLimiter::new(1, 1).acquire(None).unwrap();
        let timeout = Duration::from_millis(100); // shorter than the waits for the limit
        let mut stream = WriteTimeoutStream::new(server, timeout, egress(limit), permit);
        let started = Instant::now();
        let sent: Vec<u8> = (0..bytes).map(|index| index as u8).collect();
        let expected = sent.clone();
        let write = async move {
            if is_vectored {
                let mut rest = &sent[..];
                while !rest.is_empty() {
                    let (first, second) = rest.split_at(rest.len() / 2);
                    let slices = [IoSlice::new(first), IoSlice::new(&[]), IoSlice::new(second)];
                    let written = stream.write_vectored(&slices).await.unwrap();
                    rest = &rest[written..];
                }
            } else {
                stream.write_all(&sent).await.unwrap();
            }
        };
        let mut received = Vec::new();
        let ((), read) = tokio::join!(write, client.read_to_end(&mut received));
        read.unwrap();
        assert!(received == expected, "the bytes differ");
        started.elapsed().as_secs_f64()
    }

    #[tokio::test(start_paused = true)]
    async fn egress_limit_slows_writes() {
        for is_vectored in [false, true] {
            assert_eq!(seconds_to_write(1_000_000, None, is_vectored).await, 0.0);
            let seconds = seconds_to_write(1_000_000, Some(100_000), is_vectored).await;
            assert!((9.0..10.1).contains(&seconds), "{seconds} s");
        }
    }
}
