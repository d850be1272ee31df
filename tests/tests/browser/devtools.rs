//! A look inside the page's Web Worker, through the protocol of the browser's developer tools.

use std::fs;
use std::path::Path;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

/// In the worker: the memory of the module that it imported, which is not instantiated again.
const WASM_BYTES: &str = "
    import(new URL('./pkg/farsign_worker.js', location))
      .then(({ default: init }) => init())
      .then(({ memory }) => memory.buffer.byteLength)";

/// What a worker holds on to.
#[derive(Clone, Copy, Debug)]
pub struct Memory {
    /// Its Wasm memory, which never shrinks.
    pub wasm_bytes: u64,
    /// JavaScript objects that are left when everything unreachable has been collected.
    pub heap_bytes: u64,
}

/// A connection to the worker of the browser's only page.
pub struct DevTools {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    calls: u64,
    /// The session with the worker.
    worker: Value,
}

impl DevTools {
    /// Looks for the worker in the browser with this profile.
    pub async fn of_worker(profile: &Path) -> Self {
        let file = fs::read_to_string(profile.join("DevToolsActivePort")).expect("the browser says where");
        let (port, path) = file.trim().split_once('\n').expect("a port and a path");
        let (socket, _) = connect_async(format!("ws://127.0.0.1:{port}{path}")).await.expect("it listens");
        let mut devtools = Self { socket, calls: 0, worker: Value::Null };
        let targets = devtools.call(&Value::Null, "Target.getTargets", json!({})).await;
        let targets = targets["targetInfos"].as_array().expect("a list of targets");
        let page = targets.iter().find(|target| target["type"] == "page").expect("there is a page");
        let attach = json!({ "targetId": page["targetId"], "flatten": true });
        let page = devtools.call(&Value::Null, "Target.attachToTarget", attach).await;
        let follow = json!({ "autoAttach": true, "waitForDebuggerOnStart": false, "flatten": true });
        devtools.call(&page["sessionId"], "Target.setAutoAttach", follow).await;
        while devtools.worker.is_null() {
            _ = devtools.next().await;
        }
        devtools
    }

    /// The worker's memory now, between two tasks, after a collection.
    pub async fn memory(&mut self) -> Memory {
        let worker = self.worker.clone();
        self.call(&worker, "HeapProfiler.collectGarbage", json!({})).await;
        let heap = self.call(&worker, "Runtime.getHeapUsage", json!({})).await;
        let ask = json!({ "expression": WASM_BYTES, "awaitPromise": true });
        let wasm = self.call(&worker, "Runtime.evaluate", ask).await;
        let wasm_bytes = wasm["result"]["value"].as_u64().unwrap_or_else(|| panic!("no size in {wasm:#}"));
        Memory { wasm_bytes, heap_bytes: heap["usedSize"].as_f64().expect("a size") as u64 }
    }

    async fn call(&mut self, session: &Value, method: &str, params: Value) -> Value {
        self.calls += 1;
        let mut request = json!({ "id": self.calls, "method": method, "params": params });
        if !session.is_null() {
            request["sessionId"] = session.clone();
        }
        self.socket.send(Message::text(request.to_string())).await.expect("the browser listens");
        loop {
            let mut message = self.next().await;
            if message["id"] == self.calls {
                assert!(message["error"].is_null(), "{method}: {message:#}");
                return message["result"].take();
            }
        }
    }

    /// The next message, which may say that the worker is attached.
    async fn next(&mut self) -> Value {
        let message = self.socket.next().await.expect("the browser goes on").expect("the connection stays");
        let message: Value = serde_json::from_str(message.to_text().unwrap_or("{}")).expect("JSON");
        if message["method"] == "Target.attachedToTarget"
            && message["params"]["targetInfo"]["type"] == "worker"
        {
            self.worker = message["params"]["sessionId"].clone();
        }
        message
    }
}
