//! The data worker of a tab: downloads and holds the training data, and draws images of it for the training workers.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use farsign::dataset::{DrawnImages, ShardedDataset};
use js_sys::{ArrayBuffer, Uint8Array};
use wasm_bindgen::prelude::*;
use web_sys::MessagePort;

use crate::data::{self, LoadError};
use crate::data_messages::{HeldShards, PartRequest, Reply, Request};
use crate::port::Port;
use crate::worker_global::Caches;

/// A holder of training data that several training workers use.
#[wasm_bindgen]
#[derive(Debug)]
pub struct DataWorker(Rc<RefCell<Holder>>);

#[derive(Debug)]
struct Holder {
    clients: BTreeMap<u32, Client>,
    /// The server's WebSocket address, of the last request.
    url: String,
    /// The list of shards as the server sent it; `null` before.
    list: JsValue,
    /// The shards that are downloaded. `None` before their list is.
    data: Option<ShardedDataset>,
    /// Increases whenever the data is dropped.
    generation: u32,
    /// Packed size of the last shard.
    shard_bytes: u64,
    /// Caches that the next download may use.
    caches: Caches,
    /// Set while a shard, or their list, is downloaded.
    is_loading: bool,
    /// Set after the memory was too small for a further shard.
    is_full: bool,
    /// A buffer that every part reuses.
    part: Vec<u8>,
}

/// A connected training worker.
#[derive(Debug)]
struct Client {
    port: Port,
    /// Whether the next shard, or the failure to load it, is a reply to a request.
    is_waiting: bool,
    /// The generation whose list the training worker has; 0 before the first.
    generation: u32,
}

/// A download.
enum Loaded {
    List(JsValue),
    /// The data with one more shard, and its packed size.
    Shard((ShardedDataset, u64)),
}

type SharedHolder = Rc<RefCell<Holder>>;

#[wasm_bindgen]
impl DataWorker {
    /// Creates a data worker without data.
    #[wasm_bindgen(constructor)]
    pub fn new() -> Self {
        crate::throw_panics();
        Self(Rc::new(RefCell::new(Holder {
            clients: BTreeMap::new(),
            url: String::new(),
            list: JsValue::NULL,
            data: None,
            generation: 1,
            shard_bytes: 0,
            caches: Caches::Used,
            is_loading: false,
            is_full: false,
            part: Vec::new(),
        })))
    }

    /// Connects a training worker at the other end of this port.
    pub fn connect(&self, id: u32, port: MessagePort) {
        let holder = Rc::clone(&self.0);
        let on_message = move |message| Holder::on_message(&holder, id, message);
        let client = Client {
            port: Port::open(port, on_message),
            is_waiting: false,
            generation: 0,
        };
        self.0.borrow_mut().clients.insert(id, client);
    }

    /// Disconnects a training worker, which was terminated.
    pub fn disconnect(&self, id: u32) {
        self.0.borrow_mut().clients.remove(&id);
    }
}

impl Default for DataWorker {
    fn default() -> Self {
        Self::new()
    }
}

impl Holder {
    fn on_message(this: &SharedHolder, id: u32, message: JsValue) {
        match Request::from_js(message) {
            Some(Request::Part(part, buffer)) => this.borrow_mut().draw(id, part, buffer),
            Some(Request::More {
                url,
                generation,
                held,
            }) => Self::on_more(this, id, url, (generation, held)),
            Some(Request::Outdated { generation }) => {
                let mut holder = this.borrow_mut();
                if generation == holder.generation {
                    holder.drop_data();
                }
            }
            None => {}
        }
    }

    /// Replies to a training worker that knows of this generation and of so much of it, now or after the next download.
    fn on_more(this: &SharedHolder, id: u32, url: String, known: (u32, u16)) {
        let mut holder = this.borrow_mut();
        holder.url = url;
        let held = holder.held();
        if held > 0 && known != (holder.generation, held) {
            holder.send_held(id);
        } else if holder.is_full {
            holder.post(id, &Reply::Failed(None));
        } else {
            if let Some(client) = holder.clients.get_mut(&id) {
                client.is_waiting = true;
            }
            if !std::mem::replace(&mut holder.is_loading, true) {
                let this = Rc::clone(this);
                wasm_bindgen_futures::spawn_local(
                    async move { while Self::load_next(&this).await {} },
                );
            }
        }
    }

    /// Drops the data: the server has other data, which is downloaded past caches.
    fn drop_data(&mut self) {
        (self.data, self.caches, self.is_full) = (None, Caches::Bypassed, false);
        self.generation += 1;
    }

    fn held(&self) -> u16 {
        self.data.as_ref().map_or(0, ShardedDataset::held) as u16
    }

    /// Downloads the list of shards, or the next shard. Returns whether the download continues.
    async fn load_next(this: &SharedHolder) -> bool {
        let (url, data, caches, generation) = {
            let holder = this.borrow();
            let data = holder.data.clone();
            (holder.url.clone(), data, holder.caches, holder.generation)
        };
        let loaded = match data {
            None => data::load_list(&url, caches).await.map(Loaded::List),
            Some(data) => data::load_next_shard(&url, data, caches)
                .await
                .map(Loaded::Shard),
        };
        let mut holder = this.borrow_mut();
        if holder.generation != generation {
            return true; // the data was dropped meanwhile
        }
        let continues = loaded.and_then(|loaded| holder.take(loaded));
        let continues = continues.unwrap_or_else(|error| {
            holder.on_load_error(error);
            false
        });
        holder.is_loading = continues;
        continues
    }

    /// Takes a download. Returns whether the next one follows now, as the first shard follows the list.
    fn take(&mut self, loaded: Loaded) -> Result<bool, LoadError> {
        match loaded {
            Loaded::List(list) => {
                self.data = Some(data::read_list(list.clone())?);
                self.list = list;
                Ok(true)
            }
            Loaded::Shard((data, bytes)) => {
                if data.is_complete() {
                    self.caches = Caches::Used;
                }
                (self.data, self.shard_bytes) = (Some(data), bytes);
                let ids: Vec<u32> = self.clients.keys().copied().collect();
                ids.into_iter().for_each(|id| self.send_held(id));
                Ok(false)
            }
        }
    }

    /// Reports the failure to the training workers that asked.
    fn on_load_error(&mut self, error: LoadError) {
        let is_ready = self.held() > 0;
        let reason = match error {
            LoadError::OutOfMemory => {
                self.is_full = is_ready;
                None
            }
            LoadError::Failed(reason) => Some(reason),
            LoadError::Missing(reason) if !is_ready => {
                self.drop_data(); // the list is downloaded again
                Some(reason)
            }
            LoadError::Content(reason) | LoadError::Missing(reason) => {
                self.caches = Caches::Bypassed;
                Some(reason)
            }
        };
        let failed = Reply::Failed(reason);
        for client in self.clients.values_mut() {
            if std::mem::take(&mut client.is_waiting) {
                client.post(&failed);
            }
        }
    }

    /// Sends a training worker the number of shards, and their list if it lacks it.
    fn send_held(&mut self, id: u32) {
        let shards = self.held();
        let Some(client) = self.clients.get_mut(&id) else {
            return;
        };
        let has_list = client.generation == self.generation;
        (client.generation, client.is_waiting) = (self.generation, false);
        client.post(&Reply::Held(HeldShards {
            generation: self.generation,
            shards,
            shard_bytes: self.shard_bytes,
            list: (!has_list).then(|| self.list.clone()),
        }));
    }

    /// Sends the images of a part, in this buffer if they fit.
    fn draw(&mut self, client: u32, request: PartRequest, buffer: Option<ArrayBuffer>) {
        let is_current = request.generation == self.generation;
        let data = self.data.as_ref().filter(|_| is_current);
        let images = data.and_then(|data| data.first(request.shards.into()));
        let bytes = images.map(|images| {
            let drawn: Vec<usize> = request.indices(images.len()).collect();
            DrawnImages::write(images, drawn.iter().copied(), &mut self.part);
            let length = self.part.len() as u32;
            let buffer = buffer.filter(|buffer| buffer.byte_length() >= length);
            let buffer = buffer.unwrap_or_else(|| ArrayBuffer::new(length));
            let bytes = Uint8Array::new_with_byte_offset_and_length(&buffer, 0, length);
            bytes.copy_from(&self.part);
            bytes
        });
        let id = request.id;
        self.post(client, &Reply::Images { id, bytes });
    }

    fn post(&self, id: u32, reply: &Reply) {
        if let Some(client) = self.clients.get(&id) {
            client.post(reply);
        }
    }
}

impl Client {
    fn post(&self, reply: &Reply) {
        self.port.post(&reply.to_js(), &reply.transferred());
    }
}
