//! Jobs by page: newest first, over live and ended ones, by the key of the last one seen and never by a count.
//!
//! Ids carry the time of their making, so one index serves the order, the cursor and the range of time.
//! Filters that no index serves (a tag, a worker) walk; `statement_timeout` bounds the walk.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sqlx::{Acquire, PgConnection};
use uuid::Uuid;

use crate::{Error, JobId, JobState, TenantId, WorkerId};

/// Most jobs of a page.
pub const PAGE_MAX: i64 = 200;
/// How far the clock of whoever made an id may be off the database's.
const CLOCK_SKEW: chrono::TimeDelta = chrono::TimeDelta::minutes(10);

/// Which jobs; what is empty or `None` filters nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JobFilter {
    /// Any of these states.
    pub states: Vec<JobState>,
    /// This kind.
    pub kind: Option<String>,
    /// This queue.
    pub queue: Option<String>,
    /// This tenant. A session of one tenant should say so: the index by tenant then serves it.
    pub tenant: Option<TenantId>,
    /// With this tag.
    pub tag: Option<String>,
    /// Run, or run last, by this worker.
    pub worker: Option<WorkerId>,
    /// Children of this job.
    pub parent: Option<JobId>,
    /// Made at or after.
    pub created_from: Option<DateTime<Utc>>,
    /// Made before.
    pub created_to: Option<DateTime<Utc>>,
}

/// A job in a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct JobSummary {
    /// Its id.
    pub id: JobId,
    /// `family.verb`.
    pub kind: String,
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
    /// Why it ended so.
    pub reason: Option<String>,
    /// When it was enqueued.
    pub created_at: DateTime<Utc>,
    /// Not before.
    pub run_at: DateTime<Utc>,
    /// When its newest attempt began.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
    /// The worker that runs it, or ran it last.
    pub worker_id: Option<WorkerId>,
    /// The job that made it.
    pub parent_id: Option<JobId>,
    /// Words to find it by.
    pub tags: Vec<String>,
}

/// A page, and where the next one begins.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct JobPage {
    /// Newest first.
    pub jobs: Vec<JobSummary>,
    /// Give it back as `cursor` for the next page; none: this was the last.
    pub next_cursor: Option<JobId>,
}

/// The page of at most `limit` jobs (up to [`PAGE_MAX`]) made before `cursor`.
pub async fn list_jobs(
    conn: &mut PgConnection,
    filter: &JobFilter,
    cursor: Option<JobId>,
    limit: i64,
) -> Result<JobPage, Error> {
    let limit = limit.clamp(1, PAGE_MAX);
    let mut tx = conn
        .begin()
        .await
        .map_err(Error::database("read.list_jobs"))?;
    bound_the_walk(&mut tx).await?;
    let mut jobs = select(&mut tx, &Bounds::of(filter, cursor), filter, limit + 1).await?;
    // Nothing was written; rolling back also takes the settings back.
    tx.rollback()
        .await
        .map_err(Error::database("read.list_jobs"))?;
    let more = jobs.len() > limit as usize;
    jobs.truncate(limit as usize);
    let next_cursor = jobs.last().filter(|_| more).map(|job| job.id);
    Ok(JobPage { jobs, next_cursor })
}

/// A plan for these values alone, that walks indexes and no table; and at most a few seconds.
async fn bound_the_walk(conn: &mut PgConnection) -> Result<(), Error> {
    sqlx::query!(
        r#"-- read.bound_the_walk
        SELECT set_config(name, value, true) AS set FROM (VALUES ('statement_timeout', '3s'), ('plan_cache_mode', 'force_custom_plan'),
            ('enable_seqscan', 'off'), ('enable_bitmapscan', 'off'), ('max_parallel_workers_per_gather', '0'), ('jit', 'off')) AS s (name, value)"#
    )
    .fetch_all(conn)
    .await
    .map_err(Error::database("read.list_jobs"))?;
    Ok(())
}

/// Ids between which the page lies, and which sources hold wanted states.
struct Bounds {
    before: Uuid,
    from: Uuid,
    /// Every state of a live job is wanted: one walk serves them all.
    live: bool,
    /// Else those that are: each is looked for where it is filed, past none of the others.
    apart: Vec<&'static str>,
    ended: Vec<&'static str>,
}

impl Bounds {
    fn of(filter: &JobFilter, cursor: Option<JobId>) -> Self {
        let wants = |state: &JobState| filter.states.is_empty() || filter.states.contains(state);
        let (ended, lives): (Vec<_>, Vec<_>) = JobState::ALL
            .into_iter()
            .filter(wants)
            .partition(|state| state.is_terminal());
        let live = JobState::ALL
            .iter()
            .all(|state| state.is_terminal() || wants(state));
        let latest = filter
            .created_to
            .map_or(Uuid::max(), |at| first_id_of(at + CLOCK_SKEW));
        let earliest = filter
            .created_from
            .map_or(Uuid::nil(), |at| first_id_of(at - CLOCK_SKEW));
        let words = |states: Vec<JobState>| states.into_iter().map(JobState::as_str).collect();
        Self {
            before: cursor.map_or(latest, |id| id.0.min(latest)),
            from: earliest,
            live,
            apart: if live { Vec::new() } else { words(lives) },
            ended: words(ended),
        }
    }
}

/// The smallest UUIDv7 of a moment: its milliseconds in the first 48 bits.
fn first_id_of(at: DateTime<Utc>) -> Uuid {
    let millis = u128::from(at.timestamp_millis().max(0).unsigned_abs() & 0xffff_ffff_ffff);
    Uuid::from_u128(millis << 80)
}

async fn select(
    conn: &mut PgConnection,
    bounds: &Bounds,
    filter: &JobFilter,
    limit: i64,
) -> Result<Vec<JobSummary>, Error> {
    // Each source comes in the order of ids by an index of its own, so that they are merged no further than the page; what is not wanted folds away.
    // The API's policies are asked before whatever could leak, which an enum's equality may: only shelves, ids and partial indexes bound a walk.
    sqlx::query_as!(
        JobSummary,
        r#"-- read.list_jobs
        SELECT id AS "id!: JobId", kind AS "kind!", queue AS "queue!", tenant_id AS "tenant_id!: TenantId", state::text AS "state!: JobState",
            priority AS "priority!", attempt AS "attempt!", max_attempts AS "max_attempts!", crashes AS "crashes!", reason,
            created_at AS "created_at!", run_at AS "run_at!", started_at, finished_at, worker_id AS "worker_id: WorkerId",
            parent_id AS "parent_id: JobId", COALESCE(tags, '{}') AS "tags!"
        FROM (
            SELECT id, kind, queue, tenant_id, state, priority, attempt, max_attempts, crashes, NULL::text AS reason, created_at, run_at, started_at,
                NULL::timestamptz AS finished_at, worker_id, parent_id, tags
            FROM (
                (SELECT * FROM fleet.job WHERE $1 ORDER BY id DESC)
                UNION ALL (SELECT * FROM fleet.job WHERE 'blocked' = ANY ($2::text[]) AND shelf = 2 ORDER BY id DESC)
                UNION ALL (SELECT * FROM fleet.job WHERE 'scheduled' = ANY ($2) AND shelf = 1 ORDER BY id DESC)
                UNION ALL (SELECT * FROM fleet.job WHERE 'available' = ANY ($2) AND shelf = 0 AND state = 'available' ORDER BY id DESC)
                UNION ALL
                -- Running jobs stand at the fronts of their lanes; the totals say how many to look for, so that the walk ends before those that wait.
                (SELECT r.* FROM (
                    SELECT queue, tenant_id, kind, sum(CASE WHEN event IN ('started', 'ended_waiting') THEN n WHEN event = 'enqueued' THEN 0 ELSE -n END) AS n
                    FROM (SELECT queue, tenant_id, kind, event, n FROM fleet.total UNION ALL SELECT queue, tenant_id, kind, event, n FROM fleet.flow) e
                    WHERE 'running' = ANY ($2) GROUP BY queue, tenant_id, kind) t
                 CROSS JOIN LATERAL (
                    SELECT j.* FROM fleet.lane l JOIN fleet.job j ON j.lane = l.id AND j.shelf = 0 AND j.state = 'running'
                    WHERE l.queue = t.queue AND l.tenant_id = t.tenant_id AND l.kind = t.kind AND l.active LIMIT GREATEST(0, t.n)) r
                 ORDER BY r.id DESC)
            ) live
            UNION ALL
            SELECT id, kind, queue, tenant_id, state, priority, attempt, max_attempts, crashes, reason, created_at, run_at, started_at,
                finished_at, worker_id, parent_id, tags
            FROM (
                (SELECT * FROM fleet.job_history WHERE 'completed' = ANY ($3::text[]) AND state::text = ANY ($3) ORDER BY id DESC)
                UNION ALL
                -- Failures alone have an index of their own, for which it must be said that they are not completed.
                (SELECT * FROM fleet.job_history
                 WHERE 'completed' <> ALL ($3) AND cardinality($3) > 0 AND state <> 'completed' AND state::text = ANY ($3) ORDER BY id DESC)
            ) ended
        ) j
        WHERE id < $4 AND id >= $5 AND ($6::text IS NULL OR kind = $6) AND ($7::text IS NULL OR queue = $7) AND ($8::uuid IS NULL OR tenant_id = $8)
          AND ($9::text IS NULL OR $9 = ANY (tags)) AND ($10::uuid IS NULL OR worker_id = $10) AND ($11::uuid IS NULL OR parent_id = $11)
          AND ($12::timestamptz IS NULL OR created_at >= $12) AND ($13::timestamptz IS NULL OR created_at < $13)
        ORDER BY id DESC LIMIT $14"#,
        bounds.live,
        &bounds.apart as &[&str],
        &bounds.ended as &[&str],
        bounds.before,
        bounds.from,
        filter.kind,
        filter.queue,
        filter.tenant.map(|id| id.0),
        filter.tag,
        filter.worker.map(|id| id.0),
        filter.parent.map(|id| id.0),
        filter.created_from,
        filter.created_to,
        limit,
    )
    .fetch_all(conn)
    .await
    .map_err(Error::database("read.list_jobs"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_made_at_a_moment_is_not_before_its_first() {
        let at = DateTime::from_timestamp_millis(1_760_000_000_123).expect("a time");
        let made = Uuid::new_v7(uuid::Timestamp::from_unix(
            uuid::NoContext,
            1_760_000_000,
            123_000_000,
        ));
        assert!(first_id_of(at) <= made);
        assert!(made < first_id_of(at + chrono::TimeDelta::milliseconds(1)));
    }

    #[test]
    fn an_id_made_by_a_clock_that_is_off_lies_within_the_bounds() {
        let at = DateTime::from_timestamp_millis(1_760_000_000_123).expect("a time");
        let filter = JobFilter {
            created_from: Some(at),
            created_to: Some(at),
            ..JobFilter::default()
        };
        let bounds = Bounds::of(&filter, None);
        assert_eq!(bounds.from, first_id_of(at - CLOCK_SKEW));
        assert_eq!(bounds.before, first_id_of(at + CLOCK_SKEW));
    }

    fn sources(states: &[JobState]) -> (bool, Vec<&'static str>, Vec<&'static str>) {
        let filter = JobFilter {
            states: states.to_vec(),
            ..JobFilter::default()
        };
        let bounds = Bounds::of(&filter, None);
        (bounds.live, bounds.apart, bounds.ended)
    }

    #[test]
    fn live_jobs_are_walked_at_once_where_all_are_wanted_and_by_state_where_not() {
        let ends = vec!["completed", "cancelled", "discarded"];
        assert_eq!(sources(&[]), (true, vec![], ends));
        let some = [JobState::Running, JobState::Scheduled, JobState::Discarded];
        assert_eq!(
            sources(&some),
            (false, vec!["scheduled", "running"], vec!["discarded"])
        );
    }
}
