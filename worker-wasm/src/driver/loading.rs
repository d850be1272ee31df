//! The training data of the driver: the data worker holds it, and downloads more while the driver trains.

use std::rc::Rc;
use std::time::Duration;

use farsign::dataset::ShardedDataset;
use farsign::wire::ClientFrame;
use wasm_bindgen::JsValue;

use super::update::IMAGES_OVERHEAD_MS;
use super::{Driver, SharedDriver};
use crate::data;
use crate::data_messages::{HeldShards, Reply, Request};
use crate::disconnect::Disconnect;
use crate::events::State;
use crate::socket::Stage;
use crate::worker_global::{Timer, drop_after_event, now_ms, unix_time_ms};

/// The training data, as far as the data worker has reported it.
#[derive(Debug)]
pub(super) struct HeldData {
    /// The list of shards, without images.
    pub(super) list: ShardedDataset,
    pub(super) generation: u32,
    /// Number of shards that the data worker holds, at least 1.
    shards: u16,
    /// Packed size of the last one, which the next one probably has too.
    shard_bytes: u64,
}

impl HeldData {
    fn is_complete(&self) -> bool {
        usize::from(self.shards) == self.list.list().shards()
    }
}

impl Driver {
    /// Returns whether enough shards are held for a first task.
    pub(super) fn has_enough_data(&self) -> bool {
        self.data.is_some()
    }

    /// Returns the number of shards that are held.
    pub(super) fn held_shards(&self) -> u16 {
        self.data.as_ref().map_or(0, |data| data.shards)
    }

    /// Asks the data worker for the shards that are missing, unless a reply is due.
    pub(super) fn load(&mut self) {
        let is_complete = self.data.as_ref().is_some_and(HeldData::is_complete);
        if !self.is_started || self.is_loading || is_complete || !self.may_download() {
            return;
        }
        self.is_loading = true;
        let data = self.data.as_ref();
        let (generation, held) = data.map_or((0, 0), |data| (data.generation, data.shards));
        let url = self.url.clone();
        self.request_data(&Request::More {
            url,
            generation,
            held,
        });
    }

    pub(super) fn request_data(&self, request: &Request) {
        self.port.post(&request.to_js(), &request.transferred());
    }

    /// Handles a message of the data worker.
    pub(super) fn on_data_message(this: &SharedDriver, message: JsValue) {
        match Reply::from_js(message) {
            Some(Reply::Images { id, bytes }) => {
                let mut driver = this.borrow_mut();
                let started_ms = now_ms();
                driver.record_idle(started_ms);
                let result = driver.on_images(this, id, bytes, started_ms);
                driver.on_idle(this, started_ms, IMAGES_OVERHEAD_MS, result);
            }
            Some(Reply::Failed(reason)) => {
                let mut driver = this.borrow_mut();
                driver.is_loading = false;
                driver.on_load_error(this, reason);
            }
            Some(Reply::Held(held)) => Self::on_held(this, held),
            None => {}
        }
    }

    /// Notes the shards that the data worker holds now, of a new list or of the current one.
    fn on_held(this: &SharedDriver, held: HeldShards) {
        let mut driver = this.borrow_mut();
        driver.is_loading = false;
        driver.load_backoff.succeeded();
        let was_ready = driver.has_enough_data();
        driver.take(held);
        if driver.is_started && !was_ready {
            drop(driver);
            Self::advance(this);
        } else {
            driver.announce_shards();
            driver.load();
        }
    }

    /// Takes the data as reported: of a new list, or with more shards of the current one.
    fn take(&mut self, held: HeldShards) {
        let known = self.data.take();
        let known = known.filter(|known| known.generation == held.generation);
        let list = held.list.and_then(|list| data::read_list(list).ok());
        let list = list.or(known.map(|known| known.list));
        self.data = list.map(|list| HeldData {
            list,
            generation: held.generation,
            shards: held.shards,
            shard_bytes: held.shard_bytes,
        });
    }

    /// Returns whether the line budget allows the next shard. Those that a first task needs come with its session.
    fn may_download(&self) -> bool {
        let bytes = self.data.as_ref().map(|data| data.shard_bytes);
        bytes.is_none_or(|bytes| self.line.may_download(unix_time_ms(), bytes))
    }

    /// Reports the number of held shards to the server, in a session. Its hello has the number too.
    fn announce_shards(&mut self) {
        let Some(data) = &self.data else { return };
        if self.stage == Stage::Open && self.parts.is_of(data.generation) {
            let mut frame = Vec::new();
            ClientFrame::shards(data.shards, &mut frame);
            self.send_frame(&frame);
        }
    }

    /// Handles a failed download, with its reason, or `None` if the memory is too small.
    fn on_load_error(&mut self, this: &SharedDriver, reason: Option<String>) {
        if !self.is_started {
            return;
        }
        match reason {
            None if self.has_enough_data() => {} // training continues on the shards that are held
            None => self.finish(State::OutOfMemory, None),
            Some(_) if self.has_enough_data() => self.load_after_delay(this),
            Some(reason) => self.retry(this, State::Reconnecting, None, &reason),
        }
    }

    /// Continues the download after a delay, while the session continues.
    fn load_after_delay(&mut self, this: &SharedDriver) {
        let delay_ms = self.load_backoff.next_ms(js_sys::Math::random());
        let this = Rc::clone(this);
        let delay = Duration::from_millis(delay_ms.into());
        let timer = Timer::set_timeout(delay, move || this.borrow_mut().load());
        drop_after_event(self.load_timer.replace(timer));
    }

    /// Returns the reaction to a session whose training data is not the server's.
    ///
    /// The data worker downloads it once more, past a cache that may have returned an old list.
    pub(super) fn on_other_data(&mut self) -> Disconnect {
        let generation = self.data.as_ref().map(|data| data.generation);
        if let Some(generation) = generation.filter(|generation| self.parts.is_of(*generation)) {
            (self.data, self.is_reloaded) = (None, true);
            self.request_data(&Request::Outdated { generation });
        }
        let reason = "The server has switched to other training data.";
        Disconnect::Retry(None, reason.to_owned())
    }
}
