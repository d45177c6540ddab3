//! Queues: how full, how fast, how set; and what happened minute by minute.

use axum::Json;
use axum::extract::State;
use fleet_queue::limits::set_queue;
use fleet_queue::read::{MinuteRow, QueueInfo, ThroughputFilter, list_queues, throughput};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::json;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::audit::{self, Action};
use crate::auth::{Caller, Scope};
use crate::extract::{Body, Name, Params};
use crate::openapi::Schemas;
use crate::problem::Problem;
use crate::state::ApiState;

pub(super) fn router() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(queues))
        .routes(routes!(queue, change_queue))
        .routes(routes!(minutes))
}

pub(super) fn schemas(schemas: &mut Schemas) {
    schemas
        .add::<QueueList>()
        .add::<QueuePatch>()
        .add::<Minutes>();
}

/// Every queue.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Queues")]
struct QueueList {
    /// By name.
    queues: Vec<QueueInfo>,
}

/// What to change of a queue; what is left out stays.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct QueuePatch {
    /// Live jobs past which enqueue answers "queue full"; null: unbounded.
    #[serde(default, deserialize_with = "given")]
    #[expect(
        clippy::option_option,
        reason = "left out, null and a number are three things"
    )]
    max_depth: Option<Option<i32>>,
    /// A job that waited this long counts as one priority more urgent.
    age_step_s: Option<i32>,
}

/// Tells null from left out.
#[expect(
    clippy::option_option,
    reason = "left out, null and a number are three things"
)]
fn given<'de, D: Deserializer<'de>>(field: D) -> Result<Option<Option<i32>>, D::Error> {
    Option::<i32>::deserialize(field).map(Some)
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct MinutesQuery {
    /// Only this queue.
    queue: Option<String>,
    /// Only this kind.
    kind: Option<String>,
    /// The last so many minutes, 1 to 1,440; 60 where left out.
    minutes: Option<i32>,
}

/// What happened, minute by minute.
#[derive(Debug, Serialize, JsonSchema)]
struct Minutes {
    /// Oldest first.
    minutes: Vec<MinuteRow>,
}

/// List queues.
#[utoipa::path(
    get, path = "/v1/queues", tag = "queues", operation_id = "listQueues",
    responses((status = 200, description = "Every queue; a tenant's key counts the tenant's own jobs.", body = ref("#/components/schemas/Queues")))
)]
async fn queues(State(state): State<ApiState>, caller: Caller) -> Result<Json<QueueList>, Problem> {
    caller.need(Scope::JobsRead)?;
    let mut tx = state.acting(&caller).await?;
    let queues = list_queues(&mut tx, None).await?;
    tx.commit().await?;
    Ok(Json(QueueList { queues }))
}

/// Look at a queue.
#[utoipa::path(
    get, path = "/v1/queues/{name}", tag = "queues", operation_id = "getQueue", params(("name" = String, Path)),
    responses((status = 200, description = "The queue.", body = ref("#/components/schemas/QueueInfo")))
)]
async fn queue(
    State(state): State<ApiState>,
    caller: Caller,
    Name(name): Name<String>,
) -> Result<Json<QueueInfo>, Problem> {
    caller.need(Scope::JobsRead)?;
    let mut tx = state.acting(&caller).await?;
    let queue = list_queues(&mut tx, Some(&name)).await?.pop();
    tx.commit().await?;
    queue.map(Json).ok_or_else(|| Problem::not_found("queue"))
}

/// Set a queue's bounds.
///
/// A queue that has no job yet is set up by this.
#[utoipa::path(
    patch, path = "/v1/queues/{name}", tag = "queues", operation_id = "changeQueue", params(("name" = String, Path)),
    request_body(content = ref("#/components/schemas/QueuePatch"), content_type = "application/json"),
    responses((status = 200, description = "The queue.", body = ref("#/components/schemas/QueueInfo")))
)]
async fn change_queue(
    State(state): State<ApiState>,
    caller: Caller,
    Name(name): Name<String>,
    body: Body<QueuePatch>,
) -> Result<Json<QueueInfo>, Problem> {
    caller.need_platform(Scope::JobsManage)?;
    if !(1..=100).contains(&name.chars().count()) {
        return Err(Problem::malformed(
            "path",
            "a queue's name has 1 to 100 characters",
        ));
    }
    let mut tx = state.acting(&caller).await?;
    let before = list_queues(&mut tx, Some(&name)).await?.pop();
    let was = before.map_or((None, 60), |queue| (queue.max_depth, queue.age_step_s));
    let max_depth = body.value.max_depth.unwrap_or(was.0);
    let age_step_s = body.value.age_step_s.unwrap_or(was.1);
    set_queue(&mut tx, &name, max_depth, age_step_s).await?;
    let mut action = Action::on_platform("queues.change", &name);
    action.detail = Some(json!({ "max_depth": max_depth, "age_step_s": age_step_s, "was": was }));
    audit::record(&mut tx, &caller, action).await?;
    let after = list_queues(&mut tx, Some(&name)).await?.pop();
    tx.commit().await?;
    after.map(Json).ok_or_else(|| Problem::not_found("queue"))
}

/// What happened minute by minute.
#[utoipa::path(
    get, path = "/v1/throughput", tag = "queues", operation_id = "getThroughput", params(MinutesQuery),
    responses((status = 200, description = "Every minute of the span, zeros included.", body = ref("#/components/schemas/Minutes")))
)]
async fn minutes(
    State(state): State<ApiState>,
    caller: Caller,
    Params(query): Params<MinutesQuery>,
) -> Result<Json<Minutes>, Problem> {
    caller.need(Scope::JobsRead)?;
    let span = query.minutes.unwrap_or(60);
    if !(1..=1440).contains(&span) {
        let detail = format!("minutes is {span}, 1 to 1440 are allowed");
        return Err(Problem::malformed("minutes", detail));
    }
    let filter = ThroughputFilter {
        queue: query.queue,
        kind: query.kind,
        minutes: span,
    };
    let mut tx = state.acting(&caller).await?;
    let minutes = throughput(&mut tx, &filter).await?;
    tx.commit().await?;
    Ok(Json(Minutes { minutes }))
}
