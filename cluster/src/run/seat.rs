//! The seat of the learner that publishes: a key with a time to live, held by renewing it.

use std::time::Duration;

use async_nats::jetstream::kv::{CreateErrorKind, Store, UpdateErrorKind};
use tokio::sync::watch;

use farsign_server::shutdown::cancelled;

use crate::ClusterError;
use crate::error::failed;

/// Time without a renewal after which the seat is free.
pub const SEAT_TTL: Duration = Duration::from_secs(2);

/// Time between two renewals.
const RENEW_INTERVAL: Duration = Duration::from_millis(500);

/// Time between two attempts to take the seat.
const ATTEMPT_INTERVAL: Duration = Duration::from_millis(250);

/// The key.
const KEY: &str = "learner";

/// The seat, held.
#[derive(Debug)]
pub struct Seat {
    store: Store,
    name: String,
    revision: u64,
}

impl Seat {
    /// Waits until the seat is free, and takes it.
    pub async fn take(store: Store, name: &str) -> Self {
        loop {
            match store.create(KEY, name.to_owned().into()).await {
                Ok(revision) => {
                    tracing::info!(event = "seat_taken", name, "this learner publishes");
                    return Self {
                        store,
                        name: name.to_owned(),
                        revision,
                    };
                }
                Err(error) if error.kind() == CreateErrorKind::AlreadyExists => {}
                Err(error) => tracing::debug!(event = "seat_retried", %error, "seat not taken"),
            }
            tokio::time::sleep(ATTEMPT_INTERVAL).await;
        }
    }

    /// Renews the seat until it is lost, and then sets the flag; or until the flag is set, and then frees it. What keeps two
    /// learners from publishing is the board; this only decides which of them tries.
    pub async fn hold(mut self, stop: watch::Sender<bool>) {
        let mut stopped = stop.subscribe();
        loop {
            tokio::select! {
                () = tokio::time::sleep(RENEW_INTERVAL) => {}
                () = cancelled(&mut stopped) => return self.free().await,
            }
            let renewed = self
                .store
                .update(KEY, self.name.clone().into(), self.revision);
            match renewed.await {
                Ok(revision) => self.revision = revision,
                Err(error) if error.kind() == UpdateErrorKind::WrongLastRevision => {
                    tracing::warn!(
                        event = "seat_lost",
                        name = self.name,
                        "this learner stops to publish"
                    );
                    stop.send_replace(true);
                    return;
                }
                Err(error) => tracing::debug!(event = "seat_retried", %error, "seat not renewed"),
            }
        }
    }

    /// Frees the seat, so that a standby need not wait until it has run out.
    async fn free(self) {
        let freed = self.store.purge_expect_revision(KEY, Some(self.revision));
        if let Err(error) = freed.await {
            tracing::debug!(event = "seat_retried", %error, "seat not freed");
        }
    }
}

/// Returns the name of the learner that has the seat. `None` if it is free.
///
/// # Errors
/// Returns an error if the bucket cannot be read.
pub async fn holder(store: &Store) -> Result<Option<String>, ClusterError> {
    let value = store.get(KEY).await.map_err(failed("read the seat"))?;
    Ok(value.map(|value| String::from_utf8_lossy(&value).into_owned()))
}
