//! Renew: a worker says that it lives, and hears what it must know. Upholds I1, I2, I11.
//!
//! One row a process, whatever it runs. All times are the database's.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::claim::Claim;
use crate::{Error, JobId, WorkerId};

/// What a worker tells about itself when it renews.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pulse {
    /// Handlers running.
    pub running: i32,
    /// Share of one core it used, over its last sampling interval.
    pub cpu: f32,
    /// Resident memory.
    pub memory_bytes: i64,
}

/// What a worker hears.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Renewed {
    /// Somebody asked it to stop taking jobs.
    pub drain: bool,
    /// Running jobs whose cancellation was asked for, with the token of the claim that is meant.
    pub cancel: Vec<(JobId, i64)>,
    /// When the server started; another time than before means that it was restarted or replaced.
    pub server_started_at: Option<DateTime<Utc>>,
}

/// Extends the lease; refused once it ran out, because the jobs may be running elsewhere then.
pub async fn renew(
    conn: &mut PgConnection,
    worker: WorkerId,
    ttl: Duration,
    pulse: Pulse,
) -> Result<Renewed, Error> {
    let row = sqlx::query!(
        r#"-- queue.renew
        WITH renewed AS (
            UPDATE fleet.worker
            SET renewed_at = fleet.clock(), lease_until = fleet.clock() + make_interval(secs => $2), running = $3, cpu = $4, memory_bytes = $5
            WHERE id = $1 AND ended_at IS NULL
            RETURNING draining
        ), signals AS (
            DELETE FROM fleet.cancel_signal WHERE worker_id = $1 RETURNING job_id, token
        )
        SELECT r.draining, pg_postmaster_start_time() AS server_started_at, COALESCE(s.jobs, '{}') AS "jobs!", COALESCE(s.tokens, '{}') AS "tokens!"
        FROM renewed r, (SELECT array_agg(job_id) AS jobs, array_agg(token) AS tokens FROM signals) s"#,
        worker.0,
        ttl.as_secs_f64(),
        pulse.running,
        pulse.cpu,
        pulse.memory_bytes,
    )
    .fetch_optional(conn)
    .await
    .map_err(Error::database("queue.renew"))?
    .ok_or(Error::LeaseLost(worker))?;
    let cancel = row.jobs.into_iter().map(JobId).zip(row.tokens).collect();
    Ok(Renewed {
        drain: row.draining,
        cancel,
        server_started_at: row.server_started_at,
    })
}

/// Which of a worker's claims still stand; for after a reconnect to a server that was restarted or replaced,
/// where a claim's asynchronous commit may have been lost.
pub async fn standing(
    conn: &mut PgConnection,
    worker: WorkerId,
    claims: &[(JobId, i64)],
) -> Result<Vec<JobId>, Error> {
    let reviewed = review(conn, worker, claims).await?;
    Ok(reviewed.into_iter().map(|(id, _)| id).collect())
}

/// The claims that still stand, and whether their cancellation was asked for: a signal is lost with the answer to a renewal.
pub async fn review(
    conn: &mut PgConnection,
    worker: WorkerId,
    claims: &[(JobId, i64)],
) -> Result<Vec<(JobId, bool)>, Error> {
    let ids: Vec<_> = claims.iter().map(|(id, _)| id.0).collect();
    let tokens: Vec<_> = claims.iter().map(|(_, token)| *token).collect();
    let standing = sqlx::query!(
        r#"-- queue.review
        SELECT j.id, j.cancel_requested_at IS NOT NULL AS "cancel!"
        FROM fleet.job j JOIN unnest($2::uuid[], $3::bigint[]) AS c (id, token) ON c.id = j.id
        WHERE j.state = 'running' AND j.worker_id = $1 AND j.token = c.token"#,
        worker.0,
        &ids,
        &tokens,
    )
    .fetch_all(conn)
    .await
    .map_err(Error::database("queue.review"))?;
    Ok(standing
        .into_iter()
        .map(|row| (JobId(row.id), row.cancel))
        .collect())
}

/// True while this one claim stands; locks its row, so that it goes on standing until the transaction ends.
pub async fn hold(conn: &mut PgConnection, claim: &Claim) -> Result<bool, Error> {
    let row = sqlx::query_scalar!(
        r#"-- queue.hold
        SELECT true AS "holds!" FROM fleet.job
        WHERE id = $1 AND state = 'running' AND worker_id = $2 AND token = $3  -- I1
        FOR UPDATE"#,
        claim.id.0,
        claim.worker.0,
        claim.token,
    )
    .fetch_optional(conn)
    .await
    .map_err(Error::database("queue.hold"))?;
    Ok(row.is_some())
}
