//! /metrics: Prometheus text of this process, with the gauges of what the database holds: queues' depths, boards' ages.

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use fleet_queue::read::list_queues;
use fleet_queue::telemetry::{DEPTH, OLDEST_SECONDS};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::{Caller, Scope};
use crate::problem::Problem;
use crate::state::ApiState;

const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

pub(crate) fn router() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(scrape))
}

/// Metrics of this process.
///
/// For Prometheus, in its text format.
#[utoipa::path(
    get, path = "/metrics", tag = "platform", operation_id = "scrapeMetrics",
    responses((status = 200, description = "The metrics.", body = String, content_type = "text/plain"))
)]
async fn scrape(
    State(state): State<ApiState>,
    caller: Result<Caller, Problem>,
) -> Result<impl IntoResponse, Problem> {
    if !state.settings.metrics_open {
        caller?.need(Scope::Metrics)?;
    }
    if let Err(problem) = observe(&state).await {
        // What the process counted itself is worth scraping also while the database is away.
        tracing::debug!(detail = problem.detail, "the gauges are not fresh");
    }
    let text = (state.settings.render_metrics)();
    Ok(([(header::CONTENT_TYPE, TEXT)], text))
}

async fn observe(state: &ApiState) -> Result<(), Problem> {
    let mut conn = state.db.acquire("api.metrics").await?;
    for queue in list_queues(&mut conn, None).await? {
        metrics::gauge!(DEPTH, "queue" => queue.name.clone()).set(queue.depth as f64);
        metrics::gauge!(OLDEST_SECONDS, "queue" => queue.name)
            .set(queue.oldest_due_s.unwrap_or(0.0));
    }
    fleet_jobs::telemetry::observe(&mut conn).await?;
    Ok(())
}
