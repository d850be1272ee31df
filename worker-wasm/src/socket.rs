//! A WebSocket that owns its callbacks.

use farsign::wire::SUBPROTOCOL;
use js_sys::{ArrayBuffer, Uint8Array};
use wasm_bindgen::prelude::*;
use web_sys::{BinaryType, CloseEvent, MessageEvent, WebSocket};

/// An event of a connection.
#[derive(Debug)]
pub enum SocketEvent {
    Open,
    /// A binary message.
    Frame(Uint8Array),
    /// The connection was closed with this code, or could not be opened.
    Closed(u16),
}

/// The stage of a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stage {
    #[default]
    Closed,
    Opening,
    Open,
    /// It was not opened, and the reason is being found out.
    Probing,
}

/// An open or opening connection. A drop closes it without further events.
#[derive(Debug)]
pub struct Socket {
    inner: WebSocket,
    _open: Closure<dyn FnMut()>,
    _message: Closure<dyn FnMut(MessageEvent)>,
    _closed: Closure<dyn FnMut(CloseEvent)>,
}

impl Socket {
    /// Connects, and passes events to `on_event`.
    ///
    /// # Errors
    /// Returns an error if the address is invalid.
    pub fn connect(
        url: &str,
        on_event: impl Fn(SocketEvent) + Clone + 'static,
    ) -> Result<Self, JsValue> {
        let socket = WebSocket::new_with_str(url, SUBPROTOCOL)?;
        socket.set_binary_type(BinaryType::Arraybuffer);
        let on_open = on_event.clone();
        let open = Closure::<dyn FnMut()>::new(move || on_open(SocketEvent::Open));
        let on_message = on_event.clone();
        let message = Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
            // The protocol has no text messages. They become empty frames, which are rejected.
            let buffer = event
                .data()
                .dyn_into()
                .unwrap_or_else(|_| ArrayBuffer::new(0));
            on_message(SocketEvent::Frame(Uint8Array::new(&buffer)));
        });
        let closed = Closure::<dyn FnMut(CloseEvent)>::new(move |event: CloseEvent| {
            on_event(SocketEvent::Closed(event.code()));
        });
        socket.set_onopen(Some(open.as_ref().unchecked_ref()));
        socket.set_onmessage(Some(message.as_ref().unchecked_ref()));
        socket.set_onclose(Some(closed.as_ref().unchecked_ref()));
        Ok(Self {
            inner: socket,
            _open: open,
            _message: message,
            _closed: closed,
        })
    }

    /// Sends a frame, or drops it if the connection is not open.
    pub fn send(&self, frame: &[u8]) {
        // While a connection is closing, browsers accept a frame without an error, but log a warning.
        if self.inner.ready_state() == WebSocket::OPEN {
            _ = self.inner.send_with_u8_array(frame); // fails only while connecting
        }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.inner.set_onopen(None);
        self.inner.set_onmessage(None);
        self.inner.set_onclose(None);
        _ = self.inner.close(); // fails only if it is closed
    }
}
