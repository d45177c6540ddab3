//! The server itself: version, durability, clock, connections, old transactions, room on the disk.

use std::time::{Duration, SystemTime};

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;

use super::{Finding, disk};
use crate::database::{Database, now};
use crate::output::span;

/// The oldest server that the schema's SQL works on.
const OLDEST: i32 = 140_000;
/// Ours and the database's clock may differ by so much before people are confused by logs.
const SKEW_MAX: TimeDelta = TimeDelta::seconds(2);
/// A transaction older than this holds back vacuum noticeably.
const OLD_TRANSACTION: Duration = Duration::from_mins(10);

pub(super) async fn look(database: &Database) -> Vec<Finding> {
    let mut conn = match database.db().acquire("doctor.server").await {
        Ok(conn) => conn,
        Err(error) => return vec![Finding::of("connection", Err(error.into()))],
    };
    vec![
        Finding::of("server version", version(&mut conn).await),
        Finding::of("durability", durability(&mut conn).await),
        Finding::of("clock", clock(&mut conn).await),
        Finding::of("connections", connections(&mut conn).await),
        Finding::of("old transactions", transactions(&mut conn).await),
        Finding::of("size", disk::size(&mut conn).await),
        Finding::of("disk", disk::room(&mut conn).await),
    ]
}

async fn version(conn: &mut PgConnection) -> anyhow::Result<Finding> {
    let row = sqlx::query!(
        r#"-- doctor.version
        SELECT current_setting('server_version') AS "name!", current_setting('server_version_num')::integer AS "number!""#
    )
    .fetch_one(conn)
    .await?;
    let found = format!("PostgreSQL {}", row.name);
    Ok(if row.number >= OLDEST {
        Finding::pass("server version", found)
    } else {
        Finding::fail(
            "server version",
            found,
            "upgrade: the fleet needs PostgreSQL 14 or newer",
        )
    })
}

/// What is acknowledged must survive a power cut.
async fn durability(conn: &mut PgConnection) -> anyhow::Result<Finding> {
    let off = sqlx::query_scalar!(
        r#"-- doctor.durability
        SELECT COALESCE(string_agg(name, ', ' ORDER BY name), '') AS "off!" FROM pg_settings
        WHERE name IN ('fsync', 'synchronous_commit', 'full_page_writes') AND setting IN ('off', 'local')"#
    )
    .fetch_one(conn)
    .await?;
    Ok(match off.as_str() {
        "" => Finding::pass(
            "durability",
            "fsync, synchronous_commit and full_page_writes are on",
        ),
        off => {
            let fix = "switch on (ALTER SYSTEM SET … = on; SELECT pg_reload_conf()): jobs that were acknowledged can be lost";
            Finding::fail("durability", format!("not on: {off}"), fix)
        }
    })
}

#[expect(
    clippy::disallowed_methods,
    reason = "this very check compares our clock with the database's"
)]
async fn clock(conn: &mut PgConnection) -> anyhow::Result<Finding> {
    let before = DateTime::<Utc>::from(SystemTime::now());
    let theirs = now(conn).await?;
    let after = DateTime::<Utc>::from(SystemTime::now());
    // What the round trip took is nobody's fault.
    let skew = if theirs < before {
        before - theirs
    } else {
        (theirs - after).max(TimeDelta::zero())
    };
    let length = span(skew.to_std().unwrap_or_default());
    Ok(if skew <= SKEW_MAX {
        Finding::pass("clock", "this machine's and the database's agree")
    } else {
        let fix =
            "have both follow NTP: the engine goes by the database's alone, but logs will mislead";
        Finding::warn(
            "clock",
            format!("this machine's is {length} off the database's"),
            fix,
        )
    })
}

async fn connections(conn: &mut PgConnection) -> anyhow::Result<Finding> {
    let row = sqlx::query!(
        r#"-- doctor.connections
        SELECT (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend') AS "used!", current_setting('max_connections')::bigint AS "most!""#
    )
    .fetch_one(conn)
    .await?;
    let found = format!("{} of {} in use", row.used, row.most);
    Ok(if row.used * 5 < row.most * 4 {
        Finding::pass("connections", found)
    } else {
        Finding::warn(
            "connections",
            found,
            "raise max_connections, lower database.pool_max, or put PgBouncer between",
        )
    })
}

/// A snapshot held open keeps every dead row since then from being cleared away.
async fn transactions(conn: &mut PgConnection) -> anyhow::Result<Finding> {
    let row = sqlx::query!(
        r#"-- doctor.transactions
        SELECT pid AS "pid!", COALESCE(application_name, '') AS "application!", extract(epoch FROM clock_timestamp() - xact_start)::float8 AS "age_s!"
        FROM pg_stat_activity
        WHERE xact_start IS NOT NULL AND backend_type = 'client backend' AND datname = current_database() ORDER BY xact_start LIMIT 1"#
    )
    .fetch_optional(conn)
    .await?;
    let oldest = row.map(|row| {
        (
            Duration::from_secs_f64(row.age_s.max(0.0)),
            row.pid,
            row.application,
        )
    });
    Ok(match oldest {
        Some((age, pid, application)) if age > OLD_TRANSACTION => {
            let found = format!(
                "process {pid} ({application}) has had one open for {}",
                span(age)
            );
            Finding::warn(
                "old transactions",
                found,
                format!("it holds back vacuum; to end it: SELECT pg_terminate_backend({pid})"),
            )
        }
        _ => Finding::pass("old transactions", "none"),
    })
}
