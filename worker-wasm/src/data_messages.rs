//! The messages between the training workers of a tab and its data worker, which holds the images for all of them.
//!
//! ```text
//!   training worker                                 data worker
//!     | -- more: beyond what it knows of ----------> |  downloads the next shard, for all that ask
//!     | <- held: the shards that are held ---------- |  to every training worker, after each shard
//!     | <- failed ---------------------------------- |  to those that asked
//!     | -- outdated: the server has other data ----> |  drops the data, once for all that report it
//!     | -- part: images that a seed draws ---------> |
//!     | <- images ---------------------------------- |  in the order of the requests; `null` if the data was dropped
//! ```
//!
//! Each list of shards that is loaded has a *generation*. A message about an earlier one has no effect. A training
//! worker that knows of fewer shards than are held gets the reply to `more` at once.
//!
//! A message is an array: its kind, then its fields.

use farsign::minibatch;
use js_sys::{Array, ArrayBuffer, Uint8Array};
use wasm_bindgen::prelude::*;

/// A message to the data worker.
#[derive(Clone, Debug)]
pub enum Request {
    /// Asks for more shards than the training worker knows of: `held` in this generation.
    More {
        /// The server's WebSocket address.
        url: String,
        generation: u32,
        held: u16,
    },
    /// Reports that the server trains on other data than this generation.
    Outdated { generation: u32 },
    /// Asks for images, in a buffer of an earlier part if there is one: a new one for each would fill the memory.
    Part(PartRequest, Option<ArrayBuffer>),
}

/// A part of the images that a task draws.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartRequest {
    /// Number of the request at its sender.
    pub id: u32,
    pub generation: u32,
    pub minibatch_seed: u64,
    /// Number of shards that the task draws from.
    pub shards: u16,
    /// Position in the minibatch of the first image.
    pub first: u32,
    /// Number of images.
    pub count: u32,
}

/// A message to a training worker.
#[derive(Clone, Debug)]
pub enum Reply {
    /// The shards that are held.
    Held(HeldShards),
    /// A download failed, with the reason as a sentence. `None` if the memory is too small.
    Failed(Option<String>),
    /// The requested images; `None` if the data was dropped.
    Images { id: u32, bytes: Option<Uint8Array> },
}

/// The shards that the data worker holds.
#[derive(Clone, Debug)]
pub struct HeldShards {
    pub generation: u32,
    /// Number of shards, at least 1.
    pub shards: u16,
    /// Packed size of the last one in bytes.
    pub shard_bytes: u64,
    /// The list of shards as the server sent it. `None` if an earlier message of this generation had it.
    pub list: Option<JsValue>,
}

const MORE: u32 = 1;
const OUTDATED: u32 = 2;
const PART: u32 = 3;
const HELD: u32 = 4;
const FAILED: u32 = 5;
const IMAGES: u32 = 6;

impl PartRequest {
    /// Returns the positions of the images among the `count` images of the task's shards.
    pub fn indices(self, count: usize) -> impl Iterator<Item = usize> {
        let first = self.first as usize;
        let end = first + self.count as usize;
        minibatch::indices_in(self.minibatch_seed, count, first..end)
    }
}

impl Request {
    /// Returns the message as a JavaScript array.
    pub fn to_js(&self) -> Array {
        match self {
            Self::More {
                url,
                generation,
                held,
            } => array([
                MORE.into(),
                url.into(),
                (*generation).into(),
                (*held).into(),
            ]),
            Self::Outdated { generation } => array([OUTDATED.into(), (*generation).into()]),
            Self::Part(part, buffer) => array([
                PART.into(),
                part.id.into(),
                part.generation.into(),
                // In halves, because numbers of JavaScript have 53 bits.
                ((part.minibatch_seed >> 32) as u32).into(),
                (part.minibatch_seed as u32).into(),
                part.shards.into(),
                part.first.into(),
                part.count.into(),
                buffer.clone().map_or(JsValue::NULL, JsValue::from),
            ]),
        }
    }

    /// Returns the objects of the message that are transferred instead of copied.
    pub fn transferred(&self) -> Array {
        match self {
            Self::Part(_, Some(buffer)) => array([buffer.into()]),
            _ => Array::new(),
        }
    }

    /// Reads a message; `None` if it is no request.
    pub fn from_js(message: JsValue) -> Option<Self> {
        let fields = Fields(message.dyn_into().ok()?);
        match fields.number(0)? {
            MORE => Some(Self::More {
                url: fields.0.get(1).as_string()?,
                generation: fields.number(2)?,
                held: fields.number(3)? as u16,
            }),
            OUTDATED => Some(Self::Outdated {
                generation: fields.number(1)?,
            }),
            PART => {
                let [high, low] = [fields.number(3)?, fields.number(4)?].map(u64::from);
                let part = PartRequest {
                    id: fields.number(1)?,
                    generation: fields.number(2)?,
                    minibatch_seed: high << 32 | low,
                    shards: fields.number(5)? as u16,
                    first: fields.number(6)?,
                    count: fields.number(7)?,
                };
                Some(Self::Part(part, fields.0.get(8).dyn_into().ok()))
            }
            _ => None,
        }
    }
}

impl Reply {
    /// Returns the message as a JavaScript array.
    pub fn to_js(&self) -> Array {
        match self {
            Self::Held(held) => array([
                HELD.into(),
                held.generation.into(),
                held.shards.into(),
                (held.shard_bytes as f64).into(),
                held.list.clone().unwrap_or(JsValue::NULL),
            ]),
            Self::Failed(reason) => {
                let reason = reason.as_deref().map_or(JsValue::NULL, JsValue::from);
                array([FAILED.into(), reason])
            }
            Self::Images { id, bytes } => {
                let bytes = bytes.clone().map_or(JsValue::NULL, JsValue::from);
                array([IMAGES.into(), (*id).into(), bytes])
            }
        }
    }

    /// Returns the objects of the message that are transferred instead of copied.
    pub fn transferred(&self) -> Array {
        match self {
            Self::Images {
                bytes: Some(bytes), ..
            } => array([bytes.buffer().into()]),
            _ => Array::new(),
        }
    }

    /// Reads a message; `None` if it is no reply.
    pub fn from_js(message: JsValue) -> Option<Self> {
        let fields = Fields(message.dyn_into().ok()?);
        match fields.number(0)? {
            HELD => Some(Self::Held(HeldShards {
                generation: fields.number(1)?,
                shards: fields.number(2)? as u16,
                shard_bytes: fields.0.get(3).as_f64()? as u64,
                list: Some(fields.0.get(4)).filter(|list| !list.is_null()),
            })),
            FAILED => Some(Self::Failed(fields.0.get(1).as_string())),
            IMAGES => Some(Self::Images {
                id: fields.number(1)?,
                bytes: fields.0.get(2).dyn_into().ok(),
            }),
            _ => None,
        }
    }
}

/// The array of a message.
struct Fields(Array);

impl Fields {
    fn number(&self, index: u32) -> Option<u32> {
        self.0.get(index).as_f64().map(|number| number as u32)
    }
}

fn array<const N: usize>(fields: [JsValue; N]) -> Array {
    fields.iter().collect()
}
