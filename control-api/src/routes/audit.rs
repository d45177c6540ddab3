//! GET /v1/audit: who changed what, when and why.

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use fleet_queue::TenantId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::audit::read::{AuditFilter, AuditRow, page};
use crate::auth::{Caller, Scope};
use crate::enqueue::storable;
use crate::extract::{Params, cut_page, page_limit};
use crate::openapi::Schemas;
use crate::problem::Problem;
use crate::state::ApiState;

pub(super) fn router() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(audit))
}

pub(super) fn schemas(schemas: &mut Schemas) {
    schemas.add::<AuditPage>();
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct AuditQuery {
    /// Only what changed this tenant's rows.
    #[param(value_type = Option<Uuid>)]
    tenant_id: Option<TenantId>,
    /// Only this action, such as `jobs.cancel`.
    action: Option<String>,
    /// Only what this key did.
    key_id: Option<Uuid>,
    /// Only done at or after.
    from: Option<DateTime<Utc>>,
    /// Only done before.
    to: Option<DateTime<Utc>>,
    /// Rows a page, 1 to 200; 50 where left out.
    limit: Option<u8>,
    /// `next_cursor` of the page before.
    cursor: Option<i64>,
}

/// A page of the audit.
#[derive(Debug, Serialize, JsonSchema)]
struct AuditPage {
    /// Newest first.
    audit: Vec<AuditRow>,
    /// Give it back as `cursor` for the next page; none: this was the last.
    next_cursor: Option<i64>,
}

/// Read the audit.
///
/// Newest first. A tenant's key sees what changed its tenant's rows. Rows are never altered or removed.
#[utoipa::path(
    get, path = "/v1/audit", tag = "platform", operation_id = "listAudit", params(AuditQuery),
    responses((status = 200, description = "A page.", body = ref("#/components/schemas/AuditPage")))
)]
async fn audit(
    State(state): State<ApiState>,
    caller: Caller,
    Params(query): Params<AuditQuery>,
) -> Result<Json<AuditPage>, Problem> {
    caller.need(Scope::JobsManage)?;
    let limit = page_limit(query.limit)?;
    storable("from", query.from)?;
    storable("to", query.to)?;
    let filter = AuditFilter {
        tenant: caller.seen_tenant(query.tenant_id)?,
        action: query.action,
        key: query.key_id,
        from: query.from,
        to: query.to,
    };
    let mut tx = state.acting(&caller).await?;
    let mut rows = page(&mut tx, &filter, query.cursor, limit as i64 + 1).await?;
    tx.commit().await?;
    Ok(Json(AuditPage {
        next_cursor: cut_page(&mut rows, limit, AuditRow::cursor),
        audit: rows,
    }))
}
