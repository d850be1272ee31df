//! A WebSocket with its callbacks, which live as long as it does.

use farsign::wire::SUBPROTOCOL;
use js_sys::{ArrayBuffer, Uint8Array};
use wasm_bindgen::prelude::*;
use web_sys::{BinaryType, CloseEvent, MessageEvent, WebSocket};

/// What happens on a connection.
#[derive(Debug)]
pub enum SocketEvent {
    Open,
    /// A binary message.
    Frame(Uint8Array),
    /// It is closed with this code, or could not be opened.
    Closed(u16),
}

/// An open or opening connection. Dropping it closes it without a further event.
#[derive(Debug)]
pub struct Socket {
    inner: WebSocket,
    _open: Closure<dyn FnMut()>,
    _message: Closure<dyn FnMut(MessageEvent)>,
    _closed: Closure<dyn FnMut(CloseEvent)>,
}

impl Socket {
    /// Connects; `on_event` is told what happens. An address that is none gives an error.
    pub fn connect(url: &str, on_event: impl Fn(SocketEvent) + Clone + 'static) -> Result<Self, JsValue> {
        let socket = WebSocket::new_with_str(url, SUBPROTOCOL)?;
        socket.set_binary_type(BinaryType::Arraybuffer);
        let told = on_event.clone();
        let open = Closure::<dyn FnMut()>::new(move || told(SocketEvent::Open));
        let told = on_event.clone();
        let message = Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
            // A text message has no buffer; the protocol has none, and the empty frame it becomes is refused.
            let buffer = event.data().dyn_into().unwrap_or_else(|_| ArrayBuffer::new(0));
            told(SocketEvent::Frame(Uint8Array::new(&buffer)));
        });
        let closed = Closure::<dyn FnMut(CloseEvent)>::new(move |event: CloseEvent| {
            on_event(SocketEvent::Closed(event.code()));
        });
        socket.set_onopen(Some(open.as_ref().unchecked_ref()));
        socket.set_onmessage(Some(message.as_ref().unchecked_ref()));
        socket.set_onclose(Some(closed.as_ref().unchecked_ref()));
        Ok(Self { inner: socket, _open: open, _message: message, _closed: closed })
    }

    /// Sends a frame; false when the connection is not open.
    pub fn send(&self, frame: &[u8]) -> bool {
        // On a connection that is closing, browsers take a frame without an error, complain on the console and drop it.
        self.inner.ready_state() == WebSocket::OPEN && self.inner.send_with_u8_array(frame).is_ok()
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.inner.set_onopen(None);
        self.inner.set_onmessage(None);
        self.inner.set_onclose(None);
        _ = self.inner.close(); // closed already, then
    }
}
