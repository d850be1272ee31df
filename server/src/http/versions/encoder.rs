//! Encoding for requests, in turn and within a fraction of one core, whatever is requested.

use std::sync::Arc;
use std::time::Instant;

use farsign::wire::{EncodedVersion, ServerFrame};
use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::frame_cache::{FrameCache, VersionFrame};
use super::pair::VersionPair;
use super::unavailable::VersionUnavailable;
use crate::http::etag;

/// Pairs of versions that wait to be encoded. Requests for further ones are rejected.
const MAX_WAITING_PAIRS: usize = 64;

/// Rest after an encoding, as a multiple of its duration: requests take at most a fifth of one core.
const REST_FACTOR: u32 = 4;

/// The encoder of requested versions, with its cache.
#[derive(Debug)]
pub struct Encoder {
    /// Locked briefly, and never across an await point.
    frames: Mutex<FrameCache>,
    /// One permit for each pair that waits or is being encoded.
    queue: Semaphore,
    /// The permit to encode.
    turn: Arc<Semaphore>,
}

impl Default for Encoder {
    fn default() -> Self {
        Self {
            frames: Mutex::default(),
            queue: Semaphore::new(MAX_WAITING_PAIRS),
            turn: Arc::new(Semaphore::new(1)),
        }
    }
}

impl Encoder {
    /// Returns the frame of a pair. Concurrent requests for the same pair share one encoding.
    ///
    /// # Errors
    /// Returns an error if the queue is full, if `encode` fails, or if the server is stopping.
    pub async fn frame(
        &self,
        pair: VersionPair,
        encode: impl FnOnce() -> Result<EncodedVersion, VersionUnavailable> + Send + 'static,
    ) -> Result<VersionFrame, VersionUnavailable> {
        let cell = self.frames.lock().cell(pair);
        if let Some(frame) = cell.get() {
            return Ok(frame.clone());
        }
        let frame = cell.get_or_try_init(|| self.encode_in_turn(encode)).await?;
        self.frames.lock().trim();
        Ok(frame.clone())
    }

    async fn encode_in_turn(
        &self,
        encode: impl FnOnce() -> Result<EncodedVersion, VersionUnavailable> + Send + 'static,
    ) -> Result<VersionFrame, VersionUnavailable> {
        let full = |_| VersionUnavailable::QueueFull;
        let _place = self.queue.try_acquire().map_err(full)?;
        let stopping = |_| VersionUnavailable::Stopping;
        let turn = Arc::clone(&self.turn).acquire_owned().await;
        let (sender, frame) = oneshot::channel();
        // A task of its own, which keeps the turn even if the client of this request disconnects.
        tokio::spawn(run_turn(turn.map_err(stopping)?, encode, sender));
        frame.await.map_err(|_| VersionUnavailable::Stopping)?
    }
}

type FrameSender = oneshot::Sender<Result<VersionFrame, VersionUnavailable>>;

/// Encodes on a thread for blocking work, sends the frame, and rests before the next turn.
async fn run_turn(
    turn: OwnedSemaphorePermit,
    encode: impl FnOnce() -> Result<EncodedVersion, VersionUnavailable> + Send + 'static,
    sender: FrameSender,
) {
    let start = Instant::now();
    let frame = tokio::task::spawn_blocking(|| encode().map(|encoded| frame_of(&encoded))).await;
    if let Ok(frame) = frame {
        _ = sender.send(frame); // fails if the client has disconnected
    }
    tokio::time::sleep(REST_FACTOR * start.elapsed()).await;
    drop(turn);
}

fn frame_of(encoded: &EncodedVersion) -> VersionFrame {
    let mut frame = Vec::with_capacity(1 + encoded.bytes());
    ServerFrame::new(&mut frame).version(encoded);
    VersionFrame {
        tag: etag::tag_of(&frame),
        bytes: frame.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use farsign::fixed_point::FixedPoint;
    use farsign::version::{Grid, Version, VersionHash};

    fn encoded() -> EncodedVersion {
        let fixed_point = FixedPoint::new(20).unwrap();
        let grid = Grid {
            fixed_point,
            shift: 0,
        };
        EncodedVersion::new(&Version::round(1, 1, &[1, 2, 3], grid), None)
    }

    fn pair(number: u8) -> VersionPair {
        VersionPair::whole(VersionHash([number; 32]))
    }

    #[tokio::test]
    async fn pair_is_encoded_once() {
        let encoder = Encoder::default();
        let encodings = Arc::new(AtomicUsize::new(0));
        let requests = (0..2 * MAX_WAITING_PAIRS).map(|_| {
            let encodings = Arc::clone(&encodings);
            encoder.frame(pair(1), move || {
                encodings.fetch_add(1, Ordering::Relaxed);
                Ok(encoded())
            })
        });
        let frames = futures_util::future::join_all(requests).await;
        assert_eq!(encodings.load(Ordering::Relaxed), 1);
        let expected = Ok(frame_of(&encoded()));
        assert!(frames.iter().all(|frame| *frame == expected));
    }

    #[tokio::test(start_paused = true)]
    async fn full_queue_rejects_further_pairs() {
        let encoder = Encoder::default();
        let frame = |number| encoder.frame(pair(number), || Ok(encoded()));
        assert!(frame(1).await.is_ok());
        let places = encoder.queue.try_acquire_many(MAX_WAITING_PAIRS as u32);
        assert_eq!(frame(2).await, Err(VersionUnavailable::QueueFull));
        assert!(frame(1).await.is_ok(), "the frame is cached");
        drop(places.expect("the queue was empty"));
        assert!(frame(2).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn failed_encoding_is_not_cached() {
        let encoder = Encoder::default();
        let failed = encoder.frame(pair(1), || Err(VersionUnavailable::SameBase));
        assert_eq!(failed.await, Err(VersionUnavailable::SameBase));
        assert!(encoder.frame(pair(1), || Ok(encoded())).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn abandoned_request_keeps_its_turn() {
        let encoder = Encoder::default();
        let (started, mut has_started) = oneshot::channel();
        let (finish, may_finish) = std::sync::mpsc::channel::<()>();
        let slow = encoder.frame(pair(1), move || {
            started.send(()).unwrap();
            _ = may_finish.recv();
            Ok(encoded())
        });
        tokio::select! {
            biased;
            _ = &mut has_started => {} // and the request is dropped
            _ = slow => unreachable!("the encoding has not finished"),
        }
        assert_eq!(encoder.turn.available_permits(), 0);
        drop(finish);
        assert!(encoder.frame(pair(2), || Ok(encoded())).await.is_ok());
    }
}
