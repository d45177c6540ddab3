//! POST /v1/ingest/tickets: tickets as a stream of CSV or NDJSON, of any size, in bounded memory.
//!
//! As with campaign metrics, each batch commits by itself over a connection that serves this request alone.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use fleet_jobs::acting::Acting;
use fleet_jobs::tickets::{ImportReport, import};
use fleet_queue::{Job, TenantId};
use serde_json::json;
use sqlx::Connection;
use tokio::io::BufReader;
use tokio_util::io::StreamReader;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::ingest::{format, patient, refusal};
use crate::audit::{self, Action};
use crate::auth::{Caller, Scope};
use crate::openapi::Schemas;
use crate::problem::Problem;
use crate::request_id;
use crate::state::ApiState;
use crate::waking::wake_for;

pub(super) fn router() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(ingest_tickets))
}

pub(super) fn schemas(schemas: &mut Schemas) {
    schemas.add::<ImportReport>();
}

/// Take tickets in by the file.
///
/// Rows that cannot be taken are named in the answer; they cost no good row. Sending the same again is safe where tickets have an external_id.
#[utoipa::path(
    post, path = "/v1/ingest/tickets", tag = "ingest", operation_id = "ingestTickets",
    request_body(content((String = "text/csv"), (String = "application/x-ndjson"))),
    responses((status = 200, description = "What became of the rows.", body = ref("#/components/schemas/ImportReport")))
)]
async fn ingest_tickets(
    State(state): State<ApiState>,
    caller: Caller,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<ImportReport>, Problem> {
    caller.need(Scope::Ingest)?;
    caller.need_kind(fleet_jobs::triage::Ticket::KIND)?;
    let format = format(&headers)?;
    let rows = patient(body.into_data_stream(), state.settings.request_timeout);
    let mut conn = state.db.acquire("api.ingest").await?.detach();
    let input = BufReader::new(StreamReader::new(Box::pin(rows)));
    let mut acting = Acting::narrowed(&mut conn, caller.sees());
    let report = import(&mut acting, input, format, caller.tenant, |_| {}).await;
    let report = report.map_err(refusal)?;
    let source = format!("request {}", request_id::current());
    let counts =
        json!({ "read": report.read, "created": report.created, "refused": report.refused });
    let action = Action {
        tenant: caller.tenant.unwrap_or(TenantId::PLATFORM),
        detail: Some(counts),
        ..Action::on_platform("tickets.ingest", &source)
    };
    let mut tx = acting.begin().await?;
    audit::record(&mut tx, &caller, action).await?;
    tx.commit().await?;
    conn.close().await?;
    let queue = fleet_jobs::triage::Ticket::policy().queue.to_owned();
    wake_for(&state.db, &[queue]).await;
    Ok(Json(report))
}
