//! From what a caller says of a job to a job: defaults of its kind, the caller's rights, the payload's schema; and batches of which the good part is done.

use std::time::Duration;

use chrono::{DateTime, Datelike, Utc};
use fleet_queue::transitions::enqueue::enqueue_many;
use fleet_queue::{Concurrency, Enqueued, JobId, NewJob, Rare, TenantId, Unique};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use sqlx::{Acquire, PgConnection};

use crate::auth::{Identity, Scope};
use crate::kinds::Kinds;
use crate::problem::Problem;

/// A job to be enqueued. What is left out comes from its kind.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewJobBody {
    /// `family.verb`; GET /v1/kinds lists them.
    kind: String,
    /// What it works on; checked against the kind's schema.
    payload: Value,
    /// Its queue.
    queue: Option<String>,
    /// 0 most urgent to 3 least.
    priority: Option<i16>,
    /// Not before.
    run_at: Option<DateTime<Utc>>,
    /// Not started by then: discarded.
    expires_at: Option<DateTime<Utc>>,
    /// Longest an attempt may run, in milliseconds.
    timeout_ms: Option<u32>,
    /// Attempts before it is discarded.
    max_attempts: Option<i16>,
    /// At most one live job with this key, and what a duplicate does.
    unique: Option<Unique>,
    /// At most so many running with this key.
    concurrency: Option<Concurrency>,
    /// Whose it is; only a key of the platform may name another.
    tenant_id: Option<TenantId>,
    /// Words to find it by.
    #[serde(default)]
    tags: Vec<String>,
    /// What to keep with it.
    metadata: Option<Value>,
    /// W3C trace context of its cause.
    traceparent: Option<String>,
    /// The job that made it.
    parent_id: Option<JobId>,
    /// Its step in a workflow.
    step: Option<String>,
    /// Jobs that must complete first.
    #[serde(default)]
    depends_on: Vec<JobId>,
}

impl NewJobBody {
    /// The job, checked as far as it can be without the database; `traceparent` is the request's own.
    pub(crate) async fn into_job(
        self,
        who: &Identity,
        kinds: &Kinds,
        traceparent: Option<&str>,
    ) -> Result<NewJob, Problem> {
        who.need(Scope::JobsEnqueue)?;
        let kind = kinds.get(&self.kind).await?;
        who.need_kind(&self.kind)?;
        kind.check(&self.payload)?;
        storable("run_at", self.run_at)?;
        storable("expires_at", self.expires_at)?;
        let defaults = &kind.view;
        let timeout_ms = self
            .timeout_ms
            .unwrap_or(defaults.timeout_ms.unsigned_abs());
        let job = NewJob {
            id: JobId::generate(),
            tenant: who.tenant_for(self.tenant_id)?,
            version: defaults.version,
            queue: self.queue.unwrap_or_else(|| defaults.queue.clone()),
            priority: self.priority.unwrap_or(defaults.priority),
            max_attempts: self.max_attempts.unwrap_or(defaults.max_attempts),
            timeout: Duration::from_millis(timeout_ms.into()),
            run_at: self.run_at,
            payload: self.payload,
            kind: self.kind,
            rare: Rare {
                expires_at: self.expires_at,
                unique: self.unique,
                concurrency: self.concurrency,
                tags: self.tags,
                metadata: self.metadata,
                traceparent: self.traceparent.or_else(|| traceparent.map(str::to_owned)),
                parent_id: self.parent_id,
                step: self.step,
                depends_on: self.depends_on,
            },
        };
        job.check()?;
        Ok(job)
    }
}

/// Refuses times that are a slip of the pen rather than a time.
pub(crate) fn storable(field: &'static str, at: Option<DateTime<Utc>>) -> Result<(), Problem> {
    match at {
        Some(at) if !(1970..=9999).contains(&at.year()) => {
            let detail = format!("{field} is {at}, the years 1970 to 9999 are allowed");
            Err(Problem::invalid(field, detail))
        }
        _ => Ok(()),
    }
}

/// Enqueues all that can be, in the caller's transaction; one answer a job, in order.
///
/// Where the database refuses some of them, the batch is halved until what it refuses stands alone: the price follows the number of bad jobs.
pub(crate) async fn enqueue_good_part(
    conn: &mut PgConnection,
    jobs: &[NewJob],
) -> Result<Vec<Result<Enqueued, Problem>>, Problem> {
    let mut answers: Vec<Option<Result<Enqueued, Problem>>> = jobs.iter().map(|_| None).collect();
    let mut parts = vec![(0, jobs.len())];
    while let Some((start, end)) = parts.pop() {
        let mut savepoint = conn.begin().await?;
        match enqueue_many(&mut savepoint, &jobs[start..end]).await {
            Ok(enqueued) => {
                savepoint.commit().await?;
                for (place, answer) in (start..end).zip(enqueued) {
                    answers[place] = Some(Ok(answer));
                }
                continue;
            }
            Err(error) => {
                let problem = Problem::from(error);
                if problem.is_outage() {
                    return Err(problem);
                }
                savepoint.rollback().await?;
                if end - start == 1 {
                    answers[start] = Some(Err(problem));
                    continue;
                }
            }
        }
        let middle = start.midpoint(end);
        parts.push((middle, end));
        parts.push((start, middle));
    }
    Ok(answers.into_iter().flatten().collect())
}
