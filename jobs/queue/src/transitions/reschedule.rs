//! Reschedule: moves a waiting job to another time, or another priority.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::read::find_state;
use crate::{Error, JobId};

/// Moves a waiting job to `run_at`. False where there is no such job; refused for one that runs or has ended.
pub async fn reschedule(
    conn: &mut PgConnection,
    id: JobId,
    run_at: DateTime<Utc>,
) -> Result<bool, Error> {
    if move_waiting(conn, id, Some(run_at)).await? {
        return Ok(true);
    }
    refuse(conn, id).await
}

/// Gives a waiting job another priority, 0 most urgent to 3 least.
pub async fn reprioritize(
    conn: &mut PgConnection,
    id: JobId,
    priority: i16,
) -> Result<bool, Error> {
    if !(0..=3).contains(&priority) {
        let problem = format!("is {priority}, 0 (most urgent) to 3 are allowed");
        return Err(Error::Invalid {
            field: "priority",
            problem,
        });
    }
    let moved = sqlx::query_scalar!(
        r#"-- queue.reprioritize
        WITH moved AS (UPDATE fleet.job SET priority = $2 WHERE id = $1 AND state <> 'running' RETURNING id)
        SELECT fleet.announce(array_agg(id)) IS NULL AS "told!" FROM moved HAVING count(*) > 0"#,
        id.0,
        priority,
    )
    .fetch_optional(&mut *conn)
    .await
    .map_err(Error::database("queue.reprioritize"))?;
    if moved.is_some() {
        Ok(true)
    } else {
        refuse(conn, id).await
    }
}

async fn refuse(conn: &mut PgConnection, id: JobId) -> Result<bool, Error> {
    match find_state(conn, id).await? {
        None => Ok(false),
        Some(state) => Err(Error::WrongState {
            id,
            state,
            problem: "only a waiting job can be moved",
        }),
    }
}

/// Sets when a scheduled or available job runs; `None`: now, without losing its place if it was due. A blocked job keeps waiting, and is not moved to now.
pub(super) async fn move_waiting(
    conn: &mut PgConnection,
    id: JobId,
    run_at: Option<DateTime<Utc>>,
) -> Result<bool, Error> {
    let row = sqlx::query_scalar!(
        r#"-- queue.reschedule
        WITH moved AS (
            UPDATE fleet.job SET run_at = COALESCE($2::timestamptz, LEAST(run_at, fleet.clock())),
                state = CASE WHEN state = 'blocked' THEN 'blocked' WHEN $2 > fleet.clock() THEN 'scheduled' ELSE 'available' END::fleet.job_state
            WHERE id = $1 AND (state IN ('scheduled', 'available') OR state = 'blocked' AND $2::timestamptz IS NOT NULL)
            RETURNING id
        )
        SELECT fleet.announce(array_agg(id)) IS NULL AND fleet.foretell($2) IS NULL AS "told!" FROM moved HAVING count(*) > 0"#,
        id.0,
        run_at,
    )
    .fetch_optional(conn)
    .await
    .map_err(Error::database("queue.reschedule"))?;
    Ok(row.is_some())
}
