//! Worker processes: who is there, and sending one home.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use fleet_queue::WorkerId;
use fleet_queue::read::{WorkerInfo, list_workers};
use fleet_queue::wake::nudge;
use fleet_queue::workers::set_draining;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::audit::{self, Action};
use crate::auth::{Caller, Scope};
use crate::extract::{Name, OptionalBody};
use crate::openapi::Schemas;
use crate::problem::Problem;
use crate::state::ApiState;

pub(super) fn router() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(workers))
        .routes(routes!(drain_worker))
}

pub(super) fn schemas(schemas: &mut Schemas) {
    schemas.add::<WorkerList>().add::<DrainBody>();
}

/// Every worker of the last day.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Workers")]
struct WorkerList {
    /// Those that run first.
    workers: Vec<WorkerInfo>,
}

/// Whether to drain.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct DrainBody {
    /// True where left out; false takes it back.
    #[serde(default = "yes")]
    draining: bool,
}

impl Default for DrainBody {
    fn default() -> Self {
        Self { draining: yes() }
    }
}

fn yes() -> bool {
    true
}

/// List workers.
#[utoipa::path(
    get, path = "/v1/workers", tag = "workers", operation_id = "listWorkers",
    responses((status = 200, description = "Worker processes; for keys of the platform.", body = ref("#/components/schemas/Workers")))
)]
async fn workers(
    State(state): State<ApiState>,
    caller: Caller,
) -> Result<Json<WorkerList>, Problem> {
    caller.need_platform(Scope::JobsRead)?;
    let mut tx = state.acting(&caller).await?;
    let workers = list_workers(&mut tx).await?;
    tx.commit().await?;
    Ok(Json(WorkerList { workers }))
}

/// Drain a worker.
///
/// It finishes what it has and takes nothing new.
#[utoipa::path(
    post, path = "/v1/workers/{id}/drain", tag = "workers", operation_id = "drainWorker", params(("id" = uuid::Uuid, Path)),
    request_body(content = ref("#/components/schemas/DrainBody"), content_type = "application/json"),
    responses((status = 204, description = "It was told."))
)]
async fn drain_worker(
    State(state): State<ApiState>,
    caller: Caller,
    Name(worker): Name<WorkerId>,
    OptionalBody(body): OptionalBody<DrainBody>,
) -> Result<StatusCode, Problem> {
    caller.need_platform(Scope::JobsManage)?;
    let mut tx = state.acting(&caller).await?;
    if !set_draining(&mut tx, worker, body.draining).await? {
        return Err(Problem::not_found("living worker"));
    }
    let subject = worker.to_string();
    let mut action = Action::on_platform("workers.drain", &subject);
    action.detail = Some(json!({ "draining": body.draining }));
    audit::record(&mut tx, &caller, action).await?;
    tx.commit().await?;
    let mut conn = state.db.acquire("api.nudge").await?;
    nudge(&mut conn, worker).await?;
    Ok(StatusCode::NO_CONTENT)
}
