//! Downloads of the training data, shard by shard.

use farsign::dataset::{ShardError, ShardList, ShardedDataset, hexadecimal};
use serde::Deserialize;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::Response;

use crate::worker_global::{self, Caches};

/// A failed download, with a sentence.
#[derive(Debug)]
pub enum LoadError {
    /// The server did not respond, or with an error that a later attempt may not have.
    Failed(String),
    /// The server does not have the shard: its data may be another now.
    Missing(String),
    /// The content is other than the list of shards promises, or no list. A cache may have changed it.
    Content(String),
    /// This tab has too little memory for the data.
    OutOfMemory,
}

#[derive(Debug, Deserialize)]
struct List {
    rows: usize,
    cols: usize,
    classes: usize,
    shards: Vec<Shard>,
}

#[derive(Debug, Deserialize)]
struct Shard {
    digest: String,
    images: usize,
}

impl From<ShardError> for LoadError {
    fn from(error: ShardError) -> Self {
        match error {
            ShardError::OutOfMemory { .. } => Self::OutOfMemory,
            _ => content(error),
        }
    }
}

/// Downloads the list of shards of the server with this WebSocket address, as [`read_list`] reads it.
///
/// # Errors
/// Returns an error if the download fails or the list is no JSON.
pub async fn load_list(socket_url: &str, caches: Caches) -> Result<JsValue, LoadError> {
    let url = format!("{}api/v1/data/shards", http_url(socket_url));
    let response = request(&url, caches).await?;
    let no_list = |_| content("the server's list of shards is no JSON");
    JsFuture::from(response.json().map_err(no_list)?)
        .await
        .map_err(no_list)
}

/// Reads a list of shards, and returns the data without any of them.
///
/// # Errors
/// Returns an error if the list is invalid.
pub fn read_list(list: JsValue) -> Result<ShardedDataset, LoadError> {
    let list: List = serde_wasm_bindgen::from_value(list).map_err(content)?;
    let shards = list
        .shards
        .iter()
        .map(|shard| (&*shard.digest, shard.images));
    let list = ShardList::from_hexadecimal(list.rows, list.cols, list.classes, shards);
    Ok(ShardedDataset::new(list.map_err(content)?))
}

/// Downloads the next shard of data of the server with this WebSocket address, and returns the data with it, and its
/// packed size in bytes.
///
/// # Errors
/// Returns an error if the download fails, the shard is another, or the memory is too small.
pub async fn load_next_shard(
    socket_url: &str,
    mut data: ShardedDataset,
    caches: Caches,
) -> Result<(ShardedDataset, u64), LoadError> {
    let next = data.held();
    let Some(entry) = data.list().entries().get(next) else {
        return Ok((data, 0));
    };
    let digest = hexadecimal(entry.digest);
    let url = format!("{}api/v1/data/shards/{digest}", http_url(socket_url));
    let response = request(&url, caches).await?;
    let buffer = response.array_buffer().map_err(|_| unreachable())?;
    let buffer = JsFuture::from(buffer).await.map_err(|error| {
        // Browsers reject with this type if they cannot allocate the buffer.
        if error.is_instance_of::<js_sys::RangeError>() {
            LoadError::OutOfMemory
        } else {
            unreachable()
        }
    })?;
    let packed = js_sys::Uint8Array::new(&buffer);
    let most = data.list().max_packed_bytes(next);
    let found = u64::from(packed.length());
    if found > most {
        return Err(content(format_args!(
            "shard {next}: expected at most {most} bytes, found {found}"
        )));
    }
    data.push(&packed.to_vec())?;
    Ok((data, found))
}

/// Returns whether the server with this WebSocket address responds to other requests.
pub async fn responds(socket_url: &str) -> bool {
    let url = format!("{}api/v1/status", http_url(socket_url));
    match JsFuture::from(worker_global::fetch(&url, Caches::Used)).await {
        Ok(response) => response.unchecked_into::<Response>().ok(),
        Err(_) => false,
    }
}

/// `ws://host/prefix/ws` -> `http://host/prefix/`
fn http_url(socket_url: &str) -> String {
    let http = socket_url.replacen("ws", "http", 1);
    http.strip_suffix("ws").unwrap_or(&http).to_owned()
}

async fn request(url: &str, caches: Caches) -> Result<Response, LoadError> {
    let response: Response = JsFuture::from(worker_global::fetch(url, caches))
        .await
        .map_err(|_| unreachable())?
        .unchecked_into();
    match response.status() {
        _ if response.ok() => Ok(response),
        404 => Err(LoadError::Missing(not_downloaded("has other data now"))),
        status => {
            let reason = format!("responded with error {status}");
            Err(LoadError::Failed(not_downloaded(&reason)))
        }
    }
}

fn unreachable() -> LoadError {
    LoadError::Failed(not_downloaded("does not respond"))
}

fn not_downloaded(reason: &str) -> String {
    format!("The training data could not be downloaded: the server {reason}.")
}

fn content(error: impl std::fmt::Display) -> LoadError {
    LoadError::Content(format!("The training data is invalid: {error}."))
}

#[cfg(all(test, target_family = "wasm"))]
mod tests {
    use super::http_url;
    use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

    wasm_bindgen_test_configure!(run_in_dedicated_worker); // the default is Node.js, which skips these tests

    #[wasm_bindgen_test]
    fn http_url_follows_socket_url() {
        assert_eq!(http_url("ws://h:1/ws"), "http://h:1/");
        assert_eq!(http_url("wss://h/train/ws"), "https://h/train/");
    }
}
