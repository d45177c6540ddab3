//! What stands around the handlers: a bound on how much is under way, a clock, and words for what has no handler.

use std::any::Any;

use axum::extract::{Request, State};
use axum::http::{Method, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::problem::Problem;
use crate::state::ApiState;

/// Refuses what comes before the database was reached for the first time.
pub(crate) async fn when_prepared(
    State(state): State<ApiState>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    if state.prepared.is_cancelled() {
        Ok(next.run(request).await)
    } else {
        Err(Problem::unavailable())
    }
}

/// Refuses at once what would only make everything slower: 503 before collapse (I9).
pub(crate) async fn in_bounds(
    State(state): State<ApiState>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let Ok(_permit) = state.in_flight.try_acquire() else {
        let detail = "too many requests are under way; try again";
        let status = StatusCode::SERVICE_UNAVAILABLE;
        return Err(Problem::new(status, "overloaded", detail).retry_after(1));
    };
    Ok(next.run(request).await)
}

/// Large bodies are taken in a few at a time; the others wait their turn, within the request's time.
pub(crate) async fn in_turn(
    State(state): State<ApiState>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let turn = tokio::time::timeout(state.settings.request_timeout, state.bulk.acquire());
    let Ok(Ok(_turn)) = turn.await else {
        let detail = "too many large requests are under way; try again";
        let status = StatusCode::SERVICE_UNAVAILABLE;
        return Err(Problem::new(status, "overloaded", detail).retry_after(5));
    };
    Ok(next.run(request).await)
}

/// Gives a request up that takes too long; its transaction is rolled back.
pub(crate) async fn in_time(
    State(state): State<ApiState>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let longest = state.settings.request_timeout;
    tokio::time::timeout(longest, next.run(request))
        .await
        .map_err(|_| {
            let detail = format!(
                "it was not done within {} s and was given up",
                longest.as_secs()
            );
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "timeout", detail).retry_after(5)
        })
}

pub(crate) async fn no_route(method: Method, uri: Uri) -> Problem {
    let detail = format!("there is no route {method} {}; see /docs", uri.path());
    Problem::new(StatusCode::NOT_FOUND, "no_route", detail)
}

pub(crate) async fn no_method(method: Method, uri: Uri) -> Problem {
    let detail = format!("{} does not take {method}; see /docs", uri.path());
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail)
}

/// A handler panicked: a defect of ours. The connection and the process go on.
#[expect(clippy::needless_pass_by_value, reason = "the layer calls it so")]
pub(crate) fn panicked(panic: Box<dyn Any + Send + 'static>) -> Response {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    tracing::error!(panic = text.unwrap_or("no text"), request_id = %crate::request_id::current(), "a handler panicked");
    let detail = "this should not have happened; the request id finds what did in the server's log";
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail).into_response()
}
