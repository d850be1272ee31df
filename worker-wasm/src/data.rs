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
    let base = data_url(socket_url);
    let images = download(&format!("{base}{IMAGES}")).await?;
    let labels = download(&format!("{base}{LABELS}")).await?;
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

/// `ws://host/prefix/ws` -> `http://host/prefix/api/v1/dataset/`
fn data_url(socket_url: &str) -> String {
    let http = socket_url.replacen("ws", "http", 1);
    let base = http.strip_suffix("ws").unwrap_or(&http);
    format!("{base}api/v1/dataset/")
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

#[cfg(test)]
mod tests {
    use super::data_url;
    use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

    wasm_bindgen_test_configure!(run_in_dedicated_worker); // the default is Node.js, which skips these tests

    #[wasm_bindgen_test]
    fn data_url_follows_socket_url() {
        assert_eq!(data_url("ws://h:1/ws"), "http://h:1/api/v1/dataset/");
        assert_eq!(
            data_url("wss://h/train/ws"),
            "https://h/train/api/v1/dataset/"
        );
    }
}
