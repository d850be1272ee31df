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

/// What the page loads: the beginning of a path, and the folder that the rest of it is looked up in. The first that
/// fits counts.
#[derive(Clone, Debug)]
pub struct Folders(Vec<(&'static str, PathBuf)>);

impl Folders {
    /// Those of the bench page.
    ///
    /// # Errors
    /// When its bindings were not generated.
    pub fn of(paths: &Paths) -> Result<Self> {
        let bindings =
            paths.bindings.clone().context("expected the page's bindings (--bindings), found none")?;
        let mut folders = vec![("/pkg/", bindings), ("/data/", paths.root.join("data/mnist-10k"))];
        folders.extend(paths.node_modules.clone().map(|folder| ("/npm/", folder)));
        folders.push(("/", paths.root.join("bench/page")));
        Ok(Self(folders))
    }

    /// The file of a path; none for one that tries to leave its folder.
    fn find(&self, path: &str) -> Option<PathBuf> {
        let (folder, rest) =
            self.0.iter().find_map(|(start, folder)| Some((folder, path.strip_prefix(start)?)))?;
        let inside = rest.split('/').all(|part| !part.is_empty() && part != "..");
        inside.then(|| folder.join(rest))
    }
}

/// Serves on a task of its own for as long as the runtime lives; gives the page's address.
///
/// # Errors
/// When there is no port.
pub async fn serve(folders: Folders) -> Result<String> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.context("listening for the browser")?;
    let address = listener.local_addr()?;
    let router = Router::new().fallback(file).with_state(Arc::new(folders));
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(format!("http://{address}/index.html"))
}

async fn file(State(folders): State<Arc<Folders>>, uri: Uri) -> Response {
    let Some(path) = folders.find(uri.path()) else { return StatusCode::NOT_FOUND.into_response() };
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
