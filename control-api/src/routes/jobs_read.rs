//! GET of one job: itself, and what hangs on it.

use axum::Json;
use axum::extract::State;
use fleet_queue::JobId;
use fleet_queue::read::{
    AttemptRow, JobDetail, LogRow, StepRow, Why, find_attempts, find_job, find_logs, find_state,
    find_steps, why,
};
use schemars::JsonSchema;
use serde::Serialize;
use sqlx::{Postgres, Transaction};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::{Caller, Scope};
use crate::extract::Name;
use crate::openapi::Schemas;
use crate::problem::Problem;
use crate::state::ApiState;

/// Most rows of a part of a job.
const PART_MAX: i64 = 1_000;

pub(super) fn router() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(job))
        .routes(routes!(job_attempts))
        .routes(routes!(job_logs))
        .routes(routes!(job_steps))
        .routes(routes!(job_why))
}

pub(super) fn schemas(schemas: &mut Schemas) {
    schemas.add::<JobDetail>().add::<Attempts>().add::<Logs>();
    schemas.add::<Steps>().add::<Why>();
}

/// The attempts of a job that did not simply succeed.
#[derive(Debug, Serialize, JsonSchema)]
struct Attempts {
    /// Newest first.
    attempts: Vec<AttemptRow>,
}

/// The log of a job.
#[derive(Debug, Serialize, JsonSchema)]
struct Logs {
    /// In the order of their writing.
    lines: Vec<LogRow>,
}

/// The finished steps of a job.
#[derive(Debug, Serialize, JsonSchema)]
struct Steps {
    /// In the order of their finishing.
    steps: Vec<StepRow>,
}

/// A transaction of a caller who may read, in which the job is known to be there.
async fn looking_at(
    state: &ApiState,
    caller: &Caller,
    id: JobId,
) -> Result<Transaction<'static, Postgres>, Problem> {
    caller.need(Scope::JobsRead)?;
    let mut tx = state.acting(caller).await?;
    match find_state(&mut tx, id).await? {
        Some(_) => Ok(tx),
        None => Err(Problem::not_found("job")),
    }
}

/// Look at a job.
#[utoipa::path(
    get, path = "/v1/jobs/{id}", tag = "jobs", operation_id = "getJob", params(("id" = uuid::Uuid, Path)),
    responses((status = 200, description = "The job.", body = ref("#/components/schemas/JobDetail")))
)]
async fn job(
    State(state): State<ApiState>,
    caller: Caller,
    Name(id): Name<JobId>,
) -> Result<Json<JobDetail>, Problem> {
    caller.need(Scope::JobsRead)?;
    let mut tx = state.acting(&caller).await?;
    let job = find_job(&mut tx, id).await?;
    tx.commit().await?;
    job.map(Json).ok_or_else(|| Problem::not_found("job"))
}

/// A job's failed attempts.
#[utoipa::path(
    get, path = "/v1/jobs/{id}/attempts", tag = "jobs", operation_id = "getJobAttempts", params(("id" = uuid::Uuid, Path)),
    responses((status = 200, description = "Attempts that did not simply succeed.", body = ref("#/components/schemas/Attempts")))
)]
async fn job_attempts(
    State(state): State<ApiState>,
    caller: Caller,
    Name(id): Name<JobId>,
) -> Result<Json<Attempts>, Problem> {
    let mut tx = looking_at(&state, &caller, id).await?;
    let attempts = find_attempts(&mut tx, id, PART_MAX).await?;
    tx.commit().await?;
    Ok(Json(Attempts { attempts }))
}

/// A job's log.
#[utoipa::path(
    get, path = "/v1/jobs/{id}/logs", tag = "jobs", operation_id = "getJobLogs", params(("id" = uuid::Uuid, Path)),
    responses((status = 200, description = "Its newest 1,000 lines.", body = ref("#/components/schemas/Logs")))
)]
async fn job_logs(
    State(state): State<ApiState>,
    caller: Caller,
    Name(id): Name<JobId>,
) -> Result<Json<Logs>, Problem> {
    let mut tx = looking_at(&state, &caller, id).await?;
    let lines = find_logs(&mut tx, id, PART_MAX).await?;
    tx.commit().await?;
    Ok(Json(Logs { lines }))
}

/// A job's finished steps.
#[utoipa::path(
    get, path = "/v1/jobs/{id}/steps", tag = "jobs", operation_id = "getJobSteps", params(("id" = uuid::Uuid, Path)),
    responses((status = 200, description = "Steps that will not be run again.", body = ref("#/components/schemas/Steps")))
)]
async fn job_steps(
    State(state): State<ApiState>,
    caller: Caller,
    Name(id): Name<JobId>,
) -> Result<Json<Steps>, Problem> {
    let mut tx = looking_at(&state, &caller, id).await?;
    let steps = find_steps(&mut tx, id).await?;
    tx.commit().await?;
    Ok(Json(Steps { steps }))
}

/// Why a job stands where it stands.
///
/// What it waits for, in words and as data.
#[utoipa::path(
    get, path = "/v1/jobs/{id}/why", tag = "jobs", operation_id = "getJobWhy", params(("id" = uuid::Uuid, Path)),
    responses((status = 200, description = "A summary and the reasons.", body = ref("#/components/schemas/Why")))
)]
async fn job_why(
    State(state): State<ApiState>,
    caller: Caller,
    Name(id): Name<JobId>,
) -> Result<Json<Why>, Problem> {
    caller.need(Scope::JobsRead)?;
    let mut tx = state.acting(&caller).await?;
    let answer = why(&mut tx, id).await?;
    tx.commit().await?;
    answer.map(Json).ok_or_else(|| Problem::not_found("job"))
}
