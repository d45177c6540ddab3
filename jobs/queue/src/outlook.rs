//! The outlook: how long until each thing that happens by time, in one cheap statement.
//!
//! A scheduler asks this instead of trying each duty in turn, so that it is exact when something is due and nearly free when nothing is.
//! It reads the head of one index for each answer and locks nothing; what it says is a hint, and each duty looks for itself.

use std::time::Duration;

use sqlx::PgConnection;

use crate::Error;

/// How long until the next of each; zero: due already; `None`: none is in sight.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Outlook {
    /// A scheduled job becomes available.
    pub promotion: Option<Duration>,
    /// A waiting job expires.
    pub expiry: Option<Duration>,
    /// A worker's lease runs out, if it is not renewed.
    pub lease_end: Option<Duration>,
    /// A schedule's tick is due.
    pub tick: Option<Duration>,
    /// Something was enqueued or claimed within the last half minute: lanes are being walked.
    pub busy: bool,
}

/// Looks ahead.
pub async fn outlook(conn: &mut PgConnection, lease_ttl: Duration) -> Result<Outlook, Error> {
    let row = sqlx::query!(
        r#"-- upkeep.outlook
        SELECT extract(epoch FROM (SELECT run_at FROM fleet.job WHERE shelf = 1 ORDER BY run_at LIMIT 1) - c.now)::float8 AS promotion_s,
            extract(epoch FROM (SELECT expires_at FROM fleet.job WHERE expires_at IS NOT NULL AND state <> 'running' ORDER BY expires_at LIMIT 1) - c.now)::float8 AS expiry_s,
            extract(epoch FROM (SELECT GREATEST(min(lease_until), pg_postmaster_start_time() + make_interval(secs => $1))
                FROM fleet.worker WHERE ended_at IS NULL HAVING count(*) > 0) - c.now)::float8 AS lease_end_s,
            extract(epoch FROM (SELECT due_at FROM fleet.schedule WHERE due_at IS NOT NULL ORDER BY due_at LIMIT 1) - c.now)::float8 AS tick_s,
            EXISTS (SELECT FROM fleet.lane WHERE active) OR EXISTS (SELECT FROM fleet.arrival) AS "busy!"
        FROM (SELECT fleet.clock() AS now) c"#,
        lease_ttl.as_secs_f64(),
    )
    .fetch_one(conn)
    .await
    .map_err(Error::database("upkeep.outlook"))?;
    Ok(Outlook {
        promotion: row.promotion_s.map(wait),
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
