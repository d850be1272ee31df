//! What goes into other people's tools: the model, how well it has read over the run, and what run it is of.
//!
//! ```text
//!   GET /api/v1/model.safetensors    the newest parameters, as named tensors
//!   GET /api/v1/history.csv          accuracy and loss over the run
//!   GET /api/v1/manifest.json        how the model is trained, and on what
//! ```
//!
//! Anybody may ask, so the model costs little: for five seconds everybody is given the same bytes, and who has them
//! already is told so.

mod history;
mod manifest;
mod model_file;

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Json, Response};

use crate::app::App;
use crate::evaluation::History;
use crate::revalidate::{self, Tagged};
use crate::shown::Shown;

pub use manifest::Manifest;
pub use model_file::{HeldOutAccuracy, NoModelFile, TrainedModel, check};

/// How long the same model is given.
const SHOWN_FOR: Duration = Duration::from_secs(5);

/// The file with the model that is given at the moment.
#[derive(Debug)]
pub struct ExportedModel(Shown<ModelAnswer>);

/// What a request for the model is answered with.
#[derive(Clone, Debug)]
struct ModelAnswer {
    tag: String,
    file_name: String,
    file: Bytes,
}

impl Default for ExportedModel {
    fn default() -> Self {
        Self(Shown::new(SHOWN_FOR))
    }
}

/// Answers a request for the model.
pub async fn model(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    let ModelAnswer { tag, file_name, file } = app.exported_model.0.at_or(Instant::now(), || newest(&app));
    let tagged = Tagged {
        tag,
        kind: HeaderValue::from_static("application/octet-stream"),
        caching: revalidate::ASK_EACH_TIME,
        body: file,
    };
    attachment(revalidate::answer(&headers, tagged), &file_name)
}

fn newest(app: &App) -> ModelAnswer {
    let (snapshot, evaluated) = (app.coordinator.snapshot(), app.history.read(History::newest));
    let model = TrainedModel {
        run: &app.config.run,
        data_name: &app.data.name,
        version: snapshot.version,
        accepted: snapshot.accepted,
        held_out: evaluated.map(HeldOutAccuracy::from),
        x: &snapshot.x,
    };
    ModelAnswer { tag: model.tag(), file_name: model.file_name(), file: model.to_safetensors().into() }
}

/// Answers a request for the curve.
pub async fn history(State(app): State<Arc<App>>) -> Response {
    let text = history::to_csv(&app.history.read(History::points));
    let kind = [(header::CONTENT_TYPE, HeaderValue::from_static("text/csv; charset=utf-8"))];
    attachment((kind, text).into_response(), &format!("farsign-{:016x}-history.csv", app.config.run.run_id))
}

/// Answers a request for the manifest.
pub async fn manifest(State(app): State<Arc<App>>) -> Json<Manifest> {
    Json(Manifest::of(&app.config, &app.data))
}

/// An answer that a browser keeps as a file of this name.
fn attachment(mut response: Response, name: &str) -> Response {
    let value = HeaderValue::try_from(format!("attachment; filename=\"{name}\""));
    let value = value.expect("names of files are letters, digits, dots and hyphens");
    response.headers_mut().insert(header::CONTENT_DISPOSITION, value);
    response
}
