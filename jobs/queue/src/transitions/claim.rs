//! Claim: hands up to n jobs of a queue to one worker, in one round trip. Upholds I1, I2, I10.
//!
//! The work is `fleet.claim` (migrations), told in ARCHITECTURE.md under "How a claim works".
//! The commit is asynchronous: a claim that a crash of the server loses is only run again, and its token tells the two apart.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::{Acquire, PgConnection};
use uuid::Uuid;

use crate::{Error, JobId, TenantId, WorkerId};

/// The right to settle one job: the fence (I1). Not `Clone`, and made nowhere but here.
#[derive(Debug, PartialEq, Eq)]
pub struct Claim {
    pub(crate) id: JobId,
    pub(crate) worker: WorkerId,
    pub(crate) token: i64,
}

impl Claim {
    /// The job.
    #[must_use]
    pub fn id(&self) -> JobId {
        self.id
    }

    /// The claim's number in its worker's process; with the worker the fence.
    #[must_use]
    pub fn token(&self) -> i64 {
        self.token
    }

    /// The worker that holds it.
    #[must_use]
    pub fn worker(&self) -> WorkerId {
        self.worker
    }
}

/// A job as its worker gets it.
#[derive(Clone, Debug)]
pub struct Claimed {
    /// The job.
    pub id: JobId,
    /// Whose it is.
    pub tenant: TenantId,
    /// Its kind.
    pub kind: String,
    /// Version of its payload.
    pub version: i16,
    /// Its queue.
    pub queue: String,
    /// 0 most urgent to 3 least.
    pub priority: i16,
    /// This attempt, from 1.
    pub attempt: i16,
    /// Attempts before it is discarded.
    pub max_attempts: i16,
    /// How often a worker died with it.
    pub crashes: i16,
    /// How often it was claimed.
    pub claim_no: i32,
    /// Longest this attempt may run.
    pub timeout: Option<Duration>,
    /// When it was due.
    pub run_at: DateTime<Utc>,
    /// When it was enqueued.
    pub created_at: DateTime<Utc>,
    /// When it was claimed, by the database's clock.
    pub started_at: DateTime<Utc>,
    /// The job that made it.
    pub parent_id: Option<JobId>,
    /// Its step in a workflow.
    pub step: Option<String>,
    /// W3C trace context of its cause.
    pub traceparent: Option<String>,
    /// What the caller kept with it.
    pub metadata: Option<Value>,
    /// The payload.
    pub payload: Value,
}

/// Who claims how many of what.
#[derive(Clone, Copy, Debug)]
pub struct ClaimRequest<'a> {
    /// The worker; its lease must be living.
    pub worker: WorkerId,
    /// A number this worker process never used before.
    pub token: i64,
    /// The queue.
    pub queue: &'a str,
    /// At most so many.
    pub limit: usize,
    /// Kinds it serves, and up to which payload version of each.
    pub kinds: &'a [(String, i16)],
}

/// Where a worker's walk around the tenants of a queue stopped, by priority level.
#[derive(Clone, Debug, Default)]
pub struct Turns {
    tenant: [Uuid; 4],
    left: [i32; 4],
}

impl Turns {
    fn note(&mut self, level: i16, row: &Row) {
        let level = usize::try_from(level).expect("levels are 0 to 3");
        self.tenant[level] = row.tenant_id.expect("a turn names its tenant");
        self.left[level] = row.turn_left.unwrap_or(0);
    }
}

/// Claims, most urgent and oldest first; moves `turns` on, so that the next claim goes on with the next tenant.
pub async fn claim(
    conn: &mut PgConnection,
    request: ClaimRequest<'_>,
    turns: &mut Turns,
) -> Result<Vec<(Claim, Claimed)>, Error> {
    let (kinds, versions): (Vec<&str>, Vec<i16>) = request
        .kinds
        .iter()
        .map(|(kind, version)| (kind.as_str(), *version))
        .unzip();
    let rows = sqlx::query_as!(
        Row,
        r#"-- queue.claim
        WITH quick AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true))
        SELECT c.id, c.tenant_id, c.kind, c.version, c.queue, c.priority, c.attempt, c.max_attempts, c.crashes, c.claim_no, c.timeout_ms,
            c.run_at, c.created_at, c.started_at, c.parent_id, c.step, c.traceparent, c.metadata, c.payload, c.level, c.turn_left
        FROM quick CROSS JOIN LATERAL fleet.claim($1, $2, $3, $4, $5, $6, $7, $8) c"#,
        request.worker.0,
        request.token,
        request.queue,
        i32::try_from(request.limit).unwrap_or(i32::MAX),
        &kinds as &[&str],
        &versions,
        &turns.tenant,
        &turns.left,
    )
    .fetch_all(conn)
    .await
    .map_err(|source| refused(request.worker, source))?;

    let mut jobs = Vec::with_capacity(rows.len());
    for row in rows {
        match row.level {
            Some(level) => turns.note(level, &row),
            None => jobs.push(row.into_job(&request)),
        }
    }
    jobs.sort_by_key(|(_, job)| (job.priority, job.run_at, job.id));
    Ok(jobs)
}

/// What the function gives: a job, or (with a level) where the walk stopped.
struct Row {
    id: Option<Uuid>,
    tenant_id: Option<Uuid>,
    kind: Option<String>,
    version: Option<i16>,
    queue: Option<String>,
    priority: Option<i16>,
    attempt: Option<i16>,
    max_attempts: Option<i16>,
    crashes: Option<i16>,
    claim_no: Option<i32>,
    timeout_ms: Option<i32>,
    run_at: Option<DateTime<Utc>>,
    created_at: Option<DateTime<Utc>>,
    started_at: Option<DateTime<Utc>>,
    parent_id: Option<Uuid>,
    step: Option<String>,
    traceparent: Option<String>,
    metadata: Option<Value>,
    payload: Option<Value>,
    level: Option<i16>,
    turn_left: Option<i32>,
}

impl Row {
    fn into_job(self, request: &ClaimRequest<'_>) -> (Claim, Claimed) {
        let column = "a claimed row has every NOT NULL column";
        let id = JobId(self.id.expect(column));
        let claimed = Claimed {
            id,
            tenant: TenantId(self.tenant_id.expect(column)),
            kind: self.kind.expect(column),
            version: self.version.expect(column),
            queue: self.queue.expect(column),
            priority: self.priority.expect(column),
            attempt: self.attempt.expect(column),
            max_attempts: self.max_attempts.expect(column),
            crashes: self.crashes.expect(column),
            claim_no: self.claim_no.expect(column),
            timeout: self
                .timeout_ms
                .map(|ms| Duration::from_millis(ms.unsigned_abs().into())),
            run_at: self.run_at.expect(column),
            created_at: self.created_at.expect(column),
            started_at: self.started_at.expect(column),
            parent_id: self.parent_id.map(JobId),
            step: self.step,
            traceparent: self.traceparent,
            metadata: self.metadata,
            payload: self.payload.expect(column),
        };
        (
            Claim {
                id,
                worker: request.worker,
                token: request.token,
            },
            claimed,
        )
    }
}

/// Gives back what a claim call took whose answer never came: nobody knows of those jobs, so nobody would ever settle them (I3).
///
/// It waits for the queue's lock, so that a call that is still under way is over before it looks.
pub async fn give_back(
    conn: &mut PgConnection,
    worker: WorkerId,
    queue: &str,
    token: i64,
) -> Result<usize, Error> {
    let failed = Error::database;
    let verb = "queue.give_back_claim";
    let mut tx = conn.begin().await.map_err(failed(verb))?;
    // A statement of its own: the next one's snapshot must be younger than the end of the wait.
    sqlx::query!(
        r#"-- queue.await_claims
        SELECT pg_advisory_xact_lock(hashtext('fleet.queue'), hashtext($1))"#,
        queue,
    )
    .fetch_one(&mut *tx)
    .await
    .map_err(failed(verb))?;
    let back = sqlx::query_scalar!(
        r#"-- queue.give_back_claim
        SELECT fleet.return_jobs(array_agg(id), array_agg(worker_id), array_agg(token), NULL, array_agg('interrupted'::text)) AS "back!"
        FROM fleet.job WHERE shelf = 0 AND state = 'running' AND worker_id = $1 AND token = $2
        HAVING count(*) > 0"#,
        worker.0,
        token,
    )
    .fetch_optional(&mut *tx)
    .await
    .map_err(failed(verb))?;
    tx.commit().await.map_err(failed(verb))?;
    Ok(back.unwrap_or_default().len())
}

fn refused(worker: WorkerId, source: sqlx::Error) -> Error {
    match &source {
        sqlx::Error::Database(error) if error.code().as_deref() == Some("FL010") => {
            Error::LeaseLost(worker)
        }
        _ => Error::Database {
            verb: "queue.claim",
            source,
        },
    }
}
