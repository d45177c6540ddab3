//! What happened minute by minute, from the counters; what is not folded into them yet is added.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;

use crate::Error;

/// Longest window, in minutes.
const MINUTES_MAX: i32 = 24 * 60;

/// Which events.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ThroughputFilter {
    /// Only this queue.
    pub queue: Option<String>,
    /// Only this kind.
    pub kind: Option<String>,
    /// The last so many minutes; up to a day.
    pub minutes: i32,
}

/// One minute. Minutes in which nothing happened are there too, with zeros.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MinuteRow {
    /// Its beginning.
    pub minute: DateTime<Utc>,
    /// Jobs enqueued.
    pub enqueued: i64,
    /// Attempts started.
    pub started: i64,
    /// Jobs completed.
    pub completed: i64,
    /// Attempts that failed and are tried again.
    pub retried: i64,
    /// Attempts whose worker died.
    pub crashed: i64,
    /// Jobs given up.
    pub discarded: i64,
    /// Jobs called off.
    pub cancelled: i64,
    /// From due to started, over the started.
    pub mean_wait_ms: Option<f64>,
    /// Of an attempt, over the completed.
    pub mean_run_ms: Option<f64>,
}

/// The last minutes, oldest first.
pub async fn throughput(
    conn: &mut PgConnection,
    filter: &ThroughputFilter,
) -> Result<Vec<MinuteRow>, Error> {
    sqlx::query_as!(
        MinuteRow,
        r#"-- read.throughput
        WITH span AS (
            SELECT g AS minute FROM (SELECT date_trunc('minute', fleet.clock()) AS now) c, generate_series(c.now - make_interval(mins => $3::integer - 1), c.now, interval '1 minute') g
        ), events AS (
            SELECT minute, event, n, wait_ms, run_ms FROM fleet.counter
            WHERE minute >= (SELECT min(minute) FROM span) AND ($1::text IS NULL OR queue = $1) AND ($2::text IS NULL OR kind = $2)
            UNION ALL
            SELECT date_trunc('minute', at), event, n, wait_ms, run_ms FROM fleet.flow
            WHERE ($1::text IS NULL OR queue = $1) AND ($2::text IS NULL OR kind = $2)
        )
        SELECT s.minute AS "minute!", COALESCE(sum(n) FILTER (WHERE event = 'enqueued'), 0)::bigint AS "enqueued!",
            COALESCE(sum(n) FILTER (WHERE event = 'started'), 0)::bigint AS "started!", COALESCE(sum(n) FILTER (WHERE event = 'completed'), 0)::bigint AS "completed!",
            COALESCE(sum(n) FILTER (WHERE event = 'retried'), 0)::bigint AS "retried!", COALESCE(sum(n) FILTER (WHERE event = 'crashed'), 0)::bigint AS "crashed!",
            COALESCE(sum(n) FILTER (WHERE event = 'discarded'), 0)::bigint AS "discarded!", COALESCE(sum(n) FILTER (WHERE event = 'cancelled'), 0)::bigint AS "cancelled!",
            (sum(wait_ms) FILTER (WHERE event = 'started') / NULLIF(sum(n) FILTER (WHERE event = 'started'), 0))::float8 AS mean_wait_ms,
            (sum(run_ms) FILTER (WHERE event = 'completed') / NULLIF(sum(n) FILTER (WHERE event = 'completed'), 0))::float8 AS mean_run_ms
        FROM span s LEFT JOIN events e ON e.minute = s.minute
        GROUP BY s.minute ORDER BY s.minute"#,
        filter.queue,
        filter.kind,
        filter.minutes.clamp(1, MINUTES_MAX),
    )
    .fetch_all(conn)
    .await
    .map_err(Error::database("read.throughput"))
}
