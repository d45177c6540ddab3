//! Rescue: takes the jobs of workers whose lease ran out. Upholds I2, I4, I8, I11.
//!
//! Any process, any time; a dead worker's row is locked by one of them, which ends the worker first and only then takes its jobs:
//! a claim of the worker either committed before (and its jobs are taken) or finds the worker ended.
//! After a start of the server every lease gets its full length again, because nobody could renew while it was down.

use std::time::Duration;

use sqlx::{Acquire, PgConnection};
use uuid::Uuid;

use super::leave::{End, Fence, Return, end, give_back};
use crate::{Error, JobState};

const VERB: &str = "queue.rescue";
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
    let mut tx = conn.begin().await.map_err(Error::database(VERB))?;
    shorten_leases(&mut tx, lease_ttl).await?;
    let dead = sqlx::query_scalar!(
        r#"-- queue.rescue_workers
        UPDATE fleet.worker SET ended_at = fleet.clock(), end_reason = 'lease expired', running = 0
        WHERE id IN (
            SELECT id FROM fleet.worker
            WHERE ended_at IS NULL AND fleet.lease_end(lease_until, make_interval(secs => $1)) < fleet.clock()
            ORDER BY id FOR UPDATE SKIP LOCKED)
        RETURNING id"#,
        lease_ttl.as_secs_f64(),
    )
    .fetch_all(&mut *tx)
    .await
    .map_err(Error::database(VERB))?;
    let rescued = take_jobs(&mut tx, &dead, "crashed").await?;
    tx.commit().await.map_err(Error::database(VERB))?;
    Ok(rescued)
}

/// Where the clock went back, a lease renewed before would seem to run on until the clock is there again: it runs one term from now.
async fn shorten_leases(conn: &mut PgConnection, lease_ttl: Duration) -> Result<(), Error> {
    sqlx::query!(
        r#"-- queue.shorten_leases
        UPDATE fleet.worker SET renewed_at = fleet.clock(), lease_until = fleet.clock() + make_interval(secs => $1)
        WHERE ended_at IS NULL AND renewed_at > fleet.clock()"#,
        lease_ttl.as_secs_f64(),
    )
    .execute(conn)
    .await
    .map_err(Error::database(VERB))?;
    Ok(())
}

/// A look without a lock, so that the usual round, which finds nobody, writes nothing.
async fn anybody_late(conn: &mut PgConnection, lease_ttl: Duration) -> Result<bool, Error> {
    sqlx::query_scalar!(
        r#"-- queue.anybody_late
        SELECT EXISTS (SELECT FROM fleet.worker
            WHERE ended_at IS NULL AND (renewed_at > fleet.clock() OR fleet.lease_end(lease_until, make_interval(secs => $1)) < fleet.clock())) AS "late!""#,
        lease_ttl.as_secs_f64(),
    )
    .fetch_one(conn)
    .await
    .map_err(Error::database(VERB))
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
    let held = hold_jobs(conn, ended_workers, event).await?;
    let (spent, rest): (Vec<_>, Vec<_>) = held.into_iter().partition(|(_, spent)| *spent);
    let returns = rest.into_iter().map(|(fence, _)| Return {
        fence,
        after: None,
        event,
    });
    let ends = spent.into_iter().map(|(fence, _)| End {
        fence,
        state: JobState::Discarded,
        reason: Some("crash loop"),
        output: None,
    });
    let returned = give_back(conn, VERB, &returns.collect::<Vec<_>>()).await?;
    let discarded = end(conn, VERB, &ends.collect::<Vec<_>>()).await?;
    Ok(Rescued {
        workers: ended_workers.len(),
        returned: returned.len(),
        discarded: discarded.len(),
    })
}

/// Locks the jobs and records the attempt that ended so; says of each whether its crashes are used up.
async fn hold_jobs(
    conn: &mut PgConnection,
    ended_workers: &[Uuid],
    event: &str,
) -> Result<Vec<(Fence, bool)>, Error> {
    let rows = sqlx::query!(
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
        )
        SELECT id, worker_id AS "worker!", token AS "token!", spent AS "spent!" FROM held"#,
        ended_workers,
        i32::from(CRASH_BUDGET),
        event == "crashed",
        event,
    )
    .fetch_all(conn)
    .await
    .map_err(Error::database(VERB))?;
    let fenced = rows.into_iter().map(|row| {
        let fence = Fence {
            job: row.id,
            worker: row.worker,
            token: row.token,
        };
        (fence, row.spent)
    });
    Ok(fenced.collect())
}
