//! Pause and resume, the same for a queue, a kind and a tenant: nothing of it is started any more; what runs goes on.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use fleet_queue::TenantId;
use fleet_queue::history::{Change, Event};
use fleet_queue::read::{PauseInfo, list_pauses};
use fleet_queue::transitions::pause::{Pause, PauseScope, pause};
use fleet_queue::transitions::resume::resume;
use fleet_queue::wake::{slept_for, wake};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::audit::{self, Action};
use crate::auth::{Caller, Scope};
use crate::enqueue::storable;
use crate::extract::{Body, Name};
use crate::openapi::Schemas;
use crate::problem::Problem;
use crate::state::ApiState;

pub(super) fn router() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(pauses))
        .routes(routes!(pause_queue))
        .routes(routes!(resume_queue))
        .routes(routes!(pause_kind))
        .routes(routes!(resume_kind))
        .routes(routes!(pause_tenant))
        .routes(routes!(resume_tenant))
}

pub(super) fn schemas(schemas: &mut Schemas) {
    schemas.add::<PauseBody>().add::<PauseList>();
}

/// Why, and until when.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct PauseBody {
    /// For whoever wonders; at most 1,000 bytes.
    reason: String,
    /// Lifted by itself then; left out: until resumed.
    until: Option<DateTime<Utc>>,
}

/// Every pause in force.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Pauses")]
struct PauseList {
    /// By scope and name.
    pauses: Vec<PauseInfo>,
}

async fn set(
    state: &ApiState,
    caller: &Caller,
    (scope, name): (PauseScope, &str),
    body: PauseBody,
) -> Result<Json<PauseInfo>, Problem> {
    caller.need_platform(Scope::JobsManage)?;
    storable("until", body.until)?;
    if !(1..=200).contains(&name.chars().count()) {
        return Err(Problem::malformed("path", "a name has 1 to 200 characters"));
    }
    let by = caller.name.clone();
    let wanted = Pause {
        scope,
        name,
        reason: &body.reason,
        by: &by,
        until: body.until,
    };
    let change = Change::Pause {
        scope,
        name: name.to_owned(),
        until: body.until,
    };
    state.db.history().note(|| Event::Changing {
        change: change.clone(),
    });
    let mut tx = state.acting(caller).await?;
    pause(&mut tx, wanted).await?;
    let mut action = Action::on_platform("pauses.pause", name);
    action.reason = Some(&body.reason);
    action.detail = Some(json!({ "scope": scope, "until": body.until }));
    audit::record(&mut tx, caller, action).await?;
    let pauses = list_pauses(&mut tx).await?;
    tx.commit().await?;
    state.db.history().note(|| Event::Changed { change });
    let set = pauses
        .into_iter()
        .find(|p| p.scope == scope && p.name == name);
    set.map(Json)
        .ok_or_else(|| Problem::invalid("until", "until is in the past: nothing is paused"))
}

async fn lift(
    state: &ApiState,
    caller: &Caller,
    (scope, name): (PauseScope, &str),
) -> Result<StatusCode, Problem> {
    caller.need_platform(Scope::JobsManage)?;
    let change = Change::Resume {
        scope,
        name: name.to_owned(),
    };
    state.db.history().note(|| Event::Changing {
        change: change.clone(),
    });
    let mut tx = state.acting(caller).await?;
    if !resume(&mut tx, scope, name).await? {
        return Err(Problem::not_found("pause"));
    }
    let mut action = Action::on_platform("pauses.resume", name);
    action.detail = Some(json!({ "scope": scope }));
    audit::record(&mut tx, caller, action).await?;
    tx.commit().await?;
    state.db.history().note(|| Event::Changed { change });
    // Whoever sleeps may have something to do again; for a tenant or a kind nobody knows in which queue.
    let mut conn = state.db.acquire("api.wake").await?;
    let mut queues: Vec<String> = match scope {
        PauseScope::Queue => vec![name.to_owned()],
        _ => slept_for(&mut conn)
            .await?
            .into_iter()
            .map(|(queue, _)| queue)
            .collect(),
    };
    queues.dedup();
    wake(&mut conn, &queues).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// List pauses.
#[utoipa::path(
    get, path = "/v1/pauses", tag = "queues", operation_id = "listPauses",
    responses((status = 200, description = "Pauses in force that concern the caller.", body = ref("#/components/schemas/Pauses")))
)]
async fn pauses(State(state): State<ApiState>, caller: Caller) -> Result<Json<PauseList>, Problem> {
    caller.need(Scope::JobsRead)?;
    let mut tx = state.acting(&caller).await?;
    let pauses = list_pauses(&mut tx).await?;
    tx.commit().await?;
    Ok(Json(PauseList { pauses }))
}

/// Pause a queue.
#[utoipa::path(
    post, path = "/v1/queues/{name}/pause", tag = "queues", operation_id = "pauseQueue", params(("name" = String, Path)),
    request_body(content = ref("#/components/schemas/PauseBody"), content_type = "application/json"),
    responses((status = 200, description = "The pause.", body = ref("#/components/schemas/PauseInfo")))
)]
async fn pause_queue(
    State(state): State<ApiState>,
    caller: Caller,
    Name(name): Name<String>,
    body: Body<PauseBody>,
) -> Result<Json<PauseInfo>, Problem> {
    set(&state, &caller, (PauseScope::Queue, &name), body.value).await
}

/// Resume a queue.
#[utoipa::path(
    post, path = "/v1/queues/{name}/resume", tag = "queues", operation_id = "resumeQueue", params(("name" = String, Path)),
    responses((status = 204, description = "It goes on."))
)]
async fn resume_queue(
    State(state): State<ApiState>,
    caller: Caller,
    Name(name): Name<String>,
) -> Result<StatusCode, Problem> {
    lift(&state, &caller, (PauseScope::Queue, &name)).await
}

/// Pause a kind.
#[utoipa::path(
    post, path = "/v1/kinds/{kind}/pause", tag = "kinds", operation_id = "pauseKind", params(("kind" = String, Path)),
    request_body(content = ref("#/components/schemas/PauseBody"), content_type = "application/json"),
    responses((status = 200, description = "The pause.", body = ref("#/components/schemas/PauseInfo")))
)]
async fn pause_kind(
    State(state): State<ApiState>,
    caller: Caller,
    Name(kind): Name<String>,
    body: Body<PauseBody>,
) -> Result<Json<PauseInfo>, Problem> {
    // A name that nobody knows is a slip: it would pause nothing.
    state.kinds.get(&kind).await?;
    set(&state, &caller, (PauseScope::Kind, &kind), body.value).await
}

/// Resume a kind.
#[utoipa::path(
    post, path = "/v1/kinds/{kind}/resume", tag = "kinds", operation_id = "resumeKind", params(("kind" = String, Path)),
    responses((status = 204, description = "It goes on."))
)]
async fn resume_kind(
    State(state): State<ApiState>,
    caller: Caller,
    Name(kind): Name<String>,
) -> Result<StatusCode, Problem> {
    lift(&state, &caller, (PauseScope::Kind, &kind)).await
}

/// Pause a tenant.
#[utoipa::path(
    post, path = "/v1/tenants/{id}/pause", tag = "tenants", operation_id = "pauseTenant", params(("id" = uuid::Uuid, Path)),
    request_body(content = ref("#/components/schemas/PauseBody"), content_type = "application/json"),
    responses((status = 200, description = "The pause.", body = ref("#/components/schemas/PauseInfo")))
)]
async fn pause_tenant(
    State(state): State<ApiState>,
    caller: Caller,
    Name(tenant): Name<TenantId>,
    body: Body<PauseBody>,
) -> Result<Json<PauseInfo>, Problem> {
    let name = tenant.to_string();
    set(&state, &caller, (PauseScope::Tenant, &name), body.value).await
}

/// Resume a tenant.
#[utoipa::path(
    post, path = "/v1/tenants/{id}/resume", tag = "tenants", operation_id = "resumeTenant", params(("id" = uuid::Uuid, Path)),
    responses((status = 204, description = "It goes on."))
)]
async fn resume_tenant(
    State(state): State<ApiState>,
    caller: Caller,
    Name(tenant): Name<TenantId>,
) -> Result<StatusCode, Problem> {
    let name = tenant.to_string();
    lift(&state, &caller, (PauseScope::Tenant, &name)).await
}
