//! The interface's paths, and what every request passes: access, limits, the log.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, Request, State};
use axum::http::{Method, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use serde_json::{Value, json};
use tokio_stream::StreamExt as _;

use crate::access;
use crate::answer::Form;
use crate::complete::Completer;
use crate::config::Token;
use crate::refusal::Refusal;
use crate::score::Handle;

/// Bodies that are too large are read on to their end, up to so many times the limit, so that the
/// sender gets to read why they are refused.
const DRAINED: usize = 8;

/// What all requests share.
pub(crate) struct App {
    pub(crate) completer: Option<Arc<Completer>>,
    pub(crate) scoring: Option<Handle>,
    pub(crate) token: Option<Token>,
    pub(crate) max_body: usize,
    pub(crate) read_timeout: Duration,
}

type Shared = State<Arc<App>>;
type Answer = Result<Response, Refusal>;

/// The interface.
pub(crate) fn router(app: App) -> Router {
    let app = Arc::new(app);
    Router::new()
        .route("/health", get(health))
        .route("/v1/models", get(models))
        .route("/v1/models/{*model}", get(model))
        .route("/v1/chat/completions", post(chat))
        .route("/v1/completions", post(completions))
        .route("/v1/score", post(score))
        .fallback(unknown_path)
        .method_not_allowed_fallback(wrong_method)
        .layer(from_fn_with_state(Arc::clone(&app), gate))
        .with_state(app)
}

/// Lets a request in, and logs what became of it. What the client wrote is escaped; headers and
/// bodies are not logged.
async fn gate(State(app): Shared, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let open = path == "/health";
    let allowed = if open { Ok(()) } else { access::check(app.token.as_ref(), request.headers()) };
    let response = match allowed {
        Ok(()) => next.run(request).await,
        Err(refusal) => refusal.into_response(),
    };
    let (status, ms) = (response.status().as_u16(), started.elapsed().as_millis() as u64);
    if response.status().is_server_error() && status != 503 {
        tracing::warn!(%method, ?path, status, ms, "request");
    } else {
        tracing::info!(%method, ?path, status, ms, "request");
    }
    response
}

async fn unknown_path(request: Request) -> Refusal {
    let path = request.uri().path().escape_debug().to_string();
    Refusal::missing(
        "unknown_path",
        format!(
            "there is no {path} here; there are /v1/chat/completions, /v1/completions, /v1/models, \
             /v1/score and /health"
        ),
    )
}

async fn wrong_method(method: Method) -> Refusal {
    let message = format!("{} is not taken here", method.as_str().escape_debug());
    Refusal::http(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message)
}

async fn health() -> Response {
    axum::Json(json!({"status": "ok"})).into_response()
}

fn model_object(completer: &Completer) -> Value {
    json!({
        "id": completer.name,
        "object": "model",
        "created": completer.created,
        "owned_by": "omni-host",
        "max_model_len": completer.positions,
    })
}

/// The policy, and the tasks that can be scored.
async fn models(State(app): Shared) -> Response {
    let models: Vec<Value> =
        app.completer.iter().map(|completer| model_object(completer)).collect();
    let tasks = app.scoring.as_ref().map_or(&[][..], Handle::tasks);
    axum::Json(json!({"object": "list", "data": models, "tasks": tasks})).into_response()
}

async fn model(State(app): Shared, Path(name): Path<String>) -> Answer {
    let completer = app.completer()?;
    completer.check_model(&name)?;
    Ok(axum::Json(model_object(completer)).into_response())
}

async fn chat(State(app): Shared, request: Request) -> Answer {
    app.complete(Form::Chat, request).await
}

async fn completions(State(app): Shared, request: Request) -> Answer {
    app.complete(Form::Completion, request).await
}

async fn score(State(app): Shared, request: Request) -> Answer {
    let Some(scoring) = &app.scoring else {
        let message = "this server scores nothing: start it with --task TASK";
        return Err(Refusal::missing("task_not_found", message));
    };
    let body = app.body(request).await?;
    Ok(axum::Json(scoring.answer(&body).await?).into_response())
}

impl App {
    fn completer(&self) -> Result<&Arc<Completer>, Refusal> {
        self.completer.as_ref().ok_or_else(|| {
            let message = "this server has no policy: start it with --policy DIR";
            Refusal::missing("model_not_found", message)
        })
    }

    async fn complete(&self, form: Form, request: Request) -> Answer {
        let completer = Arc::clone(self.completer()?);
        let body = self.body(request).await?;
        completer.answer(form, body).await
    }

    /// A request's JSON, within the limits of size and time.
    async fn body(&self, request: Request) -> Result<Bytes, Refusal> {
        let kind = request.headers().get(header::CONTENT_TYPE).and_then(|it| it.to_str().ok());
        let kind = kind.unwrap_or_default().split(';').next().unwrap_or_default().trim();
        // A web page elsewhere may make a browser post forms and plain text, and nothing else.
        if !kind.eq_ignore_ascii_case("application/json") {
            return Err(Refusal::http(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "unsupported_media_type",
                "send JSON, with the header `Content-Type: application/json`",
            ));
        }
        let body = tokio::time::timeout(self.read_timeout, self.read(request.into_body()));
        body.await.unwrap_or_else(|_| {
            Err(Refusal::http(
                StatusCode::REQUEST_TIMEOUT,
                "request_timeout",
                format!("the body took longer than {} s", self.read_timeout.as_secs()),
            ))
        })
    }

    async fn read(&self, body: Body) -> Result<Bytes, Refusal> {
        let mut whole = Vec::new();
        let mut size = 0_usize;
        let mut pieces = body.into_data_stream();
        while let Some(piece) = pieces.next().await {
            let piece = piece.map_err(|error| {
                Refusal::bad("broken_body", format!("the body could not be read: {error}"))
            })?;
            size = size.saturating_add(piece.len());
            if size <= self.max_body {
                whole.extend_from_slice(&piece);
            } else if size > self.max_body.saturating_mul(DRAINED) {
                break;
            }
        }
        if size <= self.max_body {
            return Ok(whole.into());
        }
        Err(Refusal::http(
            StatusCode::PAYLOAD_TOO_LARGE,
            "body_too_large",
            format!("the body is larger than {} bytes", self.max_body),
        ))
    }
}
