//! What is done with a schedule: pause, resume, run now; and what it has done so far.

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use fleet_queue::schedules::{self, Change, TickRecord};
use fleet_queue::wake::{nudge, wake};
use fleet_queue::{JobId, WorkerId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::{Postgres, Transaction};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::schedules::{Whose, action, find};
use crate::audit;
use crate::auth::{Caller, Scope};
use crate::extract::{Body, Name, Params};
use crate::openapi::Schemas;
use crate::problem::Problem;
use crate::state::ApiState;

/// Rows of a schedule's history and record.
const ROWS: i64 = 200;

pub(super) fn router() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(pause_schedule))
        .routes(routes!(resume_schedule))
        .routes(routes!(run_schedule))
        .routes(routes!(schedule_ticks))
        .routes(routes!(schedule_history))
}

pub(super) fn schemas(schemas: &mut Schemas) {
    schemas.add::<PauseNote>().add::<RunAnswer>();
    schemas.add::<Ticks>().add::<Changes>();
}

/// Why it is paused.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct PauseNote {
    /// For whoever wonders; at most 1,000 bytes.
    reason: String,
}

/// What a run by hand did.
#[derive(Debug, Serialize, JsonSchema)]
struct RunAnswer {
    /// False where a job of an earlier tick was in its way.
    fired: bool,
    /// Its job; or the one in its way.
    job_id: JobId,
    /// Its place in the record.
    tick_at: DateTime<Utc>,
}

/// Ticks that were decided.
#[derive(Debug, Serialize, JsonSchema)]
struct Ticks {
    /// Newest first.
    ticks: Vec<TickRecord>,
}

/// Changes of a schedule.
#[derive(Debug, Serialize, JsonSchema)]
struct Changes {
    /// Newest first.
    changes: Vec<Change>,
}

/// A schedule in hand: the transaction that may see it, and its id.
async fn take(
    state: &ApiState,
    caller: &Caller,
    name: &str,
    whose: &Whose,
) -> Result<(Transaction<'static, Postgres>, Uuid), Problem> {
    let mut tx = state.acting_for(whose.tenant(caller)?).await?;
    let id = find(&mut tx, whose.tenant(caller)?, name).await?;
    Ok((tx, id))
}

/// Pause a schedule.
///
/// Its ticks meanwhile are not made up for.
#[utoipa::path(
    post, path = "/v1/schedules/{name}/pause", tag = "schedules", operation_id = "pauseSchedule", params(("name" = String, Path), Whose),
    request_body(content = ref("#/components/schemas/PauseNote"), content_type = "application/json"),
    responses((status = 200, description = "The schedule.", body = ref("#/components/schemas/Schedule")))
)]
async fn pause_schedule(
    State(state): State<ApiState>,
    caller: Caller,
    Name(name): Name<String>,
    Params(whose): Params<Whose>,
    body: Body<PauseNote>,
) -> Result<Json<schedules::Schedule>, Problem> {
    caller.need(Scope::SchedulesManage)?;
    let reason = body.value.reason;
    let (mut tx, id) = take(&state, &caller, &name, &whose).await?;
    let paused = schedules::pause(&mut tx, id, &reason, &caller.name).await;
    // The engine calls it a note.
    paused.map_err(|error| match Problem::from(error) {
        problem if problem.field.as_deref() == Some("note") => problem.field("reason"),
        problem => problem,
    })?;
    let mut action = action("schedules.pause", whose.tenant(&caller)?, &name);
    action.reason = Some(&reason);
    audit::record(&mut tx, &caller, action).await?;
    finish(tx, id).await
}

/// Resume a schedule.
///
/// The next tick is the first after now.
#[utoipa::path(
    post, path = "/v1/schedules/{name}/resume", tag = "schedules", operation_id = "resumeSchedule", params(("name" = String, Path), Whose),
    responses((status = 200, description = "The schedule.", body = ref("#/components/schemas/Schedule")))
)]
async fn resume_schedule(
    State(state): State<ApiState>,
    caller: Caller,
    Name(name): Name<String>,
    Params(whose): Params<Whose>,
) -> Result<Json<schedules::Schedule>, Problem> {
    caller.need(Scope::SchedulesManage)?;
    let (mut tx, id) = take(&state, &caller, &name, &whose).await?;
    if schedules::resume(&mut tx, id, &caller.name).await? {
        let action = action("schedules.resume", whose.tenant(&caller)?, &name);
        audit::record(&mut tx, &caller, action).await?;
    }
    finish(tx, id).await
}

async fn finish(
    mut tx: Transaction<'static, Postgres>,
    id: Uuid,
) -> Result<Json<schedules::Schedule>, Problem> {
    let schedule = schedules::get(&mut tx, id).await?;
    tx.commit().await?;
    schedule
        .map(Json)
        .ok_or_else(|| Problem::not_found("schedule"))
}

/// Run a schedule now.
///
/// Once more, as its overlap policy allows, paused or not; its ticks stay as they are.
#[utoipa::path(
    post, path = "/v1/schedules/{name}/run", tag = "schedules", operation_id = "runSchedule", params(("name" = String, Path), Whose),
    responses((status = 200, description = "What came of it.", body = ref("#/components/schemas/RunAnswer")))
)]
async fn run_schedule(
    State(state): State<ApiState>,
    caller: Caller,
    Name(name): Name<String>,
    Params(whose): Params<Whose>,
) -> Result<Json<RunAnswer>, Problem> {
    caller.need(Scope::SchedulesManage)?;
    let (mut tx, id) = take(&state, &caller, &name, &whose).await?;
    let ran = schedules::run_now(&mut tx, id).await?;
    let ran = ran.ok_or_else(|| Problem::not_found("schedule"))?;
    let job = [ran.tick.job];
    let mut action = action("schedules.run", whose.tenant(&caller)?, &name);
    action.jobs = &job;
    action.detail = Some(json!({ "fired": ran.tick.fired }));
    audit::record(&mut tx, &caller, action).await?;
    tx.commit().await?;
    let mut conn = state.db.acquire("api.wake").await?;
    let queues: Vec<String> = ran.queue.into_iter().collect();
    wake(&mut conn, &queues).await?;
    for worker in ran.told {
        nudge(&mut conn, WorkerId(worker)).await?;
    }
    Ok(Json(RunAnswer {
        fired: ran.tick.fired,
        job_id: ran.tick.job,
        tick_at: ran.tick.tick_at,
    }))
}

/// What a schedule has done.
#[utoipa::path(
    get, path = "/v1/schedules/{name}/ticks", tag = "schedules", operation_id = "listScheduleTicks", params(("name" = String, Path), Whose),
    responses((status = 200, description = "Its last 200 ticks and their jobs.", body = ref("#/components/schemas/Ticks")))
)]
async fn schedule_ticks(
    State(state): State<ApiState>,
    caller: Caller,
    Name(name): Name<String>,
    Params(whose): Params<Whose>,
) -> Result<Json<Ticks>, Problem> {
    caller.need_any(&[Scope::JobsRead, Scope::SchedulesManage])?;
    let (mut tx, id) = take(&state, &caller, &name, &whose).await?;
    let ticks = schedules::record(&mut tx, id, None, ROWS).await?;
    tx.commit().await?;
    Ok(Json(Ticks { ticks }))
}

/// Who changed a schedule.
#[utoipa::path(
    get, path = "/v1/schedules/{name}/history", tag = "schedules", operation_id = "listScheduleChanges", params(("name" = String, Path), Whose),
    responses((status = 200, description = "Its last 200 changes.", body = ref("#/components/schemas/Changes")))
)]
async fn schedule_history(
    State(state): State<ApiState>,
    caller: Caller,
    Name(name): Name<String>,
    Params(whose): Params<Whose>,
) -> Result<Json<Changes>, Problem> {
    caller.need_any(&[Scope::JobsRead, Scope::SchedulesManage])?;
    let (mut tx, id) = take(&state, &caller, &name, &whose).await?;
    let changes = schedules::history(&mut tx, id, None, ROWS).await?;
    tx.commit().await?;
    Ok(Json(Changes { changes }))
}
