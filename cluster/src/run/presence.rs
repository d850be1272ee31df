//! The presence of gateways: one that no longer renews it has failed, and its volunteers leave.

use std::collections::BTreeSet;
use std::time::Duration;

use async_nats::jetstream::kv::{Store, UpdateErrorKind};
use farsign::learner::GatewayId;
use futures_util::StreamExt;

use crate::ClusterError;
use crate::error::failed;

/// Time without a renewal after which a gateway has failed. It is longer than an election of the servers.
pub const PRESENCE_TTL: Duration = Duration::from_secs(20);

/// Time between two renewals.
const RENEW_INTERVAL: Duration = Duration::from_secs(3);

fn key(gateway: GatewayId) -> String {
    format!("{:016x}", gateway.0)
}

/// The presence of a gateway, a key with a time to live.
#[derive(Debug)]
pub struct Presence {
    store: Store,
    gateway: GatewayId,
    revision: u64,
}

impl Presence {
    /// Begins the presence of a new gateway.
    ///
    /// # Errors
    /// Returns an error if it cannot be written.
    pub async fn begin(store: Store, gateway: GatewayId) -> Result<Self, ClusterError> {
        let revision = store.create(key(gateway), "".into()).await;
        Ok(Self {
            revision: revision.map_err(failed("begin the presence of a gateway"))?,
            store,
            gateway,
        })
    }

    /// Ends the presence of a gateway that stops.
    pub async fn end(self) {
        if let Err(error) = self.store.purge(key(self.gateway)).await {
            tracing::debug!(event = "presence_retried", %error, "presence not ended");
        }
    }

    /// Renews the presence for ever. One that has run out begins again: whether the gateway has failed is decided by the
    /// learner, in the log.
    pub async fn hold(&mut self) -> std::convert::Infallible {
        loop {
            tokio::time::sleep(RENEW_INTERVAL).await;
            let renewed = self
                .store
                .update(key(self.gateway), "".into(), self.revision);
            match renewed.await {
                Ok(revision) => self.revision = revision,
                Err(error) if error.kind() == UpdateErrorKind::WrongLastRevision => {
                    let again = self.store.create(key(self.gateway), "".into()).await;
                    self.revision = again.unwrap_or(self.revision);
                }
                Err(error) => {
                    tracing::debug!(event = "presence_retried", %error, "presence not renewed");
                }
            }
        }
    }
}

/// Returns the gateways that are present.
///
/// # Errors
/// Returns an error if they cannot be read.
pub async fn gateways(store: &Store) -> Result<BTreeSet<GatewayId>, ClusterError> {
    let mut keys = store
        .keys()
        .await
        .map_err(failed("read the presence of gateways"))?;
    let mut gateways = BTreeSet::new();
    while let Some(key) = keys.next().await {
        let key = key.map_err(failed("read the presence of gateways"))?;
        gateways.extend(u64::from_str_radix(&key, 16).map(GatewayId));
    }
    Ok(gateways)
}
