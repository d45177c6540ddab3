//! What a running handler leaves behind on its way: progress, log lines, finished steps. Upholds I1, I9.
//!
//! Every write proves that the claim still stands; a stale holder writes nothing.

use serde_json::Value;
use sqlx::PgConnection;

use super::claim::Claim;
use super::settle::Settled;
use crate::Error;

/// Largest result of a step, in bytes of JSON.
pub const STEP_BYTES_MAX: usize = 256 << 10;

fn settled(rows: u64) -> Settled {
    match rows {
        0 => Settled::LeaseLost,
        _ => Settled::Recorded,
    }
}

/// Writes how far the job is; whoever looks sees the newest.
pub async fn progress(
    conn: &mut PgConnection,
    claim: &Claim,
    progress: &Value,
) -> Result<Settled, Error> {
    sqlx::query!(
        r#"-- queue.progress
        UPDATE fleet.job SET progress = $4
        WHERE id = $1 AND state = 'running' AND worker_id = $2 AND token = $3  -- I1"#,
        claim.id.0,
        claim.worker.0,
        claim.token,
        progress,
    )
    .execute(conn)
    .await
    .map(|done| settled(done.rows_affected()))
    .map_err(Error::database("queue.progress"))
}

/// A line of a job's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// Its place in the job's log, from 0 in every attempt.
    pub seq: i32,
    /// debug, info, warn or error.
    pub level: &'static str,
    /// The text.
    pub message: String,
}

/// Appends lines to the job's log.
pub async fn log(
    conn: &mut PgConnection,
    claim: &Claim,
    lines: &[LogLine],
) -> Result<Settled, Error> {
    let seqs: Vec<_> = lines.iter().map(|line| line.seq).collect();
    let levels: Vec<_> = lines.iter().map(|line| line.level).collect();
    let messages: Vec<_> = lines.iter().map(|line| line.message.as_str()).collect();
    sqlx::query!(
        r#"-- queue.log
        INSERT INTO fleet.job_log (job_id, tenant_id, at, seq, level, message)
        SELECT j.id, j.tenant_id, fleet.clock(), l.seq, l.level, l.message
        FROM fleet.job j CROSS JOIN unnest($4::integer[], $5::text[], $6::text[]) AS l (seq, level, message)
        WHERE j.id = $1 AND j.state = 'running' AND j.worker_id = $2 AND j.token = $3  -- I1"#,
        claim.id.0,
        claim.worker.0,
        claim.token,
        &seqs,
        &levels as &[&str],
        &messages as &[&str],
    )
    .execute(conn)
    .await
    .map(|done| settled(done.rows_affected()))
    .map_err(Error::database("queue.log"))
}

/// The kept result of a step, if an earlier attempt finished it.
pub async fn finished_step(
    conn: &mut PgConnection,
    claim: &Claim,
    name: &str,
) -> Result<Option<Value>, Error> {
    sqlx::query_scalar!(
        r#"-- queue.finished_step
        SELECT result FROM fleet.job_step WHERE job_id = $1 AND name = $2"#,
        claim.id.0,
        name,
    )
    .fetch_optional(conn)
    .await
    .map_err(Error::database("queue.finished_step"))
}

/// Keeps the result of a step, so that no later attempt runs it again.
pub async fn finish_step(
    conn: &mut PgConnection,
    claim: &Claim,
    name: &str,
    result: &Value,
) -> Result<Settled, Error> {
    sqlx::query!(
        r#"-- queue.finish_step
        INSERT INTO fleet.job_step (job_id, tenant_id, name, result, at)
        SELECT id, tenant_id, $4, $5, fleet.clock() FROM fleet.job
        WHERE id = $1 AND state = 'running' AND worker_id = $2 AND token = $3  -- I1
        ON CONFLICT (job_id, name) DO UPDATE SET result = excluded.result, at = excluded.at"#,
        claim.id.0,
        claim.worker.0,
        claim.token,
        name,
        result,
    )
    .execute(conn)
    .await
    .map(|done| settled(done.rows_affected()))
    .map_err(Error::database("queue.finish_step"))
}
