//! POST /v1/jobs: one job, committed when it is answered.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use fleet_queue::history::Event;
use fleet_queue::read::{JobDetail, find_job};
use fleet_queue::telemetry::ENQUEUED;
use fleet_queue::transitions::enqueue::enqueue;
use fleet_queue::{EnqueueOutcome, Enqueued, JobId, JobState, NewJob, TenantId};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;
use sqlx::PgConnection;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::audit::{self, Action};
use crate::auth::{Caller, Scope};
use crate::enqueue::NewJobBody;
use crate::extract::Body;
use crate::idempotency::{self, Answer, IdempotencyKey, Use};
use crate::openapi::Schemas;
use crate::problem::Problem;
use crate::state::ApiState;
use crate::waking::wake_for;

pub(super) fn router() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(create_job))
}

pub(super) fn schemas(schemas: &mut Schemas) {
    schemas.add::<NewJobBody>().add::<JobCreated>();
    schemas.add::<JobExisting>();
}

/// A job that was made.
#[derive(Debug, Serialize, JsonSchema)]
struct JobCreated<'a> {
    /// Its id.
    id: JobId,
    /// Where it stands.
    state: JobState,
    /// `family.verb`.
    kind: &'a str,
    /// Its queue.
    queue: &'a str,
    /// Whose it is.
    tenant_id: TenantId,
    /// 0 most urgent to 3 least.
    priority: i16,
    /// Attempts begun: none yet.
    attempt: i16,
    /// Attempts before it is discarded.
    max_attempts: i16,
    /// False: it is new.
    duplicate: bool,
}

/// The job that holds the unique key.
#[derive(Debug, Serialize, JsonSchema)]
struct JobExisting {
    #[serde(flatten)]
    job: JobDetail,
    /// True: nothing new was made.
    duplicate: bool,
    /// What was done to it: duplicate (nothing), replaced (its payload), pushed (its run_at).
    outcome: &'static str,
}

/// The word for what an enqueue did.
pub(super) fn word(outcome: EnqueueOutcome) -> &'static str {
    match outcome {
        EnqueueOutcome::Inserted => "created",
        EnqueueOutcome::Duplicate => "duplicate",
        EnqueueOutcome::Replaced => "replaced",
        EnqueueOutcome::Pushed => "pushed",
        EnqueueOutcome::QueueFull => "queue_full",
    }
}

/// Enqueue a job.
///
/// Answers after the commit. With an Idempotency-Key the same request again gets the same answer.
#[utoipa::path(
    post, path = "/v1/jobs", tag = "jobs", operation_id = "createJob",
    params(("Idempotency-Key" = Option<String>, Header, description = "The same key and body again get the stored answer.")),
    request_body(content = ref("#/components/schemas/NewJobBody"), content_type = "application/json"),
    responses(
        (status = 201, description = "It was made.", body = ref("#/components/schemas/JobCreated")),
        (status = 200, description = "Another live job holds its unique key.", body = ref("#/components/schemas/JobExisting")),
        (status = 429, description = "The queue is full; Retry-After says when to come back.", body = ref("#/components/schemas/Problem")),
    )
)]
async fn create_job(
    State(state): State<ApiState>,
    caller: Caller,
    IdempotencyKey(key): IdempotencyKey,
    headers: HeaderMap,
    body: Body<NewJobBody>,
) -> Result<Answer, Problem> {
    caller.need(Scope::JobsEnqueue)?;
    let traceparent = headers
        .get("traceparent")
        .and_then(|value| value.to_str().ok());
    let job = body
        .value
        .into_job(&caller, &state.kinds, traceparent)
        .await?;
    let Some(key) = key else {
        return create(&state, caller, job).await;
    };
    let used = Use {
        tenant: job.tenant,
        key: &key,
        route: "createJob",
        body_sha256: &body.sha256,
    };
    create_once(&state, &caller, &job, &used).await
}

/// Enqueues a job that was checked, in company, and answers for it.
pub(super) async fn create(
    state: &ApiState,
    caller: Caller,
    job: NewJob,
) -> Result<Answer, Problem> {
    let (job, enqueued) = state.gatherer.enqueue(job, caller).await?;
    count(&job, enqueued.outcome);
    answer(state, &job, &enqueued).await
}

/// With a key: the enqueue and the answer commit together, so this one goes without company.
async fn create_once(
    state: &ApiState,
    caller: &Caller,
    job: &NewJob,
    used: &Use<'_>,
) -> Result<Answer, Problem> {
    let mut tx = state.acting_for(job.tenant).await?;
    if let Some(answer) = idempotency::take(&mut tx, used, state.settings.idempotency_kept).await? {
        return Ok(answer);
    }
    let enqueued = enqueue(&mut tx, job).await?;
    let answer = compose(&mut tx, job, &enqueued).await?;
    let action = Action::on_job("jobs.enqueue", job.tenant, &enqueued.id);
    audit::record(&mut tx, caller, action).await?;
    idempotency::keep(&mut tx, used, &answer).await?;
    let reached = state.db.probes().at("api.before_commit").await;
    reached.map_err(|_| Problem::unavailable())?;
    tx.commit().await?;
    let history = state.db.history();
    history.note(|| Event::enqueued([(job, &enqueued)]));
    count(job, enqueued.outcome);
    if enqueued.state == Some(JobState::Available) {
        wake_for(&state.db, std::slice::from_ref(&job.queue)).await;
    }
    Ok(answer)
}

async fn answer(state: &ApiState, job: &NewJob, enqueued: &Enqueued) -> Result<Answer, Problem> {
    if enqueued.outcome == EnqueueOutcome::Inserted {
        return Ok(created(job, enqueued));
    }
    let mut tx = state.acting_for(job.tenant).await?;
    let answer = compose(&mut tx, job, enqueued).await?;
    tx.commit().await?;
    Ok(answer)
}

async fn compose(
    conn: &mut PgConnection,
    job: &NewJob,
    enqueued: &Enqueued,
) -> Result<Answer, Problem> {
    match enqueued.outcome {
        EnqueueOutcome::Inserted => Ok(created(job, enqueued)),
        EnqueueOutcome::QueueFull => Err(Problem::queue_full(&job.queue)),
        outcome => {
            let found = find_job(conn, enqueued.id).await?;
            let existing = JobExisting {
                job: found.ok_or_else(Problem::unavailable)?,
                duplicate: true,
                outcome: word(outcome),
            };
            Ok(Answer::new(StatusCode::OK, json!(existing)))
        }
    }
}

fn created(job: &NewJob, enqueued: &Enqueued) -> Answer {
    let created = JobCreated {
        id: enqueued.id,
        state: enqueued.state.unwrap_or(JobState::Available),
        kind: &job.kind,
        queue: &job.queue,
        tenant_id: job.tenant,
        priority: job.priority,
        attempt: 0,
        max_attempts: job.max_attempts,
        duplicate: false,
    };
    Answer::new(StatusCode::CREATED, json!(created))
}

pub(super) fn count(job: &NewJob, outcome: EnqueueOutcome) {
    metrics::counter!(ENQUEUED, "kind" => job.kind.clone(), "outcome" => word(outcome))
        .increment(1);
}
