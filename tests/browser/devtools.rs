//! Access to the page's Web Workers through the DevTools protocol, and to the driver.

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

/// The script of a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Script {
    /// The worker that holds the training images.
    Data,
    /// A worker that trains.
    Training,
}

impl Script {
    fn of(url: &str) -> Option<Self> {
        let (_, name) = url.rsplit_once('/')?;
        match name {
            "data-worker.js" => Some(Self::Data),
            "volunteer-worker.js" => Some(Self::Training),
            _ => None,
        }
    }
}

/// A DevTools connection to the workers of the only page.
pub struct DevTools {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    calls: u64,
    /// The sessions of the workers.
    workers: Vec<(Script, Value)>,
}

impl DevTools {
    /// Connects to the data worker and to `training` other workers in the browser with this profile.
    pub async fn connect(profile: &Path, training: usize) -> Self {
        let file =
            fs::read_to_string(profile.join("DevToolsActivePort")).expect("the browser's address");
        let (port, path) = file.trim().split_once('\n').expect("a port and a path");
        let (socket, _) = connect_async(format!("ws://127.0.0.1:{port}{path}"))
            .await
            .expect("a connection");
        let mut devtools = Self {
            socket,
            calls: 0,
            workers: Vec::new(),
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
        while devtools.workers.len() < training + 1 {
            _ = devtools.next().await;
        }
        devtools
    }

    /// Returns the memory use of each worker with this script between two tasks, after a garbage collection.
    pub async fn memory(&mut self, script: Script) -> Vec<Memory> {
        let workers = self.workers(script);
        let mut memory = Vec::new();
        for worker in workers {
            memory.push(self.memory_of(worker).await);
        }
        memory
    }

    /// Throws an exception in the data worker.
    pub async fn fail_data_worker(&mut self) {
        let throw = "setTimeout(() => { throw new Error('a failure of the test') })";
        for worker in self.workers(Script::Data) {
            self.call(&worker, "Runtime.evaluate", json!({ "expression": throw }))
                .await;
        }
    }

    fn workers(&self, script: Script) -> Vec<Value> {
        let workers = self.workers.iter().filter(|(found, _)| *found == script);
        workers.map(|(_, session)| session.clone()).collect()
    }

    async fn memory_of(&mut self, worker: Value) -> Memory {
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
        if message["method"] == "Target.attachedToTarget" {
            let params = &message["params"];
            let script = params["targetInfo"]["url"].as_str().and_then(Script::of);
            let worker = script.map(|script| (script, params["sessionId"].clone()));
            self.workers.extend(worker);
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
