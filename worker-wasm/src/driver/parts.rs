//! The images of the open tasks, requested from the data worker part by part.
//!
//! A task may draw as many images as would fill the memory of a tab, so a training worker holds only the next parts. They
//! are requested in advance: the data worker draws a part while the one before it is computed.

use std::collections::VecDeque;

use farsign::dataset::{DrawnImages, ShardList};
use farsign::task::{Task, TaskId};
use js_sys::{ArrayBuffer, Uint8Array};
use wasm_bindgen::JsCast;

use crate::data_messages::{PartRequest, Request};
use crate::port::Port;

/// Most images of a part.
const MAX_PART_IMAGES: usize = 1024;

/// Size of the pixels of a part that larger images lead to, in bytes.
const PART_BYTES: usize = 1 << 20;

/// Number of parts that are requested and not computed yet.
const PARTS_AHEAD: usize = 2;

/// The images of the open tasks of a session, in the order of the tasks.
#[derive(Debug, Default)]
pub struct PartQueue {
    data: DataShape,
    /// Images that are not requested yet.
    unrequested: VecDeque<Remainder>,
    /// Parts that are not computed yet.
    parts: VecDeque<Part>,
    last_id: u32,
    /// Buffers of earlier parts, at most [`PARTS_AHEAD`].
    buffers: Vec<ArrayBuffer>,
}

/// What a session draws from.
#[derive(Clone, Copy, Debug, Default)]
struct DataShape {
    generation: u32,
    pixels: usize,
    classes: usize,
}

/// The images of a task from `first` on.
#[derive(Debug)]
struct Remainder {
    task: Task,
    first: u32,
}

/// A part of the images of a task.
#[derive(Debug)]
struct Part {
    id: u32,
    task: TaskId,
    /// Number of images.
    count: u32,
    /// The images; `None` until they arrive.
    bytes: Option<Uint8Array>,
}

impl PartQueue {
    /// Begins a session on the data of a generation.
    pub fn begin_session(&mut self, generation: u32, list: &ShardList) {
        self.clear();
        self.data = DataShape {
            generation,
            pixels: list.pixels(),
            classes: list.classes(),
        };
    }

    /// Returns whether the last session began on the data of this generation.
    pub fn is_of(&self, generation: u32) -> bool {
        self.data.generation == generation
    }

    /// Adds the images of a task.
    pub fn add(&mut self, task: Task) {
        self.unrequested.push_back(Remainder { task, first: 0 });
    }

    /// Drops all parts. Their images may still arrive.
    pub fn clear(&mut self) {
        self.unrequested.clear();
        self.parts.clear();
    }

    /// Requests the next parts from the data worker at the other end of this port, until enough are ahead.
    pub fn request(&mut self, port: &Port) {
        while let Some(request) = self.next_request() {
            port.post(&request.to_js(), &request.transferred());
        }
    }

    /// Returns the next part to request; `None` while enough parts are ahead.
    fn next_request(&mut self) -> Option<Request> {
        if self.parts.len() >= PARTS_AHEAD {
            return None;
        }
        let Remainder { task, first } = self.unrequested.front_mut()?;
        let most = (PART_BYTES / self.data.pixels.max(1)).clamp(1, MAX_PART_IMAGES) as u32;
        let count = (task.images - *first).min(most);
        self.last_id = self.last_id.wrapping_add(1);
        let request = PartRequest {
            id: self.last_id,
            generation: self.data.generation,
            minibatch_seed: task.minibatch_seed,
            shards: task.shards,
            first: *first,
            count,
        };
        self.parts.push_back(Part {
            id: request.id,
            task: task.id,
            count,
            bytes: None,
        });
        *first += count;
        if *first == task.images {
            self.unrequested.pop_front();
        }
        Some(Request::Part(request, self.buffers.pop()))
    }

    /// Takes the images of a request. Returns whether its part is wanted: its session and its task are open.
    pub fn receive(&mut self, id: u32, bytes: Option<Uint8Array>) -> bool {
        let wanted = self.parts.iter_mut().find(|part| part.id == id);
        let is_wanted = wanted.is_some();
        if let Some(part) = wanted {
            part.bytes = bytes;
        } else if let Some(bytes) = bytes {
            self.reuse(&bytes);
        }
        is_wanted
    }

    /// Copies the next part of a task into `block`, and returns its number of images; `None` before they arrive.
    pub fn take(&mut self, task: TaskId, block: &mut Vec<u8>) -> Option<u32> {
        let part = self.parts.front().filter(|part| part.task == task)?;
        let bytes = part.bytes.clone()?;
        block.resize(bytes.length() as usize, 0);
        bytes.copy_to(block);
        let count = part.count;
        self.parts.pop_front();
        self.reuse(&bytes);
        Some(count)
    }

    fn reuse(&mut self, bytes: &Uint8Array) {
        if self.buffers.len() < PARTS_AHEAD {
            self.buffers.push(bytes.buffer().unchecked_into());
        }
    }

    /// Reads a part; `None` if it is not one of `count` images.
    pub fn read<'a>(&self, block: &'a [u8], count: u32) -> Option<DrawnImages<'a>> {
        DrawnImages::read(block, count as usize, self.data.pixels, self.data.classes)
    }
}
