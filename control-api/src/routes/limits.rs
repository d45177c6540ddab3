//! Limits: caps and rates. From its answer on a rule holds exactly (I10).

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use fleet_queue::history::{Change, Event};
use fleet_queue::limits::{LimitInUse, LimitRule, list_limits, remove_limit, set_limit};
use fleet_queue::wake::{slept_for, wake};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::audit::{self, Action};
use crate::auth::{Caller, Scope};
use crate::extract::{Body, Name};
use crate::openapi::Schemas;
use crate::problem::Problem;
use crate::state::ApiState;

pub(super) fn router() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(limits))
        .routes(routes!(put_limit, delete_limit))
}

pub(super) fn schemas(schemas: &mut Schemas) {
    schemas.add::<LimitList>().add::<LimitBody>();
}

/// Every limit.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Limits")]
struct LimitList {
    /// By name.
    limits: Vec<LimitInUse>,
}

/// A limit: over which jobs, and how many of them. Its name is in the path.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct LimitBody {
    /// Only this queue.
    queue: Option<String>,
    /// Only this kind.
    kind: Option<String>,
    /// Only this tenant.
    tenant_id: Option<Uuid>,
    /// Each tenant has the limit for itself.
    #[serde(default)]
    per_tenant: bool,
    /// At most so many running.
    cap: Option<i32>,
    /// At most so many starts a second, on average.
    rate: Option<f64>,
    /// Starts that may come at once after a quiet time; goes with `rate`.
    burst: Option<i32>,
}

/// List limits.
#[utoipa::path(
    get, path = "/v1/limits", tag = "limits", operation_id = "listLimits",
    responses((status = 200, description = "Every limit and its use.", body = ref("#/components/schemas/Limits")))
)]
async fn limits(State(state): State<ApiState>, caller: Caller) -> Result<Json<LimitList>, Problem> {
    caller.need_platform(Scope::JobsRead)?;
    let mut tx = state.acting(&caller).await?;
    let limits = list_limits(&mut tx).await?;
    tx.commit().await?;
    Ok(Json(LimitList { limits }))
}

/// Set a limit.
///
/// It replaces one of the same name. Jobs that run already count.
#[utoipa::path(
    put, path = "/v1/limits/{name}", tag = "limits", operation_id = "setLimit", params(("name" = String, Path)),
    request_body(content = ref("#/components/schemas/LimitBody"), content_type = "application/json"),
    responses((status = 200, description = "The limit.", body = ref("#/components/schemas/LimitInUse")))
)]
async fn put_limit(
    State(state): State<ApiState>,
    caller: Caller,
    Name(name): Name<String>,
    body: Body<LimitBody>,
) -> Result<Json<LimitInUse>, Problem> {
    caller.need_platform(Scope::JobsManage)?;
    let body = body.value;
    let rule = LimitRule {
        name,
        queue: body.queue,
        kind: body.kind,
        tenant_id: body.tenant_id,
        per_tenant: body.per_tenant,
        cap: body.cap,
        rate: body.rate,
        burst: body.burst,
    };
    let change = Change::Limit(rule.clone());
    state.db.history().note(|| Event::Changing {
        change: change.clone(),
    });
    let mut tx = state.acting(&caller).await?;
    set_limit(&mut tx, &rule).await?;
    let mut action = Action::on_platform("limits.set", &rule.name);
    action.detail = Some(json!(rule));
    audit::record(&mut tx, &caller, action).await?;
    let set = list_limits(&mut tx).await?;
    tx.commit().await?;
    state.db.history().note(|| Event::Changed { change });
    wake_all(&state).await?;
    let set = set.into_iter().find(|limit| limit.rule.name == rule.name);
    set.map(Json).ok_or_else(|| Problem::not_found("limit"))
}

/// Remove a limit.
#[utoipa::path(
    delete, path = "/v1/limits/{name}", tag = "limits", operation_id = "removeLimit", params(("name" = String, Path)),
    responses((status = 204, description = "It holds no more."))
)]
async fn delete_limit(
    State(state): State<ApiState>,
    caller: Caller,
    Name(name): Name<String>,
) -> Result<StatusCode, Problem> {
    caller.need_platform(Scope::JobsManage)?;
    let change = Change::NoLimit(name.clone());
    state.db.history().note(|| Event::Changing {
        change: change.clone(),
    });
    let mut tx = state.acting(&caller).await?;
    if !remove_limit(&mut tx, &name).await? {
        return Err(Problem::not_found("limit"));
    }
    audit::record(
        &mut tx,
        &caller,
        Action::on_platform("limits.remove", &name),
    )
    .await?;
    tx.commit().await?;
    state.db.history().note(|| Event::Changed { change });
    wake_all(&state).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A limit that was widened may let jobs start that workers sleep for.
async fn wake_all(state: &ApiState) -> Result<(), Problem> {
    let mut conn = state.db.acquire("api.wake").await?;
    let asleep = slept_for(&mut conn).await?;
    let mut queues: Vec<String> = asleep.into_iter().map(|(queue, _)| queue).collect();
    queues.dedup();
    wake(&mut conn, &queues).await?;
    Ok(())
}
