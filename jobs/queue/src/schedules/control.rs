//! What people do to a schedule: pause, resume, delete, run now.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{Acquire, PgConnection};
use uuid::Uuid;

use super::Definition;
use super::catch_up::Clockwork;
use super::definition::bound;
use super::history::write_history;
use super::start::{FiredTick, Locked, start};
use super::transaction::finish;
use super::wall::whole_second;
use crate::{Error, TenantId};

/// What a run by hand did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ran {
    /// Its place in the record, and its job; or, where the overlap policy skipped it, the job in its way.
    pub tick: FiredTick,
    /// The queue that gained the job, for waking a worker after the commit.
    pub queue: Option<String>,
    /// Workers told to stop an earlier job, for nudging after the commit.
    pub told: Vec<Uuid>,
}

/// Pauses a schedule; its ticks meanwhile are not made up for. A second pause replaces the note. False where there is no such schedule.
pub async fn pause(conn: &mut PgConnection, id: Uuid, note: &str, by: &str) -> Result<bool, Error> {
    let said = (1..=1_000).contains(&note.len());
    bound("note", said, "must say why, in 1 to 1,000 bytes")?;
    let mut tx = conn
        .begin()
        .await
        .map_err(Error::database("schedules.pause"))?;
    let done = pause_locked(&mut tx, id, note, by).await;
    finish(tx, done, "schedules.pause").await
}

async fn pause_locked(
    conn: &mut PgConnection,
    id: Uuid,
    note: &str,
    by: &str,
) -> Result<bool, Error> {
    let revision = sqlx::query_scalar!(
        r#"-- schedules.pause
        UPDATE fleet.schedule
        SET paused_at = COALESCE(paused_at, fleet.clock()), paused_by = $2, pause_note = $3, due_at = NULL,
            revision = revision + 1, updated_at = fleet.clock(), updated_by = $2
        WHERE id = $1 RETURNING revision"#,
        id,
        by,
        note,
    )
    .fetch_optional(&mut *conn)
    .await
    .map_err(Error::database("schedules.pause"))?;
    let Some(revision) = revision else {
        return Ok(false);
    };
    write_history(conn, (id, revision), "paused", Some(note), by).await?;
    Ok(true)
}

/// Ends a pause: the next tick is the first after now. False where there is no such schedule, or it is not paused.
pub async fn resume(conn: &mut PgConnection, id: Uuid, by: &str) -> Result<bool, Error> {
    let mut tx = conn
        .begin()
        .await
        .map_err(Error::database("schedules.resume"))?;
    let done = resume_locked(&mut tx, id, by).await;
    finish(tx, done, "schedules.resume").await
}

async fn resume_locked(conn: &mut PgConnection, id: Uuid, by: &str) -> Result<bool, Error> {
    let Some(row) = lock(conn, id).await? else {
        return Ok(false);
    };
    if !row.paused {
        return Ok(false);
    }
    let definition = Definition::read(row.definition)?;
    let clockwork = Clockwork::of(id, &definition)?;
    let watermark = row.watermark.max(row.now); // I7: never back, even where the clock went back
    let next_at = clockwork.table.after(watermark);
    let revision = sqlx::query_scalar!(
        r#"-- schedules.resume
        UPDATE fleet.schedule
        SET paused_at = NULL, paused_by = NULL, pause_note = NULL, watermark = $2, next_at = $3, due_at = $4, error = NULL, failures = 0,
            revision = revision + 1, updated_at = fleet.clock(), updated_by = $5
        WHERE id = $1 RETURNING revision"#,
        id,
        watermark,
        next_at,
        next_at.map(|next| clockwork.due(next)),
        by,
    )
    .fetch_one(&mut *conn)
    .await
    .map_err(Error::database("schedules.resume"))?;
    write_history(conn, (id, revision), "resumed", None, by).await?;
    Ok(true)
}

/// Deletes a schedule; its history stays, and what it enqueued is left alone. False where there is no such schedule.
pub async fn delete(conn: &mut PgConnection, id: Uuid, by: &str) -> Result<bool, Error> {
    let mut tx = conn
        .begin()
        .await
        .map_err(Error::database("schedules.delete"))?;
    let done = delete_locked(&mut tx, id, by).await;
    finish(tx, done, "schedules.delete").await
}

async fn delete_locked(conn: &mut PgConnection, id: Uuid, by: &str) -> Result<bool, Error> {
    let Some(row) = lock(conn, id).await? else {
        return Ok(false);
    };
    write_history(conn, (id, row.revision + 1), "deleted", None, by).await?;
    sqlx::query!(
        r#"-- schedules.delete
        DELETE FROM fleet.schedule WHERE id = $1"#,
        id,
    )
    .execute(&mut *conn)
    .await
    .map_err(Error::database("schedules.delete"))?;
    Ok(true)
}

/// Runs a schedule once more, now, as its overlap policy allows, paused or not; its ticks stay as they are. `None`: there is no such schedule.
pub async fn run_now(conn: &mut PgConnection, id: Uuid) -> Result<Option<Ran>, Error> {
    let mut tx = conn
        .begin()
        .await
        .map_err(Error::database("schedules.run_now"))?;
    let done = run_now_locked(&mut tx, id).await;
    finish(tx, done, "schedules.run_now").await
}

async fn run_now_locked(conn: &mut PgConnection, id: Uuid) -> Result<Option<Ran>, Error> {
    let Some(row) = lock(conn, id).await? else {
        return Ok(None);
    };
    let tick_at = free_instant(conn, id, row.now).await?;
    let locked = Locked {
        id,
        tenant: TenantId(row.tenant_id),
        definition: Definition::read(row.definition)?,
    };
    let mut started = start(conn, &locked, &[tick_at], "hand").await?;
    Ok(Some(Ran {
        tick: started
            .ticks
            .pop()
            .expect("the instant was free, and the row is locked"),
        queue: started.queue,
        told: started.told,
    }))
}

struct Row {
    tenant_id: Uuid,
    definition: serde_json::Value,
    revision: i32,
    watermark: DateTime<Utc>,
    paused: bool,
    now: DateTime<Utc>,
}

async fn lock(conn: &mut PgConnection, id: Uuid) -> Result<Option<Row>, Error> {
    sqlx::query_as!(
        Row,
        r#"-- schedules.lock
        SELECT tenant_id, definition, revision, watermark, paused_at IS NOT NULL AS "paused!", fleet.clock() AS "now!"
        FROM fleet.schedule WHERE id = $1 FOR UPDATE"#,
        id,
    )
    .fetch_optional(conn)
    .await
    .map_err(Error::database("schedules.lock"))
}

/// An instant within this second, between whole ones, that no run by hand has taken.
async fn free_instant(
    conn: &mut PgConnection,
    id: Uuid,
    now: DateTime<Utc>,
) -> Result<DateTime<Utc>, Error> {
    let second = whole_second(now);
    let taken = sqlx::query_scalar!(
        r#"-- schedules.last_run_by_hand
        SELECT max(tick_at) FROM fleet.schedule_tick WHERE schedule_id = $1 AND tick_at >= $2 AND tick_at < $2 + interval '1 second'"#,
        id,
        second,
    )
    .fetch_one(conn)
    .await
    .map_err(Error::database("schedules.run_now"))?;
    let after = taken.unwrap_or(second) + TimeDelta::microseconds(1);
    Ok(after.max(now))
}
