//! Loads the facts from the database of a run, after it.

use chrono::{DateTime, Utc};
use fleet_queue::JobId;
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

use crate::facts::{AttemptFact, EffectFact, Facts, JobFact, ScheduleFact, TickFact};

/// Why there are no facts.
#[derive(Debug, thiserror::Error)]
#[error("could not read {what} from the database to compare with")]
pub struct LoadError {
    what: &'static str,
    source: sqlx::Error,
}

fn failed(what: &'static str) -> impl FnOnce(sqlx::Error) -> LoadError {
    move |source| LoadError { what, source }
}

/// The tables must agree with one another.
const ONE_MOMENT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// Everything the rules compare with, as it was at one moment.
pub async fn load(conn: &mut PgConnection) -> Result<Facts, LoadError> {
    let mut tx = conn
        .begin_with(ONE_MOMENT)
        .await
        .map_err(failed("anything"))?;
    see_all(&mut tx).await?;
    let facts = Facts {
        jobs: jobs(&mut tx).await?,
        attempts: attempts(&mut tx).await?,
        effects: effects(&mut tx).await?,
        ticks: ticks(&mut tx).await?,
        schedules: schedules(&mut tx).await?,
        orphans: orphans(&mut tx).await?,
        dead_workers: dead_workers(&mut tx).await?,
        miscounts: miscounts(&mut tx).await?,
    };
    tx.rollback().await.map_err(failed("anything"))?;
    Ok(facts)
}

/// Every tenant's rows, however long that takes.
async fn see_all(conn: &mut PgConnection) -> Result<(), LoadError> {
    sqlx::query!(
        r#"-- check.see_all
        SELECT set_config('fleet.tenant', '*', true) AS tenant, set_config('statement_timeout', '0', true) AS timeout"#
    )
    .fetch_one(conn)
    .await
    .map_err(failed("anything"))?;
    Ok(())
}

struct JobRow {
    id: Uuid,
    kind: String,
    state: String,
    live: bool,
    reason: Option<String>,
    attempt: i16,
    max_attempts: i16,
    crashes: i16,
    snoozes: i32,
    claim_no: i32,
    worker_id: Option<Uuid>,
    schedule: Option<Uuid>,
    tick_at: Option<DateTime<Utc>>,
    cause: Option<String>,
}

async fn jobs(conn: &mut PgConnection) -> Result<Vec<JobFact>, LoadError> {
    let rows = sqlx::query_as!(
        JobRow,
        r#"-- check.jobs
        SELECT id AS "id!", kind AS "kind!", state::text AS "state!", true AS "live!", NULL AS reason, attempt AS "attempt!", max_attempts AS "max_attempts!",
            crashes AS "crashes!", snoozes AS "snoozes!", claim_no AS "claim_no!", worker_id,
            (metadata->'schedule'->>'id')::uuid AS schedule, (metadata->'schedule'->>'tick_at')::timestamptz AS tick_at, metadata->'schedule'->>'cause' AS cause
        FROM fleet.job
        UNION ALL
        SELECT id, kind, state::text, false, reason, attempt, max_attempts, crashes, snoozes, claim_no, worker_id,
            (metadata->'schedule'->>'id')::uuid, (metadata->'schedule'->>'tick_at')::timestamptz, metadata->'schedule'->>'cause'
        FROM fleet.job_history"#
    )
    .fetch_all(conn)
    .await
    .map_err(failed("the jobs"))?;
    let fact = |row: JobRow| JobFact {
        id: row.id,
        kind: row.kind,
        state: row.state,
        live: row.live,
        reason: row.reason,
        attempt: row.attempt,
        max_attempts: row.max_attempts,
        crashes: row.crashes,
        snoozes: row.snoozes,
        claim_no: row.claim_no,
        worker: row.worker_id,
        tick: (row.cause.as_deref() == Some("time"))
            .then(|| row.schedule.zip(row.tick_at))
            .flatten(),
    };
    Ok(rows.into_iter().map(fact).collect())
}

async fn attempts(conn: &mut PgConnection) -> Result<Vec<AttemptFact>, LoadError> {
    sqlx::query_as!(
        AttemptFact,
        r#"-- check.attempts
        SELECT job_id AS job, outcome FROM fleet.attempt"#
    )
    .fetch_all(conn)
    .await
    .map_err(failed("the attempts"))
}

async fn effects(conn: &mut PgConnection) -> Result<Vec<EffectFact>, LoadError> {
    sqlx::query_as!(
        EffectFact,
        r#"-- check.effects
        SELECT key, job_id AS job FROM fleet.diagnostic_effect"#
    )
    .fetch_all(conn)
    .await
    .map_err(failed("the effects"))
}

async fn ticks(conn: &mut PgConnection) -> Result<Vec<TickFact>, LoadError> {
    sqlx::query_as!(
        TickFact,
        r#"-- check.ticks
        SELECT schedule_id AS schedule, tick_at, job_id AS job FROM fleet.schedule_tick
        WHERE cause = 'time' ORDER BY schedule_id, tick_at"#
    )
    .fetch_all(conn)
    .await
    .map_err(failed("the ticks"))
}

async fn schedules(conn: &mut PgConnection) -> Result<Vec<ScheduleFact>, LoadError> {
    sqlx::query_as!(
        ScheduleFact,
        r#"-- check.schedules
        SELECT id, name AS "name!", definition, missed_count AS missed, (revision = 1 OR revision = 2 AND paused_at IS NOT NULL) AS "steady!" FROM fleet.schedule"#
    )
    .fetch_all(conn)
    .await
    .map_err(failed("the schedules"))
}

async fn orphans(conn: &mut PgConnection) -> Result<Vec<JobId>, LoadError> {
    let ids = sqlx::query_scalar!(
        r#"-- check.orphans
        SELECT j.id FROM fleet.job j
        WHERE j.state = 'running' AND NOT EXISTS (SELECT FROM fleet.worker w WHERE w.id = j.worker_id AND w.ended_at IS NULL)"#
    )
    .fetch_all(conn)
    .await
    .map_err(failed("the running jobs"))?;
    Ok(ids.into_iter().map(JobId).collect())
}

async fn dead_workers(conn: &mut PgConnection) -> Result<usize, LoadError> {
    let dead = sqlx::query_scalar!(
        r#"-- check.dead_workers
        SELECT count(*) AS "n!" FROM fleet.worker WHERE end_reason = 'lease expired'"#
    )
    .fetch_one(conn)
    .await
    .map_err(failed("the workers"))?;
    Ok(usize::try_from(dead).unwrap_or(0))
}

async fn miscounts(conn: &mut PgConnection) -> Result<Vec<(String, i64, i64)>, LoadError> {
    let rows = sqlx::query!(
        r#"-- check.miscounts
        WITH counted AS (
            SELECT queue, sum(CASE event WHEN 'enqueued' THEN n WHEN 'completed' THEN -n WHEN 'cancelled' THEN -n WHEN 'discarded' THEN -n ELSE 0 END)::bigint AS n
            FROM (SELECT queue, event, n::bigint FROM fleet.flow UNION ALL SELECT queue, event, n FROM fleet.total) f GROUP BY queue
        ), present AS (SELECT queue, count(*) AS n FROM fleet.job GROUP BY queue)
        SELECT queue AS "queue!", COALESCE(c.n, 0) AS "counted!", COALESCE(p.n, 0) AS "present!"
        FROM counted c FULL JOIN present p USING (queue) WHERE COALESCE(c.n, 0) <> COALESCE(p.n, 0)"#
    )
    .fetch_all(conn)
    .await
    .map_err(failed("the totals"))?;
    let rows = rows.into_iter();
    Ok(rows
        .map(|row| (row.queue, row.counted, row.present))
        .collect())
}
