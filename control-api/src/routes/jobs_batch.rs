//! POST /v1/jobs/batch: up to 10,000 jobs in one commit, each with its own answer. A partly bad batch does its good part.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::http::StatusCode;
use fleet_jobs::acting::act_as;
use fleet_queue::history::Event;
use fleet_queue::{BATCH_MAX, EnqueueOutcome, Enqueued, JobId, JobState, NewJob, TenantId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use serde_json::value::RawValue;
use sqlx::{Postgres, Transaction};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::jobs_create::{count, word};
use crate::audit::{self, Action};
use crate::auth::{Caller, Identity, Scope};
use crate::enqueue::{NewJobBody, enqueue_good_part};
use crate::extract::{BodyOfParts, parse};
use crate::idempotency::{self, Answer, IdempotencyKey, Use};
use crate::openapi::Schemas;
use crate::problem::Problem;
use crate::state::ApiState;
use crate::waking::wake_for;

pub(super) fn router() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(create_jobs))
}

pub(super) fn schemas(schemas: &mut Schemas) {
    schemas.add::<BatchSchema>().add::<BatchAnswer>();
}

/// The jobs as they came: each is read for itself, so that one that does not fit spoils no other.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BatchBody {
    jobs: Vec<Box<RawValue>>,
}

/// Jobs to be enqueued.
#[derive(JsonSchema)]
#[schemars(rename = "BatchBody", deny_unknown_fields)]
#[expect(dead_code, reason = "describes what BatchBody reads item by item")]
struct BatchSchema {
    /// At most 10,000.
    jobs: Vec<NewJobBody>,
}

/// What became of a batch.
#[derive(Debug, Default, Serialize, JsonSchema)]
struct BatchAnswer {
    /// Jobs that were made.
    created: usize,
    /// Jobs whose unique key an existing job holds.
    duplicates: usize,
    /// Jobs that were refused.
    errors: usize,
    /// One answer a job, in order.
    results: Vec<ItemAnswer>,
}

/// What became of one job of a batch.
#[derive(Debug, Serialize, JsonSchema)]
struct ItemAnswer {
    /// Its place in the batch, from 0.
    index: usize,
    /// created, duplicate, replaced, pushed or error.
    status: &'static str,
    /// The job that was made, or that holds the unique key.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<JobId>,
    /// Where that job stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<JobState>,
    /// Why it was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<ItemError>,
}

/// Why one job of a batch was refused; as in a problem.
#[derive(Debug, Serialize, JsonSchema)]
struct ItemError {
    /// Stable, for programs.
    code: &'static str,
    /// What was wrong with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<String>,
    /// In words.
    detail: String,
}

type Outcome = Result<Enqueued, Problem>;

/// Enqueue many jobs.
///
/// All in one commit, which the answer follows. Jobs that are refused are named with their index; the others are made.
#[utoipa::path(
    post, path = "/v1/jobs/batch", tag = "jobs", operation_id = "createJobs",
    params(("Idempotency-Key" = Option<String>, Header, description = "The same key and body again get the stored answer.")),
    request_body(content = ref("#/components/schemas/BatchBody"), content_type = "application/json"),
    responses((status = 200, description = "An answer for each job.", body = ref("#/components/schemas/BatchAnswer")))
)]
async fn create_jobs(
    State(state): State<ApiState>,
    caller: Caller,
    IdempotencyKey(key): IdempotencyKey,
    BodyOfParts(body): BodyOfParts<BatchBody>,
) -> Result<Answer, Problem> {
    caller.need(Scope::JobsEnqueue)?;
    let items = body.value.jobs;
    if !(1..=BATCH_MAX).contains(&items.len()) {
        let detail = format!("has {} jobs, 1 to {BATCH_MAX} are allowed", items.len());
        return Err(Problem::invalid("jobs", detail));
    }
    let mut batch = Batch::read(&state, &caller, &items).await;
    let mut tx = state.acting(&caller).await?;
    let used = key.as_deref().map(|key| Use {
        tenant: caller.tenant.unwrap_or(TenantId::PLATFORM),
        key,
        route: "createJobs",
        body_sha256: &body.sha256,
    });
    if let Some(used) = &used
        && let Some(answer) =
            idempotency::take(&mut tx, used, state.settings.idempotency_kept).await?
    {
        return Ok(answer);
    }
    batch.enqueue(&mut tx, &caller).await?;
    let queues = batch.due_queues();
    let made = state.db.history().is_kept().then(|| batch.enqueued());
    let answer = Answer::new(StatusCode::OK, json!(batch.answer()));
    if let Some(used) = &used {
        idempotency::keep(&mut tx, used, &answer).await?;
    }
    tx.commit().await?;
    if let Some(made) = made {
        state.db.history().note(|| made);
    }
    wake_for(&state.db, &queues).await;
    Ok(answer)
}

/// The good jobs by tenant, each with its place, and what became of every place.
struct Batch {
    jobs: BTreeMap<TenantId, Vec<(usize, NewJob)>>,
    outcomes: Vec<Option<Outcome>>,
}

impl Batch {
    async fn read(state: &ApiState, who: &Identity, items: &[Box<RawValue>]) -> Self {
        let mut batch = Self {
            jobs: BTreeMap::new(),
            outcomes: items.iter().map(|_| None).collect(),
        };
        for (place, item) in items.iter().enumerate() {
            match read_item(state, who, item).await {
                Ok(job) => batch.jobs.entry(job.tenant).or_default().push((place, job)),
                Err(problem) => batch.outcomes[place] = Some(Err(problem)),
            }
        }
        batch
    }

    /// Tenant by tenant, each under its own row-level security, in one transaction.
    async fn enqueue(
        &mut self,
        tx: &mut Transaction<'static, Postgres>,
        who: &Identity,
    ) -> Result<(), Problem> {
        for (tenant, placed) in &self.jobs {
            act_as(tx, &tenant.to_string()).await?;
            let jobs: Vec<NewJob> = placed.iter().map(|(_, job)| job.clone()).collect();
            let answers = enqueue_good_part(tx, &jobs).await?;
            let made = |answer: &Outcome| {
                answer
                    .as_ref()
                    .ok()
                    .filter(|a| a.outcome != EnqueueOutcome::QueueFull)
                    .map(|a| a.id)
            };
            let made: Vec<JobId> = answers.iter().filter_map(made).collect();
            if !made.is_empty() {
                let mut action = Action::on_job("jobs.enqueue", *tenant, &made[0]);
                action.jobs = &made;
                audit::record(tx, who, action).await?;
            }
            for ((place, job), answer) in placed.iter().zip(answers) {
                if let Ok(enqueued) = &answer {
                    count(job, enqueued.outcome);
                }
                self.outcomes[*place] = Some(answer);
            }
        }
        act_as(tx, &who.sees()).await?;
        Ok(())
    }

    fn enqueued(&self) -> Event {
        let jobs = self.jobs.values().flatten();
        Event::enqueued(
            jobs.filter_map(|(place, job)| match &self.outcomes[*place] {
                Some(Ok(enqueued)) => Some((job, enqueued)),
                _ => None,
            }),
        )
    }

    fn due_queues(&self) -> Vec<String> {
        let mut queues: Vec<String> = Vec::new();
        for (place, job) in self.jobs.values().flatten() {
            let due = matches!(&self.outcomes[*place], Some(Ok(job)) if job.state == Some(JobState::Available));
            if due && !queues.contains(&job.queue) {
                queues.push(job.queue.clone());
            }
        }
        queues
    }

    fn answer(self) -> BatchAnswer {
        let full: BTreeMap<usize, String> = self
            .jobs
            .into_values()
            .flatten()
            .map(|(place, job)| (place, job.queue))
            .collect();
        let mut answer = BatchAnswer::default();
        for (index, outcome) in self.outcomes.into_iter().enumerate() {
            let outcome = outcome.expect("every job was either refused or enqueued");
            let item = item(index, outcome, full.get(&index));
            match item.status {
                "created" => answer.created += 1,
                "error" => answer.errors += 1,
                _ => answer.duplicates += 1,
            }
            answer.results.push(item);
        }
        answer
    }
}

async fn read_item(state: &ApiState, who: &Identity, item: &RawValue) -> Result<NewJob, Problem> {
    let body: NewJobBody = parse(item.get().as_bytes())?;
    body.into_job(who, &state.kinds, None).await
}

fn item(index: usize, outcome: Outcome, queue: Option<&String>) -> ItemAnswer {
    let outcome = outcome.and_then(|enqueued| match enqueued.outcome {
        EnqueueOutcome::QueueFull => Err(Problem::queue_full(queue.map_or("", String::as_str))),
        _ => Ok(enqueued),
    });
    match outcome {
        Ok(enqueued) => ItemAnswer {
            index,
            status: word(enqueued.outcome),
            id: Some(enqueued.id),
            state: enqueued.state,
            error: None,
        },
        Err(problem) => ItemAnswer {
            index,
            status: "error",
            id: None,
            state: None,
            error: Some(ItemError {
                code: problem.code,
                field: problem.field,
                detail: problem.detail,
            }),
        },
    }
}
