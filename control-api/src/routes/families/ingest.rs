//! POST /v1/ingest/metrics: campaign metrics as a stream of CSV or NDJSON, of any size, in bounded memory.
//!
//! Each batch commits by itself, so the role and the tenant are set for the whole session of a connection that serves this
//! request alone and is closed after it: it never goes back to the pool with them.

use std::io;
use std::time::Duration;

use axum::Json;
use axum::body::{Body, BodyDataStream, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use fleet_jobs::metrics::{Format, IngestError, IngestReport, Options, Scope as RowScope, ingest};
use fleet_queue::TenantId;
use futures::{Stream, StreamExt, stream};
use serde_json::json;
use sqlx::{Connection, PgConnection};
use tokio::io::BufReader;
use tokio_util::io::StreamReader;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::audit::{self, Action};
use crate::auth::{Caller, Identity, Scope};
use crate::openapi::Schemas;
use crate::problem::Problem;
use crate::request_id;
use crate::state::{ApiState, act_as_session};

pub(super) fn router() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(ingest_metrics))
}

pub(super) fn schemas(schemas: &mut Schemas) {
    schemas.add::<IngestReport>();
}

/// Take campaign metrics in.
///
/// Rows that cannot be believed are quarantined and named in the answer; they cost no good row. Sending the same again is safe.
#[utoipa::path(
    post, path = "/v1/ingest/metrics", tag = "ingest", operation_id = "ingestMetrics",
    request_body(content((String = "text/csv"), (String = "application/x-ndjson"))),
    responses((status = 200, description = "What became of the rows.", body = ref("#/components/schemas/IngestReport")))
)]
async fn ingest_metrics(
    State(state): State<ApiState>,
    caller: Caller,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<IngestReport>, Problem> {
    caller.need(Scope::Ingest)?;
    let options = Options {
        format: format(&headers)?,
        scope: caller.tenant.map_or(RowScope::Platform, RowScope::Tenant),
        source: format!("request {}", request_id::current()),
    };
    let rows = patient(body.into_data_stream(), state.settings.request_timeout);
    let mut conn = state.db.acquire("api.ingest").await?.detach();
    act_as_session(&mut conn, &caller.sees()).await?;
    let input = BufReader::new(StreamReader::new(Box::pin(rows)));
    let report = ingest(&mut conn, input, &options, |_| {}).await;
    let report = report.map_err(refusal)?;
    record(&mut conn, &caller, &options, &report).await?;
    conn.close().await?;
    Ok(Json(report))
}

fn format(headers: &HeaderMap) -> Result<Format, Problem> {
    let given = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let essence = given.split(';').next().unwrap_or_default().trim();
    match essence.to_ascii_lowercase().as_str() {
        "text/csv" => Ok(Format::Csv),
        "application/x-ndjson" | "application/jsonl" | "application/ndjson" => Ok(Format::Ndjson),
        _ => {
            let detail = "say what comes: Content-Type: text/csv, or application/x-ndjson";
            let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
            Err(Problem::new(status, "unsupported_media_type", detail).field("content-type"))
        }
    }
}

/// The body's chunks; a sender that is silent for too long has broken off.
fn patient(body: BodyDataStream, longest: Duration) -> impl Stream<Item = io::Result<Bytes>> {
    stream::unfold(body, move |mut body| async move {
        let chunk = match tokio::time::timeout(longest, body.next()).await {
            Ok(None) => return None,
            Ok(Some(chunk)) => chunk.map_err(io::Error::other),
            Err(_) => Err(io::Error::new(
                io::ErrorKind::TimedOut,
                "the sender fell silent",
            )),
        };
        Some((chunk, body))
    })
}

async fn record(
    conn: &mut PgConnection,
    who: &Identity,
    options: &Options,
    report: &IngestReport,
) -> Result<(), sqlx::Error> {
    let action = Action {
        tenant: who.tenant.unwrap_or(TenantId::PLATFORM),
        detail: Some(
            json!({ "read": report.read, "accepted": report.accepted, "quarantined": report.quarantined }),
        ),
        ..Action::on_platform("metrics.ingest", &options.source)
    };
    audit::record(conn, who, action).await
}

fn refusal(error: IngestError) -> Problem {
    let detail = error.to_string();
    match error {
        IngestError::BadHeader { .. } => Problem::invalid("header", detail).code("invalid_header"),
        IngestError::Read { .. } => Problem::new(StatusCode::BAD_REQUEST, "body_unread", detail),
        IngestError::Database { source } => Problem::from(source),
    }
}
