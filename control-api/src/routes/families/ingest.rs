//! POST /v1/ingest/metrics and /v1/ingest/clients: campaign metrics, and clients, as a stream of CSV or NDJSON, of any size, in bounded
//! memory.
//!
//! Each batch commits by itself, with the caller's rights and on a connection of the request's own: a slow sender keeps none of the
//! pool's.

use std::io;
use std::time::Duration;

use axum::Json;
use axum::body::{Body, BodyDataStream, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use fleet_jobs::acting::Acting;
use fleet_jobs::assignment::Auto;
use fleet_jobs::clients::{ClientReport, CreateError, IntakeError, take_clients};
use fleet_jobs::metrics::{Format, IngestError, IngestReport, Options, Scope as RowScope, ingest};
use fleet_queue::{Job, TenantId};
use futures::{Stream, StreamExt, stream};
use serde::Deserialize;
use serde_json::json;
use sqlx::{Connection, PgConnection};
use tokio::io::BufReader;
use tokio_util::io::StreamReader;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::audit::{self, Action};
use crate::auth::{Caller, Identity, Scope};
use crate::extract::Params;
use crate::openapi::Schemas;
use crate::problem::Problem;
use crate::request_id;
use crate::state::ApiState;
use crate::waking::wake_for;

pub(super) fn router() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(ingest_metrics))
        .routes(routes!(ingest_clients))
}

pub(super) fn schemas(schemas: &mut Schemas) {
    schemas.add::<IngestReport>().add::<ClientReport>();
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
    let input = BufReader::new(StreamReader::new(Box::pin(rows)));
    let mut acting = Acting::narrowed(&mut conn, caller.sees());
    let report = ingest(&mut acting, input, &options, |_| {}).await;
    let report = report.map_err(refusal)?;
    let mut tx = acting.begin().await?;
    record(&mut tx, &caller, &options, &report).await?;
    tx.commit().await?;
    conn.close().await?;
    Ok(Json(report))
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ClientsQuery {
    /// Whose clients they are; only a key of the platform may name another, and must.
    tenant_id: Option<Uuid>,
}

/// Take clients in.
///
/// Each comes with the job that finds it a partner. Lines that are refused are named in the answer and cost no good one. Columns are
/// a client's fields; in CSV the entries of a list are parted by `|`. Sending the same again is safe where lines name ids.
#[utoipa::path(
    post, path = "/v1/ingest/clients", tag = "ingest", operation_id = "ingestClients", params(ClientsQuery),
    request_body(content((String = "text/csv"), (String = "application/x-ndjson"))),
    responses((status = 200, description = "What became of the lines.", body = ref("#/components/schemas/ClientReport")))
)]
async fn ingest_clients(
    State(state): State<ApiState>,
    caller: Caller,
    Params(query): Params<ClientsQuery>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<ClientReport>, Problem> {
    caller.need(Scope::Ingest)?;
    let format = format(&headers)?;
    let tenant = caller.tenant_for(query.tenant_id.map(TenantId))?;
    if tenant == TenantId::PLATFORM {
        let detail = "a key of the platform says whose clients they are";
        return Err(Problem::malformed("tenant_id", detail));
    }
    let lines = patient(body.into_data_stream(), state.settings.request_timeout);
    let mut conn = state.db.acquire("api.ingest").await?.detach();
    let input = BufReader::new(StreamReader::new(Box::pin(lines)));
    let mut acting = Acting::narrowed(&mut conn, tenant.to_string());
    let report = take_clients(&mut acting, input, format, tenant, |_| {})
        .await
        .map_err(refused)?;
    let source = format!("request {}", request_id::current());
    let action = Action {
        tenant,
        detail: Some(
            json!({ "read": report.read, "created": report.created, "updated": report.updated, "refused": report.refused }),
        ),
        ..Action::on_platform("clients.ingest", &source)
    };
    let mut tx = acting.begin().await?;
    audit::record(&mut tx, &caller, action).await?;
    tx.commit().await?;
    conn.close().await?;
    wake_for(&state.db, &[Auto::policy().queue.to_owned()]).await;
    Ok(Json(report))
}

fn refused(error: IntakeError) -> Problem {
    let detail = error.to_string();
    match error {
        IntakeError::BadHeader(_) => Problem::invalid("header", detail).code("invalid_header"),
        IntakeError::Read { .. } => Problem::new(StatusCode::BAD_REQUEST, "body_unread", detail),
        IntakeError::Store(CreateError::QueueFull(queue)) => Problem::queue_full(&queue),
        IntakeError::Store(CreateError::Queue(error)) => error.into(),
        IntakeError::Store(CreateError::Database(error)) => error.into(),
        IntakeError::Store(CreateError::Exists(_)) => {
            Problem::new(StatusCode::CONFLICT, "client_exists", detail)
        }
    }
}

pub(super) fn format(headers: &HeaderMap) -> Result<Format, Problem> {
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
pub(super) fn patient(
    body: BodyDataStream,
    longest: Duration,
) -> impl Stream<Item = io::Result<Bytes>> {
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

pub(super) fn refusal(error: IngestError) -> Problem {
    let detail = error.to_string();
    match error {
        IngestError::BadHeader { .. } => Problem::invalid("header", detail).code("invalid_header"),
        IngestError::Read { .. } => Problem::new(StatusCode::BAD_REQUEST, "body_unread", detail),
        IngestError::QueueFull { queue } => Problem::queue_full(&queue),
        IngestError::Queue { source } => Problem::from(source),
        IngestError::Database { source } => Problem::from(source),
    }
}
