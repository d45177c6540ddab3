//! What hangs on a job: its attempts, its log, its finished steps. Each list is bounded by what a job may write, or by a limit.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{Error, JobId, WorkerId};

/// An attempt that did not simply succeed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AttemptRow {
    /// Which attempt, from 1.
    pub attempt: i16,
    /// Which claim, from 1; crashes and snoozes share their attempt's number, never their claim's.
    pub claim_no: i32,
    /// failed, timed_out, panicked, crashed, snoozed, interrupted, cancelled or discarded.
    pub outcome: String,
    /// What went wrong.
    pub error: Option<String>,
    /// The same for alike errors.
    pub fingerprint: Option<String>,
    /// Where it ran.
    pub worker_id: Option<WorkerId>,
    /// When it began.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub ended_at: DateTime<Utc>,
}

/// A line of a job's log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LogRow {
    /// When it was written.
    pub at: DateTime<Utc>,
    /// Its place in its attempt, from 0.
    pub seq: i32,
    /// debug, info, warn or error.
    pub level: String,
    /// The text.
    pub message: String,
}

/// A finished step of a job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StepRow {
    /// Its name.
    pub name: String,
    /// What it returned.
    pub result: Value,
    /// When it was finished.
    pub at: DateTime<Utc>,
}

/// The newest `limit` attempts of a job, newest first.
pub async fn find_attempts(
    conn: &mut PgConnection,
    id: JobId,
    limit: i64,
) -> Result<Vec<AttemptRow>, Error> {
    sqlx::query_as!(
        AttemptRow,
        r#"-- read.find_attempts
        SELECT attempt, claim_no, outcome, error, fingerprint, worker_id AS "worker_id: WorkerId", started_at, ended_at
        FROM fleet.attempt WHERE job_id = $1
        ORDER BY ended_at DESC, claim_no DESC LIMIT $2"#,
        id.0,
        limit,
    )
    .fetch_all(conn)
    .await
    .map_err(Error::database("read.find_attempts"))
}

/// The newest `limit` lines of a job's log, in the order of their writing.
pub async fn find_logs(
    conn: &mut PgConnection,
    id: JobId,
    limit: i64,
) -> Result<Vec<LogRow>, Error> {
    let mut lines = sqlx::query_as!(
        LogRow,
        r#"-- read.find_logs
        SELECT at, seq, level, message FROM fleet.job_log WHERE job_id = $1
        ORDER BY at DESC, seq DESC LIMIT $2"#,
        id.0,
        limit,
    )
    .fetch_all(conn)
    .await
    .map_err(Error::database("read.find_logs"))?;
    lines.reverse();
    Ok(lines)
}

/// The finished steps of a job, in the order of their finishing.
pub async fn find_steps(conn: &mut PgConnection, id: JobId) -> Result<Vec<StepRow>, Error> {
    sqlx::query_as!(
        StepRow,
        r#"-- read.find_steps
        SELECT name, result, at FROM fleet.job_step WHERE job_id = $1
        ORDER BY at, name LIMIT 1000"#,
        id.0,
    )
    .fetch_all(conn)
    .await
    .map_err(Error::database("read.find_steps"))
}

/// Which of these jobs still live: one look for any number of waiters, on the small table only.
pub async fn unfinished(conn: &mut PgConnection, ids: &[Uuid]) -> Result<Vec<Uuid>, Error> {
    sqlx::query_scalar!(
        r#"-- read.unfinished
        SELECT id FROM fleet.job WHERE id = ANY ($1)"#,
        ids,
    )
    .fetch_all(conn)
    .await
    .map_err(Error::database("read.unfinished"))
}
