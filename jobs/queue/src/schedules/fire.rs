//! Fires what is due. Upholds I6, I7, I8.
//!
//! A schedule that cannot be fired (its kind is gone, its queue is full) is put off with its error on it and holds up no other;
//! its tick stays due, and what has become of it by then its policy for missed ticks decides.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{Acquire, PgConnection};
use uuid::Uuid;

use super::Definition;
use super::catch_up::{Clockwork, ROUND_MAX};
use super::start::{FiredTick, Locked, start};
use super::transaction::finish;
use crate::{Error, TenantId};

/// What one round did.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Fired {
    /// Schedules that were due.
    pub schedules: usize,
    /// Every tick decided with a job.
    pub ticks: Vec<FiredTick>,
    /// Ticks dropped by their policy for missed ones, by schedule.
    pub dropped: Vec<(String, usize)>,
    /// Schedules that could not be fired, and why.
    pub failed: Vec<(String, String)>,
    /// Queues that gained jobs, for waking workers after the commit.
    pub queues: BTreeSet<String>,
    /// Workers told to stop a job, for nudging after the commit.
    pub told: BTreeSet<Uuid>,
    /// More is due already.
    pub more: bool,
}

/// The longest that a failing schedule is put off.
const PUT_OFF_MAX: TimeDelta = TimeDelta::minutes(1);

/// Fires up to `batch` due schedules, inside the caller's transaction: nothing of it exists before the caller commits.
///
/// Call it in a transaction of its own; schedules that another process is firing are skipped.
pub async fn fire_due(conn: &mut PgConnection, batch: i64) -> Result<Fired, Error> {
    let due = sqlx::query_as!(
        Due,
        r#"-- schedules.lock_due
        SELECT id, tenant_id, name AS "name!", definition, watermark, failures, fleet.clock() AS "now!"
        FROM fleet.schedule
        WHERE due_at <= (SELECT fleet.clock())
        ORDER BY due_at LIMIT $1
        FOR UPDATE SKIP LOCKED  -- I8: another process is at it"#,
        batch,
    )
    .fetch_all(&mut *conn)
    .await
    .map_err(Error::database("schedules.fire_due"))?;
    let mut fired = Fired {
        schedules: due.len(),
        more: due.len() as i64 >= batch,
        ..Fired::default()
    };
    for row in due {
        fire_or_put_off(conn, row, &mut fired).await?;
    }
    Ok(fired)
}

struct Due {
    id: Uuid,
    tenant_id: Uuid,
    name: String,
    definition: serde_json::Value,
    watermark: DateTime<Utc>,
    failures: i16,
    now: DateTime<Utc>,
}

async fn fire_or_put_off(
    conn: &mut PgConnection,
    row: Due,
    fired: &mut Fired,
) -> Result<(), Error> {
    // A savepoint: what fails takes nothing of the others with it.
    let mut tx = conn
        .begin()
        .await
        .map_err(Error::database("schedules.fire_due"))?;
    let done = fire_one(&mut tx, &row, fired).await;
    if let Err(error) = finish(tx, done, "schedules.fire_due").await {
        put_off(conn, &row, &error).await?;
        fired.failed.push((row.name, error.to_string()));
    }
    Ok(())
}

async fn fire_one(conn: &mut PgConnection, row: &Due, fired: &mut Fired) -> Result<(), Error> {
    let locked = &Locked {
        id: row.id,
        tenant: TenantId(row.tenant_id),
        definition: Definition::read(row.definition.clone())?,
    };
    let clockwork = Clockwork::of(locked.id, &locked.definition)?;
    let plan = clockwork.plan(row.watermark, row.now);
    let started = start(conn, locked, &plan.fire, "time").await?;
    let due_at = plan.next.map(|next| clockwork.due(next));
    advance(
        conn,
        locked,
        plan.watermark,
        plan.next.zip(due_at),
        plan.dropped,
    )
    .await?;
    // Only now: what failed half-way was rolled back and must not be reported.
    if plan.dropped > 0 {
        fired
            .dropped
            .push((locked.definition.name.clone(), plan.dropped));
    }
    fired.more |= plan.fire.len() == ROUND_MAX;
    fired.ticks.extend(started.ticks);
    fired.queues.extend(started.queue);
    fired.told.extend(started.told);
    Ok(())
}

/// Moves the watermark past what was decided (I7).
async fn advance(
    conn: &mut PgConnection,
    locked: &Locked,
    watermark: DateTime<Utc>,
    next: Option<(DateTime<Utc>, DateTime<Utc>)>,
    dropped: usize,
) -> Result<(), Error> {
    let (next_at, due_at) = next.unzip();
    let done = sqlx::query!(
        r#"-- schedules.advance
        UPDATE fleet.schedule
        SET watermark = GREATEST(watermark, $3), next_at = $4, due_at = $5, missed_count = missed_count + $6, error = NULL, failures = 0
        WHERE id = $1 AND tenant_id = $2"#,
        locked.id,
        locked.tenant.0,
        watermark,
        next_at,
        due_at,
        dropped as i64,
    )
    .execute(conn)
    .await
    .map_err(Error::database("schedules.advance"))?;
    assert_eq!(
        done.rows_affected(),
        1,
        "the schedule's row is locked by us"
    );
    Ok(())
}

/// Notes why a schedule could not be fired, and has it looked at later: after 1 s, 2 s, 4 s … at most a minute.
async fn put_off(conn: &mut PgConnection, row: &Due, error: &Error) -> Result<(), Error> {
    let wait = TimeDelta::seconds(1_i64 << row.failures.clamp(0, 10)).min(PUT_OFF_MAX);
    let text: String = error.to_string().chars().take(2_000).collect();
    sqlx::query!(
        r#"-- schedules.put_off
        UPDATE fleet.schedule SET due_at = $2, error = $3, failures = LEAST(failures + 1, 1000) WHERE id = $1"#,
        row.id,
        row.now + wait,
        text,
    )
    .execute(conn)
    .await
    .map_err(Error::database("schedules.put_off"))?;
    Ok(())
}
