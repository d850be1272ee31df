//! Training data in shards: the unit of download of a volunteer, and the part of the data that it draws from.
//!
//! The server cuts its training set into class-balanced shards of about [`SHARD_BYTES`] ([`ShardPlan`]). Their order is
//! one for the run. A volunteer holds the first `n` of them, and a task draws from the images of the first `n`:
//!
//! ```text
//!   shard 0              shard 1              shard 2
//!   image 0 ... e0 - 1   image e0 ... e1 - 1  image e1 ... e2 - 1
//!   |------------ the first 2 shards: 0 ... e1 - 1 -|
//! ```
//!
//! A [`ShardList`] names the shards by their digests, and its own digest names the training data. A [`ShardedDataset`] is
//! the whole training set at the server, or the shards that a volunteer holds; image `i` is the same in both.

mod error;
mod list;
mod plan;
mod sharded;
mod view;

pub use error::{ShardError, ShardListError};
pub use list::{MAX_SHARDS, ShardEntry, ShardList};
pub use plan::{SHARD_BYTES, ShardPlan};
pub use sharded::ShardedDataset;
pub use view::DatasetView;
