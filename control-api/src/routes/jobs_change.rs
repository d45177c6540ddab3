//! What a person does to one job: cancel, retry, reschedule, reprioritize. Each leaves a row of the audit (I13).

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use fleet_queue::history::Event;
use fleet_queue::read::{JobDetail, find_job};
use fleet_queue::transitions::cancel::{Cancelled, cancel};
use fleet_queue::transitions::reschedule::{reprioritize, reschedule};
use fleet_queue::transitions::retry::{Retried, retry};
use fleet_queue::wake::nudge;
use fleet_queue::{Error, JobId, JobState};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use sqlx::{Postgres, Transaction};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::audit::{self, Action};
use crate::auth::{Caller, Scope};
use crate::enqueue::storable;
use crate::extract::{Body, Name, OptionalBody};
use crate::openapi::Schemas;
use crate::problem::Problem;
use crate::state::ApiState;
use crate::waking::wake_for;

pub(super) fn router() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(cancel_job))
        .routes(routes!(retry_job))
        .routes(routes!(reschedule_job))
        .routes(routes!(reprioritize_job))
}

pub(super) fn schemas(schemas: &mut Schemas) {
    schemas.add::<ReasonBody>().add::<RescheduleBody>();
    schemas.add::<ReprioritizeBody>();
}

/// Why, for whoever wonders later.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ReasonBody {
    /// At most 1,000 characters.
    reason: Option<String>,
}

impl ReasonBody {
    fn checked(self) -> Result<Option<String>, Problem> {
        match self.reason {
            Some(reason) if reason.chars().count() > 1000 => Err(Problem::invalid(
                "reason",
                "reason is over 1,000 characters",
            )),
            reason => Ok(reason),
        }
    }
}

/// When it shall run.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RescheduleBody {
    /// Not before; in the past means now.
    run_at: DateTime<Utc>,
}

/// How urgent it shall be.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ReprioritizeBody {
    /// 0 most urgent to 3 least.
    priority: i16,
}

/// A change under way: the transaction, and the job as it was.
struct Change<'a> {
    state: &'a ApiState,
    caller: &'a Caller,
    tx: Transaction<'static, Postgres>,
    before: JobDetail,
}

impl<'a> Change<'a> {
    async fn begin(state: &'a ApiState, caller: &'a Caller, id: JobId) -> Result<Self, Problem> {
        caller.need(Scope::JobsManage)?;
        let mut tx = state.acting(caller).await?;
        let before = find_job(&mut tx, id).await?;
        let before = before.ok_or_else(|| Problem::not_found("job"))?;
        Ok(Self {
            state,
            caller,
            tx,
            before,
        })
    }

    /// Writes it down, commits, wakes a worker where there is something for one now, and answers with the job as it is.
    async fn finish(
        mut self,
        action: &str,
        reason: Option<&str>,
        detail: Option<Value>,
    ) -> Result<Json<JobDetail>, Problem> {
        let id = self.before.id;
        let mut action = Action::on_job(action, self.before.tenant_id, &id);
        action.reason = reason;
        action.detail = detail;
        audit::record(&mut self.tx, self.caller, action).await?;
        let after = find_job(&mut self.tx, id).await?;
        self.tx.commit().await?;
        let after = after.ok_or_else(|| Problem::not_found("job"))?;
        if after.state == JobState::Available {
            wake_for(&self.state.db, std::slice::from_ref(&after.queue)).await;
        }
        Ok(Json(after))
    }
}

/// Cancel a job.
///
/// A waiting one ends at once. A running one is told, on whatever host, and has its grace; look at it again for its end.
#[utoipa::path(
    post, path = "/v1/jobs/{id}/cancel", tag = "jobs", operation_id = "cancelJob", params(("id" = uuid::Uuid, Path)),
    request_body(content = ref("#/components/schemas/ReasonBody"), content_type = "application/json"),
    responses((status = 200, description = "The job.", body = ref("#/components/schemas/JobDetail")))
)]
async fn cancel_job(
    State(state): State<ApiState>,
    caller: Caller,
    Name(id): Name<JobId>,
    OptionalBody(body): OptionalBody<ReasonBody>,
) -> Result<Json<JobDetail>, Problem> {
    let reason = body.checked()?;
    let mut change = Change::begin(&state, &caller, id).await?;
    match cancel(&mut change.tx, id, reason.as_deref()).await? {
        Cancelled::Ended => change.finish("jobs.cancel", reason.as_deref(), None).await,
        Cancelled::Requested(worker) => {
            let detail = Some(json!({ "worker_id": worker }));
            let told = change
                .finish("jobs.cancel", reason.as_deref(), detail)
                .await?;
            let mut conn = state.db.acquire("api.nudge").await?;
            nudge(&mut conn, worker).await?;
            Ok(told)
        }
        // Asking twice is no mistake.
        Cancelled::AlreadyEnded(JobState::Cancelled) => Ok(Json(change.before)),
        Cancelled::AlreadyEnded(ended) => {
            let problem = "it has ended already";
            Err(Error::WrongState {
                id,
                state: ended,
                problem,
            }
            .into())
        }
        Cancelled::NotFound => Err(Problem::not_found("job")),
    }
}

/// Retry a job.
///
/// One that was discarded or cancelled lives again with fresh attempts; one that waits for its time runs now.
#[utoipa::path(
    post, path = "/v1/jobs/{id}/retry", tag = "jobs", operation_id = "retryJob", params(("id" = uuid::Uuid, Path)),
    request_body(content = ref("#/components/schemas/ReasonBody"), content_type = "application/json"),
    responses((status = 200, description = "The job.", body = ref("#/components/schemas/JobDetail")))
)]
async fn retry_job(
    State(state): State<ApiState>,
    caller: Caller,
    Name(id): Name<JobId>,
    OptionalBody(body): OptionalBody<ReasonBody>,
) -> Result<Json<JobDetail>, Problem> {
    let reason = body.checked()?;
    let mut change = Change::begin(&state, &caller, id).await?;
    let history = state.db.history();
    history.note(|| Event::Retrying { job: id });
    match retry(&mut change.tx, id).await? {
        Retried::Revived | Retried::Hastened => {
            change.finish("jobs.retry", reason.as_deref(), None).await
        }
        Retried::NotFound => Err(Problem::not_found("job")),
    }
}

/// Move a waiting job to another time.
#[utoipa::path(
    post, path = "/v1/jobs/{id}/reschedule", tag = "jobs", operation_id = "rescheduleJob", params(("id" = uuid::Uuid, Path)),
    request_body(content = ref("#/components/schemas/RescheduleBody"), content_type = "application/json"),
    responses((status = 200, description = "The job.", body = ref("#/components/schemas/JobDetail")))
)]
async fn reschedule_job(
    State(state): State<ApiState>,
    caller: Caller,
    Name(id): Name<JobId>,
    body: Body<RescheduleBody>,
) -> Result<Json<JobDetail>, Problem> {
    let run_at = body.value.run_at;
    storable("run_at", Some(run_at))?;
    let mut change = Change::begin(&state, &caller, id).await?;
    if !reschedule(&mut change.tx, id, run_at).await? {
        return Err(Problem::not_found("job"));
    }
    let detail = json!({ "from": change.before.run_at, "to": run_at });
    change.finish("jobs.reschedule", None, Some(detail)).await
}

/// Give a waiting job another priority.
#[utoipa::path(
    post, path = "/v1/jobs/{id}/reprioritize", tag = "jobs", operation_id = "reprioritizeJob", params(("id" = uuid::Uuid, Path)),
    request_body(content = ref("#/components/schemas/ReprioritizeBody"), content_type = "application/json"),
    responses((status = 200, description = "The job.", body = ref("#/components/schemas/JobDetail")))
)]
async fn reprioritize_job(
    State(state): State<ApiState>,
    caller: Caller,
    Name(id): Name<JobId>,
    body: Body<ReprioritizeBody>,
) -> Result<Json<JobDetail>, Problem> {
    let priority = body.value.priority;
    let mut change = Change::begin(&state, &caller, id).await?;
    if !reprioritize(&mut change.tx, id, priority).await? {
        return Err(Problem::not_found("job"));
    }
    let detail = json!({ "from": change.before.priority, "to": priority });
    change.finish("jobs.reprioritize", None, Some(detail)).await
}
