//! A web server for the bench page, on a free port of the loopback interface.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result};
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use tokio::net::TcpListener;

use crate::machine::Paths;

/// The folders of the page by the prefix of a path. The first matching prefix applies.
#[derive(Clone, Debug)]
pub struct Folders(Vec<(&'static str, PathBuf)>);

impl Folders {
    /// Creates the folders of the bench page.
    ///
    /// # Errors
    ///
    /// Returns an error without the page's bindings.
    pub fn new(paths: &Paths) -> Result<Self> {
        let bindings = paths
            .bindings
            .clone()
            .context("missing the page's bindings (--bindings)")?;
        let mut folders = vec![
            ("/pkg/", bindings),
            ("/data/", paths.root.join("data/mnist-10k")),
        ];
        folders.extend(paths.node_modules.clone().map(|folder| ("/npm/", folder)));
        folders.push(("/", paths.root.join("bench/page")));
        Ok(Self(folders))
    }

    /// Returns the file of a path; `None` if the path would leave its folder.
    fn find(&self, path: &str) -> Option<PathBuf> {
        let (folder, rest) = self
            .0
            .iter()
            .find_map(|(start, folder)| Some((folder, path.strip_prefix(start)?)))?;
        let inside = rest.split('/').all(|part| !part.is_empty() && part != "..");
        inside.then(|| folder.join(rest))
    }
}

/// Serves in a background task of the runtime and returns the page's URL.
///
/// # Errors
///
/// Returns an error if no port can be opened.
pub async fn serve(folders: Folders) -> Result<String> {
    let listener = TcpListener::bind(("127.0.0.1", 0))
        .await
        .context("listening for the browser")?;
    let address = listener.local_addr()?;
    let router = Router::new().fallback(file).with_state(Arc::new(folders));
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(format!("http://{address}/index.html"))
}

async fn file(State(folders): State<Arc<Folders>>, uri: Uri) -> Response {
    let Some(path) = folders.find(uri.path()) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    match std::fs::read(&path) {
        Ok(bytes) => ([(header::CONTENT_TYPE, media_type(&path))], bytes).into_response(),
        Err(_) => StatusCode::NOT_FOUND.into_response(),
    }
}

fn media_type(path: &Path) -> &'static str {
    match path.extension().and_then(|ending| ending.to_str()) {
        Some("html") => "text/html",
        Some("js") => "text/javascript",
        Some("wasm") => "application/wasm",
        _ => "application/octet-stream",
    }
}
