//! What `why` looks up. Every read is by key or bounded.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::super::queues::{PauseInfo, list_pauses};
use super::{AHEAD_MAX, Dependency, QueueAhead, reasons};
use crate::transitions::pause::PauseScope;
use crate::{Error, JobId, JobState, TenantId, WorkerId};

/// The job itself, with what is told of it in any state.
#[derive(Debug)]
pub(super) struct JobFacts {
    pub(super) id: JobId,
    pub(super) state: JobState,
    pub(super) kind: String,
    pub(super) version: i16,
    pub(super) queue: String,
    pub(super) tenant: TenantId,
    pub(super) priority: i16,
    pub(super) lane: Option<i64>,
    pub(super) attempt: i16,
    pub(super) max_attempts: i16,
    pub(super) blockers: i32,
    pub(super) concurrency_key: Option<String>,
    pub(super) concurrency_limit: Option<i16>,
    pub(super) run_at: DateTime<Utc>,
    pub(super) started_at: Option<DateTime<Utc>>,
    pub(super) finished_at: Option<DateTime<Utc>>,
    pub(super) cancel_requested_at: Option<DateTime<Utc>>,
    pub(super) reason: Option<String>,
    pub(super) worker: Option<WorkerId>,
    pub(super) host: Option<String>,
    pub(super) last_outcome: Option<String>,
    pub(super) last_error: Option<String>,
    pub(super) now: DateTime<Utc>,
}

/// What may hold a waiting job back.
#[derive(Debug, Default)]
pub(super) struct Facts {
    pub(super) dependencies: Vec<Dependency>,
    pub(super) pauses: Vec<PauseInfo>,
    pub(super) limits: Vec<LimitFacts>,
    pub(super) key_running: i64,
    pub(super) workers: WorkerFacts,
    pub(super) ahead: Option<QueueAhead>,
}

/// A rule that the job falls under, and its use.
#[derive(Debug)]
pub(super) struct LimitFacts {
    pub(super) name: String,
    pub(super) queue: Option<String>,
    pub(super) kind: Option<String>,
    pub(super) tenant: Option<TenantId>,
    pub(super) per_tenant: bool,
    pub(super) cap: Option<i32>,
    pub(super) rate: Option<f64>,
    pub(super) running: i64,
    pub(super) tokens: f64,
}

/// Living workers, narrowed step by step to those that would take the job.
#[derive(Debug, Default)]
pub(super) struct WorkerFacts {
    pub(super) living: i64,
    pub(super) serve_queue: i64,
    pub(super) serve_kind: i64,
    pub(super) taking: i64,
    pub(super) newest_version: Option<i16>,
}

pub(super) async fn job(conn: &mut PgConnection, id: JobId) -> Result<Option<JobFacts>, Error> {
    sqlx::query_as!(
        JobFacts,
        r#"-- why.job
        SELECT j.id AS "id!: JobId", j.state AS "state!: JobState", j.kind AS "kind!", j.version AS "version!", j.queue AS "queue!", j.tenant_id AS "tenant!: TenantId",
            j.priority AS "priority!", j.lane, j.attempt AS "attempt!", j.max_attempts AS "max_attempts!", j.blockers AS "blockers!", j.concurrency_key, j.concurrency_limit,
            j.run_at AS "run_at!", j.started_at, j.finished_at, j.cancel_requested_at, j.reason, j.worker_id AS "worker: WorkerId",
            w.host AS "host?", a.outcome AS "last_outcome?", a.error AS "last_error?", fleet.clock() AS "now!"
        FROM (
            SELECT id, state::text, kind, version, queue, tenant_id, priority, lane, attempt, max_attempts, blockers, concurrency_key, concurrency_limit, run_at, started_at,
                NULL::timestamptz AS finished_at, cancel_requested_at, NULL::text AS reason, worker_id FROM fleet.job WHERE id = $1
            UNION ALL
            SELECT id, state::text, kind, version, queue, tenant_id, priority, NULL, attempt, max_attempts, 0, concurrency_key, concurrency_limit, run_at, started_at,
                finished_at, NULL, reason, worker_id FROM fleet.job_history WHERE id = $1
            LIMIT 1) j
        LEFT JOIN fleet.worker w ON w.id = j.worker_id
        LEFT JOIN LATERAL (SELECT outcome, error FROM fleet.attempt WHERE job_id = j.id ORDER BY ended_at DESC, claim_no DESC LIMIT 1) a ON true"#,
        id.0,
    )
    .fetch_optional(conn)
    .await
    .map_err(Error::database("read.why"))
}

pub(super) async fn gather(conn: &mut PgConnection, job: &JobFacts) -> Result<Facts, Error> {
    let tenant = job.tenant.to_string();
    let concerns = |pause: &PauseInfo| match pause.scope {
        PauseScope::Queue => pause.name == job.queue,
        PauseScope::Kind => pause.name == job.kind,
        PauseScope::Tenant => pause.name == tenant,
    };
    let mut pauses = list_pauses(&mut *conn).await?;
    pauses.retain(concerns);
    let mut facts = Facts {
        pauses,
        dependencies: dependencies(&mut *conn, job).await?,
        limits: limits(&mut *conn, job).await?,
        key_running: key_running(&mut *conn, job).await?,
        workers: workers(&mut *conn, job).await?,
        ahead: None,
    };
    if job.state == JobState::Available {
        facts.ahead = Some(ahead(conn, job).await?);
    }
    Ok(facts)
}

async fn dependencies(conn: &mut PgConnection, job: &JobFacts) -> Result<Vec<Dependency>, Error> {
    if job.blockers == 0 {
        return Ok(Vec::new());
    }
    sqlx::query_as!(
        Dependency,
        r#"-- why.dependencies
        SELECT d.depends_on AS "id: JobId", j.kind AS "kind?", j.state AS "state?: JobState"
        FROM fleet.job_dependency d LEFT JOIN LATERAL (
            SELECT kind, state::text FROM fleet.job WHERE id = d.depends_on
            UNION ALL SELECT kind, state::text FROM fleet.job_history WHERE id = d.depends_on LIMIT 1) j ON true
        WHERE d.job_id = $1 ORDER BY d.depends_on LIMIT 100"#,
        job.id.0,
    )
    .fetch_all(conn)
    .await
    .map_err(Error::database("read.why"))
}

async fn limits(conn: &mut PgConnection, job: &JobFacts) -> Result<Vec<LimitFacts>, Error> {
    // What a claim would find after folding what was given back and refilling the tokens.
    sqlx::query_as!(
        LimitFacts,
        r#"-- why.limits
        SELECT r.name, r.queue, r.kind, r.tenant_id AS "tenant: TenantId", r.per_tenant, r.cap, r.rate,
            COALESCE(b.running - (SELECT COALESCE(sum(n), 0) FROM fleet.bucket_release x WHERE x.bucket_id = b.id), 0)::bigint AS "running!",
            COALESCE(fleet.tokens_at(b, r, fleet.clock()), 0) AS "tokens!"
        FROM fleet.limit_rule r LEFT JOIN fleet.bucket b ON b.id = fleet.bucket_of('rule', r.id, CASE WHEN r.per_tenant THEN $3::uuid END, NULL)
        WHERE (r.queue IS NULL OR r.queue = $1) AND (r.kind IS NULL OR r.kind = $2) AND (r.tenant_id IS NULL OR r.tenant_id = $3)
        ORDER BY r.name"#,
        job.queue,
        job.kind,
        job.tenant.0,
    )
    .fetch_all(conn)
    .await
    .map_err(Error::database("read.why"))
}

async fn key_running(conn: &mut PgConnection, job: &JobFacts) -> Result<i64, Error> {
    let Some(key) = &job.concurrency_key else {
        return Ok(0);
    };
    let running = sqlx::query_scalar!(
        r#"-- why.key_running
        SELECT (b.running - (SELECT COALESCE(sum(n), 0) FROM fleet.bucket_release x WHERE x.bucket_id = b.id))::bigint AS "running!"
        FROM fleet.bucket b WHERE b.id = fleet.bucket_of('key', NULL, $1, $2)"#,
        job.tenant.0,
        key,
    )
    .fetch_optional(conn)
    .await
    .map_err(Error::database("read.why"))?;
    Ok(running.unwrap_or(0))
}

async fn workers(conn: &mut PgConnection, job: &JobFacts) -> Result<WorkerFacts, Error> {
    sqlx::query_as!(
        WorkerFacts,
        r#"-- why.workers
        SELECT count(*) AS "living!", count(*) FILTER (WHERE queues ? $1) AS "serve_queue!",
            count(*) FILTER (WHERE queues ? $1 AND $2 = ANY (kinds)) AS "serve_kind!",
            count(*) FILTER (WHERE queues ? $1 AND $2 = ANY (kinds) AND NOT draining) AS "taking!",
            (SELECT k.version FROM fleet.kind k WHERE k.kind = $2) AS newest_version
        FROM fleet.worker WHERE ended_at IS NULL AND lease_until > fleet.clock()"#,
        job.queue,
        job.kind,
    )
    .fetch_one(conn)
    .await
    .map_err(Error::database("read.why"))
}

/// Lane by lane from its head, in the order of the index, and no further than the bound.
async fn ahead(conn: &mut PgConnection, job: &JobFacts) -> Result<QueueAhead, Error> {
    let row = sqlx::query!(
        r#"-- why.ahead
        WITH mine AS (
            SELECT COALESCE((SELECT level FROM fleet.lane WHERE id = $2), $3::smallint) AS level
        ), before AS (
            SELECT l.tenant_id FROM mine, fleet.lane l CROSS JOIN LATERAL (
                SELECT j.id FROM fleet.job j
                WHERE j.lane = l.id AND j.shelf = 0 AND j.state = 'available' AND j.run_at >= l.head
                  AND j.run_at <= CASE WHEN l.level < mine.level THEN fleet.clock() ELSE $4::timestamptz END
                  AND (l.level < mine.level OR (j.run_at, j.id) < ($4, $5))
                ORDER BY j.run_at, j.id LIMIT $7) j
            WHERE l.queue = $1 AND l.level <= mine.level AND l.active
        )
        SELECT (SELECT count(*) FROM (SELECT FROM before WHERE tenant_id = $6 LIMIT $7) b) AS "of_tenant!",
            (SELECT count(*) FROM (SELECT FROM before LIMIT $7) b) AS "of_queue!",
            COALESCE((SELECT sum(n) FROM (
                SELECT n::bigint FROM fleet.counter WHERE minute > date_trunc('minute', fleet.clock()) - interval '10 minutes' AND queue = $1 AND tenant_id = $6 AND event = 'started'
                UNION ALL SELECT n FROM fleet.flow WHERE at > fleet.clock() - interval '10 minutes' AND queue = $1 AND tenant_id = $6 AND event = 'started') s), 0)::float8 AS "started!""#,
        job.queue,
        job.lane,
        job.priority,
        job.run_at,
        job.id.0,
        job.tenant.0,
        AHEAD_MAX + 1,
    )
    .fetch_one(conn)
    .await
    .map_err(Error::database("read.why"))?;
    Ok(reasons::ahead(row.of_tenant, row.of_queue, row.started))
}
