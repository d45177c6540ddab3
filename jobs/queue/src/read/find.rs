//! One job, live or ended, with everything that is told of it.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::PgConnection;

use crate::{Error, JobId, JobState, TenantId, WorkerId};

/// A job, live or ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct JobDetail {
    /// Its id.
    pub id: JobId,
    /// `family.verb`.
    pub kind: String,
    /// Version of its payload.
    pub version: i16,
    /// Its queue.
    pub queue: String,
    /// Whose it is.
    pub tenant_id: TenantId,
    /// Where it stands.
    pub state: JobState,
    /// 0 most urgent to 3 least.
    pub priority: i16,
    /// Attempts begun that count.
    pub attempt: i16,
    /// Attempts before it is discarded.
    pub max_attempts: i16,
    /// How often a worker died with it.
    pub crashes: i16,
    /// How often it put itself off.
    pub snoozes: i32,
    /// How often it was claimed, for whatever reason.
    pub claim_no: i32,
    /// The newest attempt's error; none once it completed.
    pub error: Option<String>,
    /// What it returned.
    pub output: Option<Value>,
    /// How far it is, as it said last.
    pub progress: Option<Value>,
    /// Why it ended so, where it did not simply complete.
    pub reason: Option<String>,
    /// When it was enqueued.
    pub created_at: DateTime<Utc>,
    /// Not before.
    pub run_at: DateTime<Utc>,
    /// Not started by then: discarded.
    pub expires_at: Option<DateTime<Utc>>,
    /// When its newest attempt began.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
    /// Longest an attempt may run.
    pub timeout_ms: Option<i32>,
    /// The worker that runs it, or ran it last.
    pub worker_id: Option<WorkerId>,
    /// When its cancellation was asked for, while it still runs.
    pub cancel_requested_at: Option<DateTime<Utc>>,
    /// At most one live job has the same.
    pub unique_key: Option<String>,
    /// At most `concurrency_limit` run that have the same.
    pub concurrency_key: Option<String>,
    /// See `concurrency_key`.
    pub concurrency_limit: Option<i16>,
    /// Dependencies that have not completed yet.
    pub blockers: i32,
    /// The job that made it.
    pub parent_id: Option<JobId>,
    /// Its step in a workflow.
    pub step: Option<String>,
    /// W3C trace context of its cause.
    pub traceparent: Option<String>,
    /// Words to find it by.
    pub tags: Vec<String>,
    /// What the caller kept with it.
    pub metadata: Option<Value>,
    /// What it works on.
    pub payload: Value,
}

/// The state of a job; `None` where there is no such job, or none the session may see.
pub async fn find_state(conn: &mut PgConnection, id: JobId) -> Result<Option<JobState>, Error> {
    sqlx::query_scalar!(
        r#"-- read.find_state
        SELECT state::text AS "state!: JobState" FROM fleet.job WHERE id = $1
        UNION ALL SELECT state::text FROM fleet.job_history WHERE id = $1 LIMIT 1"#,
        id.0,
    )
    .fetch_optional(conn)
    .await
    .map_err(Error::database("read.find_state"))
}

/// A job with its last error, output and progress; `None` where there is none the session may see.
pub async fn find_job(conn: &mut PgConnection, id: JobId) -> Result<Option<JobDetail>, Error> {
    // The last error and the output are looked up only for the one row found.
    sqlx::query_as!(
        JobDetail,
        r#"-- read.find_job
        SELECT j.*,
            (SELECT a.error FROM fleet.attempt a WHERE a.job_id = $1 AND a.error IS NOT NULL AND j."state!: JobState" <> 'completed' ORDER BY a.ended_at DESC LIMIT 1) AS error,
            (SELECT o.output FROM fleet.job_output o WHERE o.job_id = $1 AND j.finished_at IS NOT NULL ORDER BY o.at DESC LIMIT 1) AS output
        FROM (
            SELECT id AS "id!: JobId", kind AS "kind!", version AS "version!", queue AS "queue!", tenant_id AS "tenant_id!: TenantId",
                state::text AS "state!: JobState", priority AS "priority!", attempt AS "attempt!", max_attempts AS "max_attempts!", crashes AS "crashes!",
                snoozes AS "snoozes!", claim_no AS "claim_no!", progress, NULL::text AS reason, created_at AS "created_at!", run_at AS "run_at!", expires_at,
                started_at, NULL::timestamptz AS finished_at, timeout_ms, worker_id AS "worker_id: WorkerId", cancel_requested_at, unique_key,
                concurrency_key, concurrency_limit, blockers AS "blockers!", parent_id AS "parent_id: JobId", step, traceparent,
                COALESCE(tags, '{}') AS "tags!", metadata, payload AS "payload!"
            FROM fleet.job WHERE id = $1
            UNION ALL
            SELECT id, kind, version, queue, tenant_id,
                state::text, priority, attempt, max_attempts, crashes,
                snoozes, claim_no, NULL, reason, created_at, run_at, expires_at,
                started_at, finished_at, timeout_ms, worker_id, NULL, unique_key,
                concurrency_key, concurrency_limit, 0, parent_id, step, traceparent,
                COALESCE(tags, '{}'), metadata, payload
            FROM fleet.job_history WHERE id = $1
            LIMIT 1) j"#,
        id.0,
    )
    .fetch_optional(conn)
    .await
    .map_err(Error::database("read.find_job"))
}
