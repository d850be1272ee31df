//! A message port that owns its callback.

use js_sys::Array;
use wasm_bindgen::prelude::*;
use web_sys::{MessageEvent, MessagePort};

/// One end of a channel between two workers. A drop closes it without further messages.
#[derive(Debug)]
pub struct Port {
    inner: MessagePort,
    _message: Closure<dyn FnMut(MessageEvent)>,
}

impl Port {
    /// Opens the port, and passes its messages to `on_message`.
    pub fn open(inner: MessagePort, on_message: impl Fn(JsValue) + 'static) -> Self {
        let message = Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
            on_message(event.data());
        });
        inner.set_onmessage(Some(message.as_ref().unchecked_ref()));
        Self {
            inner,
            _message: message,
        }
    }

    /// Posts a message, and transfers these objects instead of copying them.
    pub fn post(&self, message: &JsValue, transferred: &Array) {
        // It fails only for objects that cannot be transferred. A closed port drops the message.
        _ = self
            .inner
            .post_message_with_transferable(message, transferred);
    }
}

impl Drop for Port {
    fn drop(&mut self) {
        self.inner.set_onmessage(None);
        self.inner.close();
    }
}
