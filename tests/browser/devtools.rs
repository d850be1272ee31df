//! Access to the page's Web Worker through the DevTools protocol, and to the driver.

use std::fs;
use std::path::Path;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

/// Runs in the worker: returns the memory of its Wasm module. A second `init` does not instantiate it again.
const WASM_BYTES: &str = "
    import(new URL('/pkg/farsign_worker.js', location))
      .then(({ default: init }) => init())
      .then(({ memory }) => memory.buffer.byteLength)";

/// The memory use of a worker.
#[derive(Clone, Copy, Debug)]
pub struct Memory {
    /// Size of the Wasm memory, which never shrinks.
    pub wasm_bytes: u64,
    /// Size of the JavaScript heap after a garbage collection.
    pub heap_bytes: u64,
}

/// A DevTools connection to the worker of the only page.
pub struct DevTools {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    calls: u64,
    /// The worker's session.
    worker: Value,
}

impl DevTools {
    /// Connects to the worker in the browser with this profile.
    pub async fn connect(profile: &Path) -> Self {
        let file =
            fs::read_to_string(profile.join("DevToolsActivePort")).expect("the browser's address");
        let (port, path) = file.trim().split_once('\n').expect("a port and a path");
        let (socket, _) = connect_async(format!("ws://127.0.0.1:{port}{path}"))
            .await
            .expect("a connection");
        let mut devtools = Self {
            socket,
            calls: 0,
            worker: Value::Null,
        };
        let targets = devtools
            .call(&Value::Null, "Target.getTargets", json!({}))
            .await;
        let targets = targets["targetInfos"]
            .as_array()
            .expect("a list of targets");
        let page = targets
            .iter()
            .find(|target| target["type"] == "page")
            .expect("a page");
        let attach = json!({ "targetId": page["targetId"], "flatten": true });
        let page = devtools
            .call(&Value::Null, "Target.attachToTarget", attach)
            .await;
        let follow =
            json!({ "autoAttach": true, "waitForDebuggerOnStart": false, "flatten": true });
        devtools
            .call(&page["sessionId"], "Target.setAutoAttach", follow)
            .await;
        while devtools.worker.is_null() {
            _ = devtools.next().await;
        }
        devtools
    }

    /// Returns the worker's memory use between two tasks, after a garbage collection.
    pub async fn memory(&mut self) -> Memory {
        let worker = self.worker.clone();
        self.call(&worker, "HeapProfiler.collectGarbage", json!({}))
            .await;
        let heap = self.call(&worker, "Runtime.getHeapUsage", json!({})).await;
        let expression = json!({ "expression": WASM_BYTES, "awaitPromise": true });
        let wasm = self.call(&worker, "Runtime.evaluate", expression).await;
        let wasm_bytes = wasm["result"]["value"]
            .as_u64()
            .unwrap_or_else(|| panic!("no size in {wasm:#}"));
        Memory {
            wasm_bytes,
            heap_bytes: heap["usedSize"].as_f64().expect("a size") as u64,
        }
    }

    async fn call(&mut self, session: &Value, method: &str, params: Value) -> Value {
        self.calls += 1;
        let mut request = json!({ "id": self.calls, "method": method, "params": params });
        if !session.is_null() {
            request["sessionId"] = session.clone();
        }
        self.socket
            .send(Message::text(request.to_string()))
            .await
            .expect("a DevTools connection");
        loop {
            let mut message = self.next().await;
            if message["id"] == self.calls {
                assert!(message["error"].is_null(), "{method}: {message:#}");
                return message["result"].take();
            }
        }
    }

    /// Receives a message, and notes the session of an attached worker.
    async fn next(&mut self) -> Value {
        let message = self
            .socket
            .next()
            .await
            .expect("a message")
            .expect("a DevTools connection");
        let message: Value = serde_json::from_str(message.to_text().unwrap_or("{}")).expect("JSON");
        if message["method"] == "Target.attachedToTarget"
            && message["params"]["targetInfo"]["type"] == "worker"
        {
            self.worker = message["params"]["sessionId"].clone();
        }
        message
    }
}

/// Sends the driver a command that the client library lacks, and returns the result.
pub fn send_command(url: &str, command: &Value) -> Value {
    let mut response = ureq::post(url)
        .send(command.to_string())
        .expect("a response of the driver");
    let body = response.body_mut().read_to_string().expect("a body");
    let mut body: Value = serde_json::from_str(&body).expect("a body in JSON");
    body["value"].take()
}
