//! Partners' profiles and leaves: read by whom they concern, put by who may.
//!
//! A key of the platform puts the platform's partners, or with `tenant_id` a tenant's; a tenant's key puts its own.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use fleet_jobs::partners::{
    Leave, LeaveError, Partner, Profile, ProfileError, add_leave, find_partner, list_leaves,
    list_partners, put_partner, remove_leave,
};
use fleet_queue::TenantId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::audit::{self, Action};
use crate::auth::{Caller, Scope};
use crate::extract::{Body, Name, Pair, Params, cut_page, page_limit};
use crate::openapi::Schemas;
use crate::problem::Problem;
use crate::state::ApiState;

/// Leaves that an answer lists.
const LEAVES_MAX: i64 = 200;

pub(super) fn router() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(partners))
        .routes(routes!(partner, put))
        .routes(routes!(leaves, add))
        .routes(routes!(remove))
}

pub(super) fn schemas(schemas: &mut Schemas) {
    schemas
        .add::<PartnerPage>()
        .add::<Profile>()
        .add::<LeaveList>()
        .add::<LeaveBody>();
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct PartnersQuery {
    /// Partners a page, 1 to 200; 50 where left out.
    limit: Option<u8>,
    /// `next_cursor` of the page before.
    cursor: Option<Uuid>,
}

/// A page of partners.
#[derive(Debug, Serialize, JsonSchema)]
struct PartnerPage {
    /// By id.
    partners: Vec<Partner>,
    /// Give it back as `cursor` for the next page; none: this was the last.
    next_cursor: Option<Uuid>,
}

/// List partners.
#[utoipa::path(
    get, path = "/v1/partners", tag = "partners", operation_id = "listPartners", params(PartnersQuery),
    responses((status = 200, description = "A page.", body = ref("#/components/schemas/PartnerPage")))
)]
async fn partners(
    State(state): State<ApiState>,
    caller: Caller,
    Params(query): Params<PartnersQuery>,
) -> Result<Json<PartnerPage>, Problem> {
    caller.need(Scope::JobsRead)?;
    let limit = page_limit(query.limit)?;
    let mut tx = state.acting(&caller).await?;
    let mut partners = list_partners(&mut tx, query.cursor, limit as i64 + 1).await?;
    tx.commit().await?;
    let next_cursor = cut_page(&mut partners, limit, |last| last.partner_id);
    Ok(Json(PartnerPage {
        partners,
        next_cursor,
    }))
}

/// Look at a partner.
#[utoipa::path(
    get, path = "/v1/partners/{id}", tag = "partners", operation_id = "getPartner", params(("id" = Uuid, Path)),
    responses((status = 200, description = "The partner.", body = ref("#/components/schemas/Partner")))
)]
async fn partner(
    State(state): State<ApiState>,
    caller: Caller,
    Name(id): Name<Uuid>,
) -> Result<Json<Partner>, Problem> {
    caller.need(Scope::JobsRead)?;
    let mut tx = state.acting(&caller).await?;
    let partner = find_partner(&mut tx, id).await?;
    tx.commit().await?;
    partner
        .map(Json)
        .ok_or_else(|| Problem::not_found("partner"))
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct PutQuery {
    /// Whose partner it is; the platform's, or the key's own tenant's, where left out.
    #[param(value_type = Option<Uuid>)]
    tenant_id: Option<TenantId>,
}

/// Put a partner.
///
/// Makes the partner, or replaces all that its profile said. Its score follows by a job.
#[utoipa::path(
    put, path = "/v1/partners/{id}", tag = "partners", operation_id = "putPartner", params(("id" = Uuid, Path), PutQuery),
    request_body(content = ref("#/components/schemas/Profile"), content_type = "application/json"),
    responses(
        (status = 201, description = "The partner, which is new.", body = ref("#/components/schemas/Partner")),
        (status = 200, description = "The partner, as it is now.", body = ref("#/components/schemas/Partner")),
    )
)]
async fn put(
    State(state): State<ApiState>,
    caller: Caller,
    Name(id): Name<Uuid>,
    Params(query): Params<PutQuery>,
    body: Body<Profile>,
) -> Result<(StatusCode, Json<Partner>), Problem> {
    caller.need(Scope::JobsManage)?;
    let tenant = caller.tenant_for(query.tenant_id)?;
    let mut tx = state.acting(&caller).await?;
    let made = put_partner(&mut tx, tenant, id, &body.value, &caller.name).await;
    let made = made.map_err(refused)?;
    audit_change(&mut tx, &caller, tenant, "partners.put", id).await?;
    let partner = find_partner(&mut tx, id).await?;
    let partner = partner.ok_or_else(|| Problem::not_found("partner"))?;
    tx.commit().await?;
    let status = if made {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    Ok((status, Json(partner)))
}

async fn audit_change(
    conn: &mut sqlx::PgConnection,
    caller: &Caller,
    tenant: TenantId,
    verb: &str,
    partner: Uuid,
) -> Result<(), Problem> {
    let subject = partner.to_string();
    let action = Action {
        tenant,
        ..Action::on_platform(verb, &subject)
    };
    Ok(audit::record(conn, caller, action).await?)
}

fn refused(error: ProfileError) -> Problem {
    match error {
        ProfileError::Wrong(wrong) => Problem::invalid(wrong.field, wrong.to_string()),
        ProfileError::Taken => {
            Problem::new(StatusCode::CONFLICT, "taken", error.to_string()).field("id")
        }
        ProfileError::Enqueue(error) => error.into(),
        ProfileError::Database(error) => error.into(),
    }
}

/// A partner's leaves.
#[derive(Debug, Serialize, JsonSchema)]
struct LeaveList {
    /// The latest first; at most 200.
    leaves: Vec<Leave>,
}

/// List a partner's leaves.
#[utoipa::path(
    get, path = "/v1/partners/{id}/leaves", tag = "partners", operation_id = "listPartnerLeaves", params(("id" = Uuid, Path)),
    responses((status = 200, description = "When it takes no new work.", body = ref("#/components/schemas/LeaveList")))
)]
async fn leaves(
    State(state): State<ApiState>,
    caller: Caller,
    Name(id): Name<Uuid>,
) -> Result<Json<LeaveList>, Problem> {
    caller.need(Scope::JobsRead)?;
    let mut tx = state.acting(&caller).await?;
    let known = find_partner(&mut tx, id).await?;
    known.ok_or_else(|| Problem::not_found("partner"))?;
    let leaves = list_leaves(&mut tx, id, LEAVES_MAX).await?;
    tx.commit().await?;
    Ok(Json(LeaveList { leaves }))
}

/// When a partner takes no new work.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct LeaveBody {
    /// From when.
    starts_at: DateTime<Utc>,
    /// Until when.
    ends_at: DateTime<Utc>,
}

/// Add a leave.
///
/// While it lasts the partner's score is 0, and nothing is assigned to it.
#[utoipa::path(
    post, path = "/v1/partners/{id}/leaves", tag = "partners", operation_id = "addPartnerLeave", params(("id" = Uuid, Path)),
    request_body(content = ref("#/components/schemas/LeaveBody"), content_type = "application/json"),
    responses((status = 201, description = "The leave.", body = ref("#/components/schemas/Leave")))
)]
async fn add(
    State(state): State<ApiState>,
    caller: Caller,
    Name(id): Name<Uuid>,
    body: Body<LeaveBody>,
) -> Result<(StatusCode, Json<Leave>), Problem> {
    caller.need(Scope::JobsManage)?;
    let LeaveBody { starts_at, ends_at } = body.value;
    let mut tx = state.acting(&caller).await?;
    let added = add_leave(&mut tx, id, starts_at, ends_at, &caller.name).await;
    let added = added.map_err(|error| match error {
        LeaveError::Database(error) => error.into(),
        _ => Problem::invalid("ends_at", error.to_string()),
    })?;
    let leave = added.ok_or_else(|| Problem::not_found("partner"))?;
    let tenant = caller.tenant.unwrap_or(TenantId::PLATFORM);
    audit_change(&mut tx, &caller, tenant, "partners.leave", id).await?;
    tx.commit().await?;
    Ok((StatusCode::CREATED, Json(leave)))
}

/// Take a leave back.
#[utoipa::path(
    delete, path = "/v1/partners/{id}/leaves/{leave}", tag = "partners", operation_id = "removePartnerLeave",
    params(("id" = Uuid, Path), ("leave" = Uuid, Path)),
    responses((status = 204, description = "It is gone."))
)]
async fn remove(
    State(state): State<ApiState>,
    caller: Caller,
    Pair(id, leave): Pair<Uuid, Uuid>,
) -> Result<StatusCode, Problem> {
    caller.need(Scope::JobsManage)?;
    let mut tx = state.acting(&caller).await?;
    if !remove_leave(&mut tx, id, leave, &caller.name).await? {
        return Err(Problem::not_found("leave"));
    }
    let tenant = caller.tenant.unwrap_or(TenantId::PLATFORM);
    audit_change(&mut tx, &caller, tenant, "partners.leave_removed", id).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
