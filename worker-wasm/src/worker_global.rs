//! The parts of the worker's global scope that the driver uses.

use std::time::Duration;

use wasm_bindgen::prelude::*;
use web_sys::{RequestCache, RequestInit, WorkerGlobalScope};

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_name = setTimeout)]
    fn set_timeout(callback: &js_sys::Function, delay_ms: i32) -> f64;
    #[wasm_bindgen(js_name = clearTimeout)]
    fn clear_timeout(id: f64);
}

fn global() -> WorkerGlobalScope {
    js_sys::global().unchecked_into()
}

/// Returns the milliseconds of a monotonic clock.
pub fn now_ms() -> f64 {
    global()
        .performance()
        .map_or(0.0, |performance| performance.now())
}

/// Returns the milliseconds since the epoch, which all tabs share. The clock may be set.
pub fn unix_time_ms() -> f64 {
    js_sys::Date::now()
}

/// The caches that a download may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caches {
    /// Any cache.
    Used,
    /// The server itself responds, because a cache may have returned other content.
    Bypassed,
}

/// Starts a download.
pub fn fetch(url: &str, caches: Caches) -> js_sys::Promise {
    let options = RequestInit::new();
    if caches == Caches::Bypassed {
        options.set_cache(RequestCache::Reload);
    }
    global()
        .fetch_with_str_and_init(url, &options)
        .unchecked_into()
}

/// A one-shot timer that is cancelled on drop.
#[derive(Debug)]
pub struct Timer {
    id: f64,
    _callback: Closure<dyn FnMut()>,
}

impl Timer {
    /// Calls `callback` after `delay`.
    pub fn set_timeout(delay: Duration, callback: impl FnOnce() + 'static) -> Self {
        let callback = Closure::once(callback);
        let id = set_timeout(callback.as_ref().unchecked_ref(), delay.as_millis() as i32);
        Self {
            id,
            _callback: callback,
        }
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        clear_timeout(self.id);
    }
}

/// Drops `value` after the current event. A running callback must not be dropped.
pub fn drop_after_event<T: 'static>(value: T) {
    wasm_bindgen_futures::spawn_local(async move { drop(value) });
}
