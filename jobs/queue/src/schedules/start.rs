//! Starts ticks of one schedule: writes them down and enqueues their jobs. Upholds I6, I7.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::Definition;
use super::definition::{JobOfTick, KindDefaults, invalid};
use super::overlap::{Decision, LIVE_MAX, Overlap};
use crate::transitions::cancel::{Cancelled, cancel};
use crate::transitions::enqueue::enqueue_many;
use crate::{EnqueueOutcome, Error, JobId, TenantId, WorkerId};

/// A tick and its job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FiredTick {
    /// The schedule's name.
    pub schedule: String,
    /// The tick.
    pub tick_at: DateTime<Utc>,
    /// The job it enqueued; or the one in its way, where it was skipped.
    pub job: JobId,
    /// False where a job of an earlier tick was in its way.
    pub fired: bool,
}

/// A schedule, its row locked until the transaction ends.
pub(super) struct Locked {
    pub(super) id: Uuid,
    pub(super) tenant: TenantId,
    pub(super) definition: Definition,
}

/// What came of starting ticks of one schedule.
#[derive(Default)]
pub(super) struct Started {
    pub(super) ticks: Vec<FiredTick>,
    /// The queue that gained jobs.
    pub(super) queue: Option<String>,
    pub(super) told: Vec<Uuid>,
}

/// Writes the ticks down and enqueues their jobs, as the overlap policy has it. The schedule's row must be locked.
pub(super) async fn start(
    conn: &mut PgConnection,
    locked: &Locked,
    ticks: &[DateTime<Utc>],
    cause: &'static str,
) -> Result<Started, Error> {
    if ticks.is_empty() {
        return Ok(Started::default());
    }
    let definition = &locked.definition;
    let kind = kind_defaults(conn, &definition.kind).await?;
    let live = match definition.overlap {
        Overlap::Allow => Vec::new(),
        _ => live_jobs(conn, locked.id).await?,
    };
    let decisions = definition.overlap.decide(ticks, &live, JobId::generate);
    let decisions = write_ticks(conn, locked, decisions, cause).await?;
    let told = if definition.overlap == Overlap::CancelRunning {
        call_off(conn, &live, &definition.name).await?
    } else {
        Vec::new()
    };
    let queue = enqueue_jobs(conn, locked, &kind, &decisions, cause).await?;
    let tick = |decision: &Decision| FiredTick {
        schedule: definition.name.clone(),
        tick_at: decision.tick_at,
        job: decision.job,
        fired: decision.fires,
    };
    Ok(Started {
        ticks: decisions.iter().map(tick).collect(),
        queue,
        told,
    })
}

/// The schedule's jobs that have not ended, newest first, among its last hundred.
async fn live_jobs(conn: &mut PgConnection, schedule: Uuid) -> Result<Vec<JobId>, Error> {
    let jobs = sqlx::query_scalar!(
        r#"-- schedules.live_jobs
        SELECT j.id
        FROM (SELECT job_id, tick_at FROM fleet.schedule_tick
            WHERE schedule_id = $1 AND outcome = 'fired' ORDER BY tick_at DESC LIMIT $2) t
        JOIN fleet.job j ON j.id = t.job_id
        ORDER BY t.tick_at DESC"#,
        schedule,
        LIVE_MAX as i64,
    )
    .fetch_all(conn)
    .await
    .map_err(Error::database("schedules.live_jobs"))?;
    Ok(jobs.into_iter().map(JobId).collect())
}

/// I7: the primary key lets each tick in once; what it refuses is not enqueued.
async fn write_ticks(
    conn: &mut PgConnection,
    locked: &Locked,
    mut decisions: Vec<Decision>,
    cause: &str,
) -> Result<Vec<Decision>, Error> {
    let ticks: Vec<_> = decisions.iter().map(|decision| decision.tick_at).collect();
    let jobs: Vec<_> = decisions.iter().map(|decision| decision.job.0).collect();
    let fires: Vec<_> = decisions.iter().map(|decision| decision.fires).collect();
    let written = sqlx::query_scalar!(
        r#"-- schedules.write_ticks
        INSERT INTO fleet.schedule_tick (schedule_id, tenant_id, cause, tick_at, job_id, outcome, decided_at)
        SELECT $1, $2, $3, t.tick_at, t.job_id, CASE WHEN t.fires THEN 'fired' ELSE 'skipped' END, fleet.clock()
        FROM unnest($4::timestamptz[], $5::uuid[], $6::boolean[]) AS t (tick_at, job_id, fires)
        ON CONFLICT (schedule_id, tick_at) DO NOTHING
        RETURNING tick_at"#,
        locked.id,
        locked.tenant.0,
        cause,
        &ticks,
        &jobs,
        &fires,
    )
    .fetch_all(conn)
    .await
    .map_err(Error::database("schedules.write_ticks"))?;
    decisions.retain(|decision| written.contains(&decision.tick_at));
    Ok(decisions)
}

/// Calls jobs off; returns the workers that run some of them.
async fn call_off(conn: &mut PgConnection, live: &[JobId], name: &str) -> Result<Vec<Uuid>, Error> {
    let reason = format!("the next tick of schedule \"{name}\" takes its place");
    let mut told = Vec::new();
    for job in live {
        if let Cancelled::Requested(WorkerId(worker)) = cancel(conn, *job, Some(&reason)).await? {
            told.push(worker);
        }
    }
    Ok(told)
}

/// Enqueues a job for each tick that fires; returns their queue.
async fn enqueue_jobs(
    conn: &mut PgConnection,
    locked: &Locked,
    kind: &KindDefaults,
    decisions: &[Decision],
    cause: &'static str,
) -> Result<Option<String>, Error> {
    let job = |decision: &Decision| {
        let tick = JobOfTick {
            job: decision.job,
            tick_at: decision.tick_at,
            cause,
        };
        locked.definition.job(locked.tenant, locked.id, kind, tick)
    };
    let firing = decisions.iter().filter(|decision| decision.fires);
    let jobs: Vec<_> = firing.map(job).collect();
    let answers = enqueue_many(conn, &jobs).await?;
    let queue = jobs.into_iter().next().map(|job| job.queue);
    if answers
        .iter()
        .any(|answer| answer.outcome != EnqueueOutcome::Inserted)
    {
        let problem = format!(
            "\"{}\" is full; the tick stays due and is tried again",
            queue.unwrap_or_default()
        );
        return Err(invalid("options.queue", problem));
    }
    Ok(queue)
}

/// A kind's defaults, as the binary that serves it registered them.
pub(super) async fn kind_defaults(
    conn: &mut PgConnection,
    kind: &str,
) -> Result<KindDefaults, Error> {
    let found = sqlx::query_as!(
        KindDefaults,
        r#"-- schedules.kind
        SELECT version, queue, priority, max_attempts, timeout_ms FROM fleet.kind WHERE kind = $1"#,
        kind,
    )
    .fetch_optional(conn)
    .await
    .map_err(Error::database("schedules.kind"))?;
    found.ok_or_else(|| invalid("kind", format!("no kind \"{kind}\" is registered")))
}
