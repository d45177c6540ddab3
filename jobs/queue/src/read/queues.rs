//! Queues as people look at them: depth, what runs, what waits and how long, the pace of the last minutes, and pauses.
//!
//! Everything comes from totals, flows and the heads of lanes: the cost follows the number of queues and lanes, never of jobs.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;

use crate::Error;
use crate::transitions::pause::PauseScope;

/// Minutes over which [`QueueRates`] are told.
const RATE_MINUTES: f64 = 5.0;

/// A queue.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct QueueInfo {
    /// Its name.
    pub name: String,
    /// Live jobs: waiting, scheduled, blocked and running.
    pub depth: i64,
    /// Of these, running.
    pub running: i64,
    /// Live jobs past which enqueue answers "queue full"; none: unbounded.
    pub max_depth: Option<i32>,
    /// A job that waited this long counts as one priority more urgent.
    pub age_step_s: i32,
    /// When the oldest job that could run now became due; none: nothing waits.
    pub oldest_due_at: Option<DateTime<Utc>>,
    /// How long that is ago.
    pub oldest_due_s: Option<f64>,
    /// Living workers that serve it and are not draining.
    pub workers: i64,
    /// Its pause, if it is paused.
    pub pause: Option<PauseInfo>,
    /// The pace of the last five minutes.
    pub rates: QueueRates,
}

/// Means over the last five minutes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct QueueRates {
    /// Jobs enqueued a minute.
    pub enqueued_per_min: f64,
    /// Attempts started a minute.
    pub started_per_min: f64,
    /// Jobs completed a minute.
    pub completed_per_min: f64,
    /// Attempts that failed or crashed, and jobs given up, a minute.
    pub failed_per_min: f64,
    /// From due to started.
    pub mean_wait_ms: Option<f64>,
    /// Of an attempt that completed.
    pub mean_run_ms: Option<f64>,
}

/// A pause in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PauseInfo {
    /// What kind of thing is paused.
    pub scope: PauseScope,
    /// Which one.
    pub name: String,
    /// Why.
    pub reason: String,
    /// By whom.
    pub paused_by: String,
    /// Since when.
    pub since: DateTime<Utc>,
    /// Lifted by itself then; none: until resumed.
    pub until: Option<DateTime<Utc>>,
}

/// A queue as the statement tells it.
struct QueueRow {
    name: String,
    depth: i64,
    running: i64,
    max_depth: Option<i32>,
    age_step_s: i32,
    oldest: Option<DateTime<Utc>>,
    oldest_s: Option<f64>,
    workers: i64,
    enqueued: f64,
    started: f64,
    completed: f64,
    failed: f64,
    wait_ms: Option<f64>,
    run_ms: Option<f64>,
}

impl QueueRow {
    fn told(self, pauses: &[PauseInfo]) -> QueueInfo {
        let mean = |sum: Option<f64>, n: f64| sum.filter(|_| n > 0.0).map(|sum| sum / n);
        let of_queue = |p: &&PauseInfo| p.scope == PauseScope::Queue && p.name == self.name;
        QueueInfo {
            pause: pauses.iter().find(of_queue).cloned(),
            depth: self.depth,
            running: self.running,
            max_depth: self.max_depth,
            age_step_s: self.age_step_s,
            oldest_due_at: self.oldest,
            oldest_due_s: self.oldest_s,
            workers: self.workers,
            rates: QueueRates {
                enqueued_per_min: self.enqueued / RATE_MINUTES,
                started_per_min: self.started / RATE_MINUTES,
                completed_per_min: self.completed / RATE_MINUTES,
                failed_per_min: self.failed / RATE_MINUTES,
                mean_wait_ms: mean(self.wait_ms, self.started),
                mean_run_ms: mean(self.run_ms, self.completed),
            },
            name: self.name,
        }
    }
}

/// Every queue that was set up, is some kind's default, or ever had a job, by name; or only the one named.
pub async fn list_queues(
    conn: &mut PgConnection,
    only: Option<&str>,
) -> Result<Vec<QueueInfo>, Error> {
    let pauses = list_pauses(&mut *conn).await?;
    let rows = select(conn, only).await?;
    Ok(rows.into_iter().map(|row| row.told(&pauses)).collect())
}

async fn select(conn: &mut PgConnection, only: Option<&str>) -> Result<Vec<QueueRow>, Error> {
    sqlx::query_as!(
        QueueRow,
        r#"-- read.list_queues
        WITH events AS (
            SELECT queue, event, sum(n) AS n FROM (
                SELECT queue, event, n FROM fleet.total UNION ALL SELECT queue, event, n::bigint FROM fleet.flow) e
            WHERE $1::text IS NULL OR queue = $1 GROUP BY 1, 2
        ), names AS (
            SELECT name FROM fleet.queue UNION SELECT queue FROM fleet.kind UNION SELECT queue FROM events
        ), recent AS (
            SELECT queue, event, sum(n) AS n, sum(wait_ms) AS wait_ms, sum(run_ms) AS run_ms FROM (
                SELECT queue, event, n, wait_ms, run_ms FROM fleet.counter WHERE minute > date_trunc('minute', fleet.clock()) - interval '5 minutes'
                UNION ALL SELECT queue, event, n::bigint, wait_ms, run_ms FROM fleet.flow WHERE at > fleet.clock() - interval '5 minutes') r
            WHERE $1::text IS NULL OR queue = $1 GROUP BY 1, 2
        ), oldest AS (
            SELECT queue, min(run_at) AS run_at FROM (
                SELECT l.queue, o.run_at FROM fleet.lane l CROSS JOIN LATERAL (
                    SELECT j.run_at FROM fleet.job j WHERE j.lane = l.id AND j.shelf = 0 AND j.run_at >= l.head AND j.state = 'available'
                    ORDER BY j.run_at LIMIT 1) o
                WHERE l.active AND ($1::text IS NULL OR l.queue = $1)
                UNION ALL SELECT queue, run_at FROM fleet.arrival WHERE $1::text IS NULL OR queue = $1) o
            WHERE run_at <= fleet.clock() GROUP BY 1
        )
        SELECT n.name AS "name!", q.max_depth AS "max_depth?", COALESCE(q.age_step_s, 60) AS "age_step_s!", o.run_at AS "oldest?",
            extract(epoch FROM fleet.clock() - o.run_at)::float8 AS "oldest_s?",
            COALESCE((SELECT sum(CASE WHEN event = 'enqueued' THEN e.n WHEN event IN ('completed', 'cancelled', 'discarded') THEN -e.n ELSE 0 END)
                FROM events e WHERE e.queue = n.name), 0)::bigint AS "depth!",
            COALESCE((SELECT sum(CASE WHEN event IN ('started', 'ended_waiting') THEN e.n WHEN event = 'enqueued' THEN 0 ELSE -e.n END)
                FROM events e WHERE e.queue = n.name), 0)::bigint AS "running!",
            (SELECT count(*) FROM fleet.worker w WHERE w.ended_at IS NULL AND NOT w.draining AND w.lease_until > fleet.clock() AND w.queues ? n.name) AS "workers!",
            r.*
        FROM names n LEFT JOIN fleet.queue q ON q.name = n.name LEFT JOIN oldest o ON o.queue = n.name
        CROSS JOIN LATERAL (
            SELECT COALESCE(sum(r.n) FILTER (WHERE event = 'enqueued'), 0)::float8 AS "enqueued!", COALESCE(sum(r.n) FILTER (WHERE event = 'started'), 0)::float8 AS "started!",
                COALESCE(sum(r.n) FILTER (WHERE event = 'completed'), 0)::float8 AS "completed!",
                COALESCE(sum(r.n) FILTER (WHERE event IN ('retried', 'crashed', 'discarded')), 0)::float8 AS "failed!",
                (sum(r.wait_ms) FILTER (WHERE event = 'started'))::float8 AS wait_ms, (sum(r.run_ms) FILTER (WHERE event = 'completed'))::float8 AS run_ms
            FROM recent r WHERE r.queue = n.name) r
        WHERE $1::text IS NULL OR n.name = $1
        ORDER BY n.name LIMIT 1000"#,
        only,
    )
    .fetch_all(conn)
    .await
    .map_err(Error::database("read.list_queues"))
}

/// Every pause in force that the session may see.
pub async fn list_pauses(conn: &mut PgConnection) -> Result<Vec<PauseInfo>, Error> {
    let rows = sqlx::query!(
        r#"-- read.list_pauses
        SELECT scope, name, reason, paused_by, since, until FROM fleet.pause
        WHERE until IS NULL OR until > fleet.clock() ORDER BY scope, name"#
    )
    .fetch_all(conn)
    .await
    .map_err(Error::database("read.list_pauses"))?;
    let known = |row: &str| PauseScope::parse(row).expect("the database checks the scope");
    Ok(rows
        .into_iter()
        .map(|row| PauseInfo {
            scope: known(&row.scope),
            name: row.name,
            reason: row.reason,
            paused_by: row.paused_by,
            since: row.since,
            until: row.until,
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> QueueRow {
        QueueRow {
            name: "reports".to_owned(),
            depth: 7,
            running: 2,
            max_depth: None,
            age_step_s: 60,
            oldest: None,
            oldest_s: None,
            workers: 1,
            enqueued: 40.0,
            started: 30.0,
            completed: 20.0,
            failed: 10.0,
            wait_ms: Some(600.0),
            run_ms: Some(900.0),
        }
    }

    fn paused(scope: PauseScope, name: &str) -> PauseInfo {
        PauseInfo {
            scope,
            name: name.to_owned(),
            reason: "r".to_owned(),
            paused_by: "p".to_owned(),
            since: DateTime::UNIX_EPOCH,
            until: None,
        }
    }

    #[test]
    fn rates_are_a_minute_and_means_are_of_what_there_was() {
        let rates = QueueRates {
            enqueued_per_min: 8.0,
            started_per_min: 6.0,
            completed_per_min: 4.0,
            failed_per_min: 2.0,
            mean_wait_ms: Some(20.0),
            mean_run_ms: Some(45.0),
        };
        assert_eq!(row().told(&[]).rates, rates);
        let still = QueueRow {
            started: 0.0,
            ..row()
        };
        assert_eq!(still.told(&[]).rates.mean_wait_ms, None);
    }

    #[test]
    fn a_queue_is_paused_by_its_own_pause_alone() {
        let others = [
            paused(PauseScope::Kind, "reports"),
            paused(PauseScope::Queue, "default"),
        ];
        assert_eq!(row().told(&others).pause, None);
        let own = paused(PauseScope::Queue, "reports");
        assert_eq!(row().told(std::slice::from_ref(&own)).pause, Some(own));
    }
}
