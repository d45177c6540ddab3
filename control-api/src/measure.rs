//! How long requests take, by route and never by path: a path has ids in it, and labels must be few.

use axum::extract::{MatchedPath, Request};
use axum::middleware::Next;
use axum::response::Response;
use fleet_queue::telemetry::HTTP_SECONDS;
use tokio::time::Instant;

use crate::request_id;

pub(crate) async fn measure(request: Request, next: Next) -> Response {
    let began = Instant::now();
    let method = request.method().to_string();
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or_else(|| "none".to_owned(), |path| path.as_str().to_owned());
    let response = next.run(request).await;
    let (status, took) = (response.status().as_u16(), began.elapsed());
    tracing::debug!(%method, route, status, ?took, request_id = %request_id::current(), "answered");
    metrics::histogram!(HTTP_SECONDS, "route" => route, "method" => method, "status" => status.to_string())
        .record(took);
    response
}
