//! GET /v1/jobs/{id}/result: what a job returned; waits for its end if asked to.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use fleet_queue::read::{JobDetail, find_job};
use fleet_queue::{JobId, JobState};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::{Caller, Scope};
use crate::extract::{Name, Params};
use crate::openapi::Schemas;
use crate::problem::Problem;
use crate::state::ApiState;

pub(super) fn router() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(job_result))
}

pub(super) fn schemas(schemas: &mut Schemas) {
    schemas.add::<JobResultView>();
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ResultQuery {
    /// How long to wait for the job's end, as `30s`, `500ms` or `1m`; at most a minute. Not at all where left out.
    wait: Option<String>,
}

/// How a job ended, and what it returned.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "JobResult")]
struct JobResultView {
    /// The job.
    id: JobId,
    /// Where it stands.
    state: JobState,
    /// What it returned.
    output: Option<Value>,
    /// Its last error, unless it completed.
    error: Option<String>,
    /// Why it ended so.
    reason: Option<String>,
    /// When it ended.
    finished_at: Option<chrono::DateTime<chrono::Utc>>,
}

impl From<JobDetail> for JobResultView {
    fn from(job: JobDetail) -> Self {
        Self {
            id: job.id,
            state: job.state,
            output: job.output,
            error: job.error,
            reason: job.reason,
            finished_at: job.finished_at,
        }
    }
}

/// A job's result.
///
/// 200 once it has ended, 202 while it has not. `?wait=30s` answers as soon as it ends.
#[utoipa::path(
    get, path = "/v1/jobs/{id}/result", tag = "jobs", operation_id = "getJobResult", params(("id" = uuid::Uuid, Path), ResultQuery),
    responses(
        (status = 200, description = "It has ended.", body = ref("#/components/schemas/JobResult")),
        (status = 202, description = "It has not ended yet.", body = ref("#/components/schemas/JobResult")),
    )
)]
async fn job_result(
    State(state): State<ApiState>,
    caller: Caller,
    Name(id): Name<JobId>,
    Params(query): Params<ResultQuery>,
) -> Result<(StatusCode, Json<JobResultView>), Problem> {
    caller.need(Scope::JobsRead)?;
    let wait = read_wait(query.wait.as_deref(), state.settings.wait_max)?;
    let mut job = look(&state, &caller, id).await?;
    if !job.state.is_terminal() && !wait.is_zero() {
        wait_for(&state, id, wait).await;
        job = look(&state, &caller, id).await?;
    }
    let status = if job.state.is_terminal() {
        StatusCode::OK
    } else {
        StatusCode::ACCEPTED
    };
    Ok((status, Json(job.into())))
}

async fn look(state: &ApiState, caller: &Caller, id: JobId) -> Result<JobDetail, Problem> {
    let mut tx = state.acting(caller).await?;
    let job = find_job(&mut tx, id).await?;
    tx.commit().await?;
    job.ok_or_else(|| Problem::not_found("job"))
}

/// Until the job ends, the time is up, or the process stops. No connection is held meanwhile.
async fn wait_for(state: &ApiState, id: JobId, longest: Duration) {
    let Ok(_permit) = state.waits.try_acquire() else {
        return;
    };
    tokio::select! {
        () = state.waiting.for_end(id) => {}
        () = tokio::time::sleep(longest) => {}
        () = state.stopping.cancelled() => {}
    }
}

fn read_wait(text: Option<&str>, longest: Duration) -> Result<Duration, Problem> {
    let Some(text) = text else {
        return Ok(Duration::ZERO);
    };
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit_ms = match &text[digits.len()..] {
        "ms" => Some(1),
        "" | "s" => Some(1_000),
        "m" => Some(60_000),
        _ => None,
    };
    let millis = unit_ms
        .zip(digits.parse::<u64>().ok())
        .and_then(|(unit, n)| n.checked_mul(unit));
    let wait = millis.map(Duration::from_millis);
    wait.filter(|wait| *wait <= longest).ok_or_else(|| {
        let detail = format!(
            "wait is \"{text}\"; it reads like 30s, 500ms or 1m, and is at most {} s",
            longest.as_secs()
        );
        Problem::malformed("wait", detail)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_waits_and_refuses_what_is_none() {
        let longest = Duration::from_secs(60);
        for (text, millis) in [
            ("30s", 30_000),
            ("500ms", 500),
            ("1m", 60_000),
            ("2", 2_000),
        ] {
            assert_eq!(
                read_wait(Some(text), longest).ok(),
                Some(Duration::from_millis(millis)),
                "{text}"
            );
        }
        for text in [
            "",
            "s",
            "-1s",
            "61s",
            "2m",
            "1h",
            "99999999999999999999",
            "1.5s",
            "ß",
        ] {
            let problem = read_wait(Some(text), longest).expect_err(text);
            assert_eq!(problem.field.as_deref(), Some("wait"));
        }
    }
}
