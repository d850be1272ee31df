//! The shards of the training data, packed for volunteers.

use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, mpsc};
use std::thread;

use axum::body::Bytes;
use farsign::dataset::ShardedDataset;

use crate::data::gzip::gzip;
use crate::data::load_step::{LoadAction, LoadStep};

/// A training set in shards, with the file of each shard.
///
/// The files are packed once, and every response shares them.
#[derive(Clone, Debug)]
pub struct ShardFiles {
    data: ShardedDataset,
    packed: Arc<OnceLock<Vec<Bytes>>>,
}

impl ShardFiles {
    /// Creates the files of a training set, which must be complete. They are packed later.
    pub fn new(data: ShardedDataset) -> Self {
        Self {
            data,
            packed: Arc::default(),
        }
    }

    /// Returns the training set in shards.
    pub fn data(&self) -> &ShardedDataset {
        &self.data
    }

    /// Packs the shards on all cores, unless that is done, and reports each step.
    pub fn pack(&self, on_step: &mut dyn FnMut(LoadStep)) -> &[Bytes] {
        self.packed.get_or_init(|| pack(&self.data, on_step))
    }

    /// Returns the gzipped shards in order. Packs them if that is not done.
    pub fn packed(&self) -> &[Bytes] {
        self.pack(&mut |_| {})
    }

    /// Returns the size of all gzipped shards, which a volunteer downloads.
    pub fn packed_bytes(&self) -> u64 {
        self.packed().iter().map(|file| file.len() as u64).sum()
    }

    /// Returns the gzipped shard with this digest; `None` if there is no such shard.
    pub fn find(&self, digest: [u8; 32]) -> Option<Bytes> {
        let entries = self.data.list().entries();
        let shard = entries.iter().position(|entry| entry.digest == digest)?;
        self.packed().get(shard).cloned()
    }
}

fn pack(data: &ShardedDataset, on_step: &mut dyn FnMut(LoadStep)) -> Vec<Bytes> {
    let list = data.list();
    let image_bytes = list.pixels() as u64;
    let mut step = LoadStep {
        action: LoadAction::Pack,
        file: "training data".to_owned(),
        done_bytes: 0,
        total_bytes: list.images() as u64 * image_bytes,
    };
    on_step(step.clone());
    let mut files = vec![Bytes::new(); list.shards()];
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    let next = AtomicUsize::new(0);
    let (sender, packed) = mpsc::channel();
    thread::scope(|scope| {
        for _ in 0..cores.min(files.len()) {
            let sender = sender.clone();
            let next = &next;
            scope.spawn(move || {
                loop {
                    let shard = next.fetch_add(1, Ordering::Relaxed);
                    let Some(unpacked) = data.unpacked_shard(shard) else {
                        break;
                    };
                    _ = sender.send((shard, gzip(&unpacked))); // the receiver outlives the threads
                }
            });
        }
        drop(sender);
        for (shard, file) in packed {
            files[shard] = file.into();
            step.done_bytes += list.entries()[shard].images as u64 * image_bytes;
            on_step(step.clone());
        }
    });
    files
}
