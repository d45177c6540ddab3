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

/// A plan for these values and no generic one, and at most a few seconds.
async fn bound_the_walk(conn: &mut PgConnection) -> Result<(), Error> {
    sqlx::query!(
        r#"-- read.bound_the_walk
        SELECT set_config('plan_cache_mode', 'force_custom_plan', true) AS plan, set_config('statement_timeout', '3s', true) AS longest"#
    )
    .fetch_one(conn)
    .await
    .map_err(Error::database("read.list_jobs"))?;
    Ok(())
}

/// Ids between which the page lies, and which sources hold wanted states.
struct Bounds {
    before: Uuid,
    from: Uuid,
    live: bool,
    /// Ended ones in the order of their ids.
    ended: bool,
    /// Ended ones by state: where completed ones are not wanted, they must not be walked past.
    failed: Vec<&'static str>,
}

impl Bounds {
    fn of(filter: &JobFilter, cursor: Option<JobId>) -> Self {
        let wants = |state: &JobState| filter.states.is_empty() || filter.states.contains(state);
        let wanted = JobState::ALL.into_iter().filter(wants);
        let (ends, lives): (Vec<_>, Vec<_>) = wanted.partition(|state| state.is_terminal());
        let ended = ends.contains(&JobState::Completed);
        let latest = filter
            .created_to
            .map_or(Uuid::max(), |at| first_id_of(at + CLOCK_SKEW));
        let earliest = filter
            .created_from
            .map_or(Uuid::nil(), |at| first_id_of(at - CLOCK_SKEW));
        Self {
            before: cursor.map_or(latest, |id| id.0.min(latest)),
            from: earliest,
            live: !lives.is_empty(),
            ended,
            failed: ends
                .into_iter()
                .filter(|_| !ended)
                .map(JobState::as_str)
                .collect(),
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
    let states: Vec<&str> = filter.states.iter().map(|state| state.as_str()).collect();
    // Each source is cut to a page by its own index before they are merged.
    sqlx::query_as!(
        JobSummary,
        r#"-- read.list_jobs
        WITH page AS (
            SELECT * FROM (
                (SELECT id, NULL::timestamptz AS finished_at FROM fleet.job
                 WHERE $4 AND id < $2 AND id >= $3 AND (cardinality($1::text[]) = 0 OR state::text = ANY ($1))
                   AND ($7::text IS NULL OR kind = $7) AND ($8::text IS NULL OR queue = $8) AND ($9::uuid IS NULL OR tenant_id = $9)
                   AND ($10::text IS NULL OR $10 = ANY (tags)) AND ($11::uuid IS NULL OR worker_id = $11) AND ($12::uuid IS NULL OR parent_id = $12)
                   AND ($13::timestamptz IS NULL OR created_at >= $13) AND ($14::timestamptz IS NULL OR created_at < $14)
                 ORDER BY id DESC LIMIT $15)
                UNION ALL
                (SELECT id, finished_at FROM fleet.job_history
                 WHERE $5 AND id < $2 AND id >= $3 AND (cardinality($1::text[]) = 0 OR state::text = ANY ($1))
                   AND ($7::text IS NULL OR kind = $7) AND ($8::text IS NULL OR queue = $8) AND ($9::uuid IS NULL OR tenant_id = $9)
                   AND ($10::text IS NULL OR $10 = ANY (tags)) AND ($11::uuid IS NULL OR worker_id = $11) AND ($12::uuid IS NULL OR parent_id = $12)
                   AND ($13::timestamptz IS NULL OR created_at >= $13) AND ($14::timestamptz IS NULL OR created_at < $14)
                 ORDER BY id DESC LIMIT $15)
                UNION ALL
                -- Failures have a partial index by state; saying that they are not completed lets it be used.
                (SELECT h.id, h.finished_at FROM unnest($6::text[]::fleet.job_state[]) AS s (state) CROSS JOIN LATERAL (
                    SELECT id, finished_at FROM fleet.job_history
                    WHERE state = s.state AND state <> 'completed' AND id < $2 AND id >= $3
                      AND ($7::text IS NULL OR kind = $7) AND ($8::text IS NULL OR queue = $8) AND ($9::uuid IS NULL OR tenant_id = $9)
                      AND ($10::text IS NULL OR $10 = ANY (tags)) AND ($11::uuid IS NULL OR worker_id = $11) AND ($12::uuid IS NULL OR parent_id = $12)
                      AND ($13::timestamptz IS NULL OR created_at >= $13) AND ($14::timestamptz IS NULL OR created_at < $14)
                    ORDER BY id DESC LIMIT $15) h)
            ) found ORDER BY id DESC LIMIT $15
        )
        SELECT j.id AS "id!: JobId", j.kind AS "kind!", j.queue AS "queue!", j.tenant_id AS "tenant_id!: TenantId", j.state::text AS "state!: JobState",
            j.priority AS "priority!", j.attempt AS "attempt!", j.max_attempts AS "max_attempts!", j.crashes AS "crashes!", j.reason,
            j.created_at AS "created_at!", j.run_at AS "run_at!", j.started_at, j.finished_at, j.worker_id AS "worker_id: WorkerId",
            j.parent_id AS "parent_id: JobId", COALESCE(j.tags, '{}') AS "tags!"
        FROM page p CROSS JOIN LATERAL (
            SELECT id, kind, queue, tenant_id, state, priority, attempt, max_attempts, crashes, NULL::text AS reason, created_at, run_at, started_at,
                NULL::timestamptz AS finished_at, worker_id, parent_id, tags
            FROM fleet.job WHERE p.finished_at IS NULL AND id = p.id
            UNION ALL  -- the time of the end finds the one partition that holds the row
            SELECT id, kind, queue, tenant_id, state, priority, attempt, max_attempts, crashes, reason, created_at, run_at, started_at,
                finished_at, worker_id, parent_id, tags
            FROM fleet.job_history WHERE id = p.id AND finished_at = p.finished_at) j
        ORDER BY p.id DESC"#,
        &states as &[&str], bounds.before, bounds.from, bounds.live, bounds.ended, &bounds.failed as &[&str],
        filter.kind, filter.queue, filter.tenant.map(|id| id.0), filter.tag, filter.worker.map(|id| id.0), filter.parent.map(|id| id.0),
        filter.created_from, filter.created_to, limit,
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
    fn a_page_of_failures_leaves_the_completed_alone() {
        let filter = JobFilter {
            states: vec![JobState::Discarded],
            ..JobFilter::default()
        };
        let bounds = Bounds::of(&filter, None);
        assert_eq!((bounds.live, bounds.ended), (false, false));
        assert_eq!(bounds.failed, ["discarded"]);
    }
}
