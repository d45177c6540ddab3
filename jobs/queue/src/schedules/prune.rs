//! Forgets old ticks. Upholds I7, I8, I9.

use sqlx::PgConnection;

use crate::Error;

/// Removes up to `batch` ticks decided more than `keep_days` ago.
///
/// A tick that its schedule's watermark has not passed stays, however old: its row is what says that it was fired (I7).
pub async fn prune_ticks(
    conn: &mut PgConnection,
    keep_days: i32,
    batch: i64,
) -> Result<u64, Error> {
    sqlx::query!(
        r#"-- schedules.prune_ticks
        DELETE FROM fleet.schedule_tick WHERE ctid = ANY (ARRAY(
            SELECT t.ctid FROM fleet.schedule_tick t
            WHERE t.decided_at < fleet.clock() - make_interval(days => $1)
              AND NOT EXISTS (SELECT FROM fleet.schedule s WHERE s.id = t.schedule_id AND s.watermark < t.tick_at)
            ORDER BY t.decided_at LIMIT $2
            FOR UPDATE SKIP LOCKED))"#,
        keep_days,
        batch,
    )
    .execute(conn)
    .await
    .map(|done| done.rows_affected())
    .map_err(Error::database("schedules.prune_ticks"))
}
