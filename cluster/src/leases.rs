//! Leases of gateways: a gateway that renews none has failed, and its volunteers leave.

use std::collections::BTreeSet;
use std::time::Duration;

use async_nats::jetstream::kv::{Store, UpdateErrorKind};
use farsign::learner::GatewayId;
use futures_util::StreamExt;

use crate::ClusterError;
use crate::error::failed;

/// Time without a renewal after which a gateway has failed. It is longer than an election of the servers.
pub const LEASE_TTL: Duration = Duration::from_secs(20);

/// Time between two renewals.
const RENEW_INTERVAL: Duration = Duration::from_secs(3);

fn key(gateway: GatewayId) -> String {
    format!("{:016x}", gateway.0)
}

/// The lease of a gateway.
#[derive(Debug)]
pub struct Lease {
    store: Store,
    gateway: GatewayId,
    revision: u64,
}

impl Lease {
    /// Takes the lease of a new gateway.
    ///
    /// # Errors
    /// Returns an error if it cannot be written.
    pub async fn take(store: Store, gateway: GatewayId) -> Result<Self, ClusterError> {
        let revision = store.create(key(gateway), "".into()).await;
        Ok(Self {
            revision: revision.map_err(failed("take a lease"))?,
            store,
            gateway,
        })
    }

    /// Renews the lease for ever. One that has run out is taken again: whether the gateway has failed is decided by the
    /// learner, in the log.
    pub async fn hold(mut self) -> std::convert::Infallible {
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
                Err(error) => tracing::debug!(event = "lease_retried", %error, "lease not renewed"),
            }
        }
    }
}

/// Returns the gateways with a lease.
///
/// # Errors
/// Returns an error if the leases cannot be read.
pub async fn gateways(store: &Store) -> Result<BTreeSet<GatewayId>, ClusterError> {
    let mut keys = store.keys().await.map_err(failed("read the leases"))?;
    let mut gateways = BTreeSet::new();
    while let Some(key) = keys.next().await {
        let key = key.map_err(failed("read the leases"))?;
        gateways.extend(u64::from_str_radix(&key, 16).map(GatewayId));
    }
    Ok(gateways)
}
