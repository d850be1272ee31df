//! The training data, downloaded from the server.

use farsign::dataset::{Dataset, IdxFile, IdxPair};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::Response;

use crate::worker_global;

const IMAGES: &str = "train-images-idx3-ubyte.gz";
const LABELS: &str = "train-labels-idx1-ubyte.gz";

/// An error of [`load`].
#[derive(Debug)]
pub enum LoadError {
    /// The download failed or the data is invalid, with a sentence.
    Failed(String),
    /// This tab has too little memory for the data.
    OutOfMemory,
}

/// Downloads the training data of the server with this WebSocket address.
///
/// # Errors
/// Returns an error if the download fails, the data is invalid, or the memory is too small.
pub async fn load(socket_url: &str) -> Result<Dataset, LoadError> {
    let base = http_url(socket_url);
    let images = download(&format!("{base}api/v1/dataset/{IMAGES}")).await?;
    let labels = download(&format!("{base}api/v1/dataset/{LABELS}")).await?;
    Dataset::training(IdxPair {
        images: IdxFile {
            name: IMAGES,
            bytes: &images,
        },
        labels: IdxFile {
            name: LABELS,
            bytes: &labels,
        },
    })
    .map_err(|error| LoadError::Failed(format!("The training data is invalid: {error}.")))
}

/// Returns whether the server with this WebSocket address responds to other requests.
pub async fn responds(socket_url: &str) -> bool {
    let url = format!("{}api/v1/status", http_url(socket_url));
    match JsFuture::from(worker_global::fetch(&url)).await {
        Ok(response) => response.unchecked_into::<Response>().ok(),
        Err(_) => false,
    }
}

/// `ws://host/prefix/ws` -> `http://host/prefix/`
fn http_url(socket_url: &str) -> String {
    let http = socket_url.replacen("ws", "http", 1);
    http.strip_suffix("ws").unwrap_or(&http).to_owned()
}

async fn download(url: &str) -> Result<Vec<u8>, LoadError> {
    let failed = |reason: &str| {
        LoadError::Failed(format!(
            "The training data could not be downloaded: the server {reason}."
        ))
    };
    let unreachable = |_| failed("does not respond");
    let response: Response = JsFuture::from(worker_global::fetch(url))
        .await
        .map_err(unreachable)?
        .unchecked_into();
    if !response.ok() {
        let reason = format!("responded with error {}", response.status());
        return Err(failed(&reason));
    }
    let buffer = response.array_buffer().map_err(unreachable)?;
    let buffer = JsFuture::from(buffer).await.map_err(|error| {
        // Browsers reject with this type if they cannot allocate the buffer.
        if error.is_instance_of::<js_sys::RangeError>() {
            LoadError::OutOfMemory
        } else {
            unreachable(error)
        }
    })?;
    Ok(js_sys::Uint8Array::new(&buffer).to_vec())
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
