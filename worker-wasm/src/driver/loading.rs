//! The training data of the driver: shard by shard, while it trains if the first ones are enough.

use std::rc::Rc;
use std::time::Duration;

use farsign::dataset::ShardedDataset;
use farsign::wire::ClientFrame;

use super::{Driver, SharedDriver};
use crate::data::{self, LoadError};
use crate::events::State;
use crate::socket::Stage;
use crate::worker_global::{Caches, Timer, drop_after_event, unix_time_ms};

impl Driver {
    /// Returns whether enough shards are held for a first task.
    pub(super) fn has_enough_data(&self) -> bool {
        self.data.as_ref().is_some_and(ShardedDataset::is_ready)
    }

    /// Returns the number of shards that are held.
    pub(super) fn held_shards(&self) -> u16 {
        self.data.as_ref().map_or(0, ShardedDataset::held) as u16
    }

    /// Downloads the shards that are missing, unless that is in progress.
    pub(super) fn load(&mut self, this: &SharedDriver) {
        let is_complete = self.data.as_ref().is_some_and(ShardedDataset::is_complete);
        if !self.is_started || self.is_loading || is_complete || !self.may_download() {
            return;
        }
        self.is_loading = true;
        let this = Rc::clone(this);
        wasm_bindgen_futures::spawn_local(async move { while Self::load_next(&this).await {} });
    }

    /// Sends the state of the download to the page.
    pub(super) fn send_loading_state(&self) {
        let held = self.data.as_ref().filter(|data| data.held() > 0);
        let progress = held.map(|data| {
            let shards = data.list().shards();
            format!(
                "Downloaded {} of {shards} parts of the training images.",
                data.held()
            )
        });
        self.send_state(State::LoadingData, progress.as_deref(), None);
    }

    /// Downloads the next shard, or the list of shards. Returns whether the download continues.
    async fn load_next(this: &SharedDriver) -> bool {
        let (url, data, caches) = {
            let driver = this.borrow();
            (driver.url.clone(), driver.data.clone(), driver.caches)
        };
        let digest = data.as_ref().map(ShardedDataset::digest);
        let loaded = match data {
            None => data::load_list(&url, caches).await.map(|data| (data, 0)),
            Some(data) => data::load_next_shard(&url, data, caches).await,
        };
        let mut driver = this.borrow_mut();
        if driver.data.as_ref().map(ShardedDataset::digest) != digest {
            return true; // the server has switched to other data meanwhile
        }
        match loaded {
            Ok((data, bytes)) => {
                driver.shard_bytes = bytes;
                let was_ready = driver.has_enough_data();
                let continues = driver.take(data);
                driver.is_loading = continues;
                if !driver.is_started || was_ready {
                    return continues;
                }
                if driver.has_enough_data() {
                    drop(driver);
                    Self::advance(this);
                } else {
                    driver.send_loading_state();
                }
                continues
            }
            Err(error) => {
                driver.is_loading = false;
                driver.on_load_error(this, error);
                false
            }
        }
    }

    /// Returns whether the line budget allows the next shard. Those that a first task needs come with its session.
    fn may_download(&self) -> bool {
        !self.has_enough_data() || self.line.may_download(unix_time_ms(), self.shard_bytes)
    }

    /// Takes data with one more shard, or without one. Returns whether the next shard is wanted now.
    fn take(&mut self, data: ShardedDataset) -> bool {
        if data.is_complete() {
            self.caches = Caches::Used;
        }
        self.load_backoff.succeeded();
        if let Some(volunteer) = &mut self.volunteer {
            volunteer.grow(&data);
        }
        let is_complete = data.is_complete();
        self.data = Some(data);
        self.announce_shards();
        self.is_started && !is_complete && self.may_download()
    }

    /// Reports the number of held shards to the server, in a session. Its hello has the number too.
    fn announce_shards(&mut self) {
        let held = self.held_shards();
        if self.stage == Stage::Open && held > 0 {
            let mut frame = Vec::new();
            ClientFrame::shards(held, &mut frame);
            self.send_frame(&frame);
        }
    }

    fn on_load_error(&mut self, this: &SharedDriver, error: LoadError) {
        if !self.is_started {
            return;
        }
        let is_ready = self.has_enough_data();
        let reason = match error {
            LoadError::OutOfMemory if is_ready => return, // training continues on the shards that are held
            LoadError::OutOfMemory => return self.finish(State::OutOfMemory, None),
            LoadError::Failed(reason) => reason,
            LoadError::Content(reason) => {
                self.caches = Caches::Bypassed;
                reason
            }
            LoadError::Missing(reason) => {
                self.caches = Caches::Bypassed;
                if !is_ready {
                    self.data = None; // the list is downloaded again
                }
                reason
            }
        };
        if is_ready {
            self.load_after_delay(this);
        } else {
            self.retry(this, State::Reconnecting, None, &reason);
        }
    }

    /// Continues the download after a delay, while the session continues.
    fn load_after_delay(&mut self, this: &SharedDriver) {
        let delay_ms = self.load_backoff.next_ms(js_sys::Math::random());
        let this = Rc::clone(this);
        let delay = Duration::from_millis(delay_ms.into());
        let timer = Timer::set_timeout(delay, move || this.borrow_mut().load(&this));
        drop_after_event(self.load_timer.replace(timer));
    }
}
