//! Rescue: takes the jobs of workers whose lease ran out. Upholds I2, I4, I8, I11.
//!
//! Any process, any time; a dead worker's row is locked by one of them, which ends the worker first and only then takes its jobs:
//! a claim of the worker either committed before (and its jobs are taken) or finds the worker ended.
//! After a start of the server every lease gets its full length again, because nobody could renew while it was down.

use std::time::Duration;

use sqlx::{Acquire, PgConnection};
use uuid::Uuid;

use crate::Error;

/// Crashes after which a job is given up: it, and not its workers' luck, is the likely cause.
pub const CRASH_BUDGET: i16 = 3;

/// What one round did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rescued {
    /// Workers found dead.
    pub workers: usize,
    /// Jobs given back, to run elsewhere.
    pub returned: usize,
    /// Jobs given up after their third crash.
    pub discarded: usize,
}

/// Ends the workers whose lease ran out and takes their jobs.
pub async fn rescue(conn: &mut PgConnection, lease_ttl: Duration) -> Result<Rescued, Error> {
    if !anybody_late(conn, lease_ttl).await? {
        return Ok(Rescued::default());
    }
    let mut tx = conn
        .begin()
        .await
        .map_err(Error::database("queue.rescue"))?;
    let dead = sqlx::query_scalar!(
        r#"-- queue.rescue_workers
        UPDATE fleet.worker SET ended_at = fleet.clock(), end_reason = 'lease expired', running = 0
        WHERE id IN (
            SELECT id FROM fleet.worker
            WHERE ended_at IS NULL AND GREATEST(lease_until, pg_postmaster_start_time() + make_interval(secs => $1)) < fleet.clock()
            ORDER BY id FOR UPDATE SKIP LOCKED)
        RETURNING id"#,
        lease_ttl.as_secs_f64(),
    )
    .fetch_all(&mut *tx)
    .await
    .map_err(Error::database("queue.rescue"))?;
    let rescued = take_jobs(&mut tx, &dead, "crashed").await?;
    tx.commit().await.map_err(Error::database("queue.rescue"))?;
    Ok(rescued)
}

/// A look without a lock, so that the usual round, which finds nobody, writes nothing.
async fn anybody_late(conn: &mut PgConnection, lease_ttl: Duration) -> Result<bool, Error> {
    sqlx::query_scalar!(
        r#"-- queue.anybody_late
        SELECT EXISTS (SELECT FROM fleet.worker
            WHERE ended_at IS NULL AND GREATEST(lease_until, pg_postmaster_start_time() + make_interval(secs => $1)) < fleet.clock()) AS "late!""#,
        lease_ttl.as_secs_f64(),
    )
    .fetch_one(conn)
    .await
    .map_err(Error::database("queue.rescue"))
}

/// Gives back, or up, every job that the ended workers held; `event` is crashed or interrupted.
pub(crate) async fn take_jobs(
    conn: &mut PgConnection,
    ended_workers: &[Uuid],
    event: &'static str,
) -> Result<Rescued, Error> {
    if ended_workers.is_empty() {
        return Ok(Rescued::default());
    }
    let crashed = event == "crashed";
    let row = sqlx::query!(
        r#"-- queue.take_jobs
        WITH held AS (
            SELECT j.id, j.worker_id, j.token, j.tenant_id, j.kind, j.attempt, j.claim_no, j.started_at,
                ($3 AND j.crashes + 1 >= $2) AS spent
            FROM fleet.job j WHERE j.shelf = 0 AND j.state = 'running' AND j.worker_id = ANY ($1)
            FOR UPDATE
        ), recorded AS (
            INSERT INTO fleet.attempt (job_id, tenant_id, kind, attempt, claim_no, outcome, error, worker_id, started_at, ended_at)
            SELECT id, tenant_id, kind, attempt, claim_no, $4, CASE WHEN $3 THEN 'the worker died: its lease ran out while it held the job' END, worker_id, started_at, fleet.clock()
            FROM held
        ), counted AS (
            -- A spent job leaves with its last crash counted (I4).
            UPDATE fleet.job j SET crashes = j.crashes + 1, attempt = j.attempt - 1 FROM held h WHERE h.spent AND j.id = h.id
            RETURNING j.id, j.worker_id, j.token
        )
        SELECT
            COALESCE((SELECT array_agg(id) FROM held WHERE NOT spent), '{}') AS "back!", COALESCE((SELECT array_agg(worker_id) FROM held WHERE NOT spent), '{}') AS "back_workers!",
            COALESCE((SELECT array_agg(token) FROM held WHERE NOT spent), '{}') AS "back_tokens!",
            COALESCE((SELECT array_agg(id) FROM counted), '{}') AS "spent!", COALESCE((SELECT array_agg(worker_id) FROM counted), '{}') AS "spent_workers!",
            COALESCE((SELECT array_agg(token) FROM counted), '{}') AS "spent_tokens!""#,
        ended_workers,
        i32::from(CRASH_BUDGET),
        crashed,
        event,
    )
    .fetch_one(&mut *conn)
    .await
    .map_err(Error::database("queue.rescue"))?;
    let returned = give_back(conn, &row.back, &row.back_workers, &row.back_tokens, event).await?;
    let discarded = give_up(conn, &row.spent, &row.spent_workers, &row.spent_tokens).await?;
    Ok(Rescued {
        workers: ended_workers.len(),
        returned,
        discarded,
    })
}

async fn give_back(
    conn: &mut PgConnection,
    ids: &[Uuid],
    workers: &[Uuid],
    tokens: &[i64],
    event: &str,
) -> Result<usize, Error> {
    if ids.is_empty() {
        return Ok(0);
    }
    let back = sqlx::query_scalar!(
        r#"-- queue.rescue_return
        SELECT fleet.return_jobs($1, $2, $3, NULL, array_fill($4::text, ARRAY[cardinality($1::uuid[])])) AS "back!""#,
        ids,
        workers,
        tokens,
        event,
    )
    .fetch_one(conn)
    .await
    .map_err(Error::database("queue.rescue"))?;
    Ok(back.len())
}

async fn give_up(
    conn: &mut PgConnection,
    ids: &[Uuid],
    workers: &[Uuid],
    tokens: &[i64],
) -> Result<usize, Error> {
    if ids.is_empty() {
        return Ok(0);
    }
    let ended = sqlx::query_scalar!(
        r#"-- queue.rescue_discard
        SELECT fleet.end_jobs($1, $2, $3, array_fill('discarded'::fleet.job_state, ARRAY[cardinality($1::uuid[])]),
            array_fill('crash loop'::text, ARRAY[cardinality($1::uuid[])]), NULL) AS "ended!""#,
        ids,
        workers,
        tokens,
    )
    .fetch_one(conn)
    .await
    .map_err(Error::database("queue.rescue"))?;
    Ok(ended.len())
}
