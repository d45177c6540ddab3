//! The outlook: how long until each thing that happens by time, in one cheap statement.
//!
//! A scheduler asks this instead of trying each duty in turn, so that it is exact when something is due and nearly free when nothing is.
//! It reads the head of one index for each answer and locks nothing; what it says is a hint, and each duty looks for itself.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::Error;

/// How long until the next of each; zero: due already; `None`: none is in sight.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Outlook {
    /// A scheduled job becomes available.
    pub promotion: Option<Duration>,
    /// No job is scheduled for a time before this, but for what a transaction commits later than [`COMMIT_MARGIN`].
    pub due_from: Option<DateTime<Utc>>,
    /// A waiting job expires.
    pub expiry: Option<Duration>,
    /// A worker's lease runs out, if it is not renewed.
    pub lease_end: Option<Duration>,
    /// A schedule's tick is due.
    pub tick: Option<Duration>,
    /// Something was enqueued or claimed within the last half minute: lanes are being walked.
    pub busy: bool,
}

/// How long an enqueue may take to commit and still be met in order.
const COMMIT_MARGIN: Duration = Duration::from_millis(250);

/// Looks ahead; at scheduled jobs no further back than `due_from`, which an earlier look gave.
pub async fn outlook(
    conn: &mut PgConnection,
    lease_ttl: Duration,
    due_from: Option<DateTime<Utc>>,
) -> Result<Outlook, Error> {
    let row = sqlx::query!(
        r#"-- upkeep.outlook
        SELECT extract(epoch FROM s.run_at - c.now)::float8 AS "promotion_s?", LEAST(s.run_at, c.now - make_interval(secs => $3)) AS due_from,
            extract(epoch FROM (SELECT expires_at FROM fleet.job WHERE expires_at IS NOT NULL AND claim_no = 0 ORDER BY expires_at LIMIT 1) - c.now)::float8 AS expiry_s,
            extract(epoch FROM (SELECT fleet.lease_end(LEAST(min(lease_until), c.now + make_interval(secs => $1)), make_interval(secs => $1))
                FROM fleet.worker WHERE ended_at IS NULL HAVING count(*) > 0) - c.now)::float8 AS lease_end_s,
            extract(epoch FROM (SELECT due_at FROM fleet.schedule WHERE due_at IS NOT NULL ORDER BY due_at LIMIT 1) - c.now)::float8 AS tick_s,
            EXISTS (SELECT FROM fleet.lane WHERE active) OR EXISTS (SELECT FROM fleet.arrival) AS "busy!"
        FROM (SELECT fleet.clock() AS now) c
        LEFT JOIN LATERAL (SELECT run_at FROM fleet.job WHERE shelf = 1 AND run_at >= COALESCE($2, '-infinity'::timestamptz) ORDER BY run_at LIMIT 1) s ON true"#,
        lease_ttl.as_secs_f64(),
        due_from,
        COMMIT_MARGIN.as_secs_f64(),
    )
    .fetch_one(conn)
    .await
    .map_err(Error::database("upkeep.outlook"))?;
    Ok(Outlook {
        promotion: row.promotion_s.map(wait),
        due_from: row.due_from,
        expiry: row.expiry_s.map(wait),
        lease_end: row.lease_end_s.map(wait),
        tick: row.tick_s.map(wait),
        busy: row.busy,
    })
}

/// A wait of so many seconds, at least none and at most a day: nobody sleeps longer on a hint.
fn wait(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds.clamp(0.0, 86_400.0))
}
