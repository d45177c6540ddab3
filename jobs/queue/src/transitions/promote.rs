//! Promote: what waited for its time becomes available; what waited too long ages or expires. Upholds I3, I8.
//!
//! Any process may do it at any time: rows that another one is promoting are skipped.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::Error;

/// What one round did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Promoted {
    /// Jobs that became available.
    pub available: usize,
    /// Queues that gained jobs, for waking workers.
    pub queues: Vec<String>,
    /// When the last of them was due: it stopped there, if at its batch.
    pub reached: Option<DateTime<Utc>>,
}

/// Makes up to `batch` due jobs available, oldest first; where `from` is given, only those due at or after it.
///
/// As long as some old snapshot keeps vacuum from removing the index entries of what was promoted, each round from the beginning walks them all.
pub async fn promote(
    conn: &mut PgConnection,
    from: Option<DateTime<Utc>>,
    batch: i64,
) -> Result<Promoted, Error> {
    let row = sqlx::query!(
        r#"-- queue.promote
        WITH due AS (
            UPDATE fleet.job SET state = 'available'
            WHERE ctid = ANY (ARRAY(
                SELECT ctid FROM fleet.job WHERE shelf = 1 AND run_at <= (SELECT fleet.clock()) AND run_at >= COALESCE($2, '-infinity'::timestamptz)
                ORDER BY run_at LIMIT $1 FOR UPDATE SKIP LOCKED))
              AND state = 'scheduled'
            RETURNING id, queue, run_at
        )
        SELECT count(*) AS "n!", COALESCE(array_agg(DISTINCT queue), '{}') AS "queues!", max(run_at) AS reached, fleet.announce(array_agg(id)) IS NULL AS told
        FROM due"#,
        batch,
        from,
    )
    .fetch_one(conn)
    .await
    .map_err(Error::database("queue.promote"))?;
    Ok(Promoted {
        available: row.n as usize,
        queues: row.queues,
        reached: row.reached,
    })
}

/// Discards up to `batch` jobs that were not started by their `expires_at`. One that was started and waits to go on has begun in time.
pub async fn expire(conn: &mut PgConnection, batch: i64) -> Result<usize, Error> {
    let ended = sqlx::query_scalar!(
        r#"-- queue.expire
        SELECT fleet.end_jobs(array_agg(late.id), NULL, NULL, array_agg('discarded'::fleet.job_state), array_agg('expired: not started by its expires_at'::text), NULL) AS "ended!"
        FROM (
            SELECT id FROM fleet.job WHERE expires_at <= (SELECT fleet.clock()) AND claim_no = 0
            ORDER BY expires_at LIMIT $1 FOR UPDATE SKIP LOCKED) late
        HAVING count(*) > 0"#,
        batch,
    )
    .fetch_optional(conn)
    .await
    .map_err(Error::database("queue.expire"))?;
    Ok(ended.map_or(0, |ids| ids.len()))
}

/// Ages lanes: one whose oldest waiting job waited n steps of its queue counts n priorities more urgent, so that nothing starves.
/// The claim takes only the jobs of an aged lane that waited that long themselves.
pub async fn age(conn: &mut PgConnection) -> Result<u64, Error> {
    sqlx::query!(
        r#"-- queue.age
        WITH aged AS (
            SELECT l.id, GREATEST(0, l.priority - floor(GREATEST(0, extract(epoch FROM fleet.clock() - o.run_at)) / COALESCE(q.age_step_s, 60)))::smallint AS level
            FROM fleet.lane l LEFT JOIN fleet.queue q ON q.name = l.queue
            CROSS JOIN LATERAL (
                SELECT COALESCE((SELECT j.run_at FROM fleet.job j WHERE j.lane = l.id AND j.shelf = 0 AND j.run_at >= l.head AND j.state = 'available'
                    ORDER BY j.run_at LIMIT 1), fleet.clock()) AS run_at) o
            WHERE l.active AND l.priority > 0
              AND (l.level <> l.priority OR l.head < fleet.clock() - make_interval(secs => COALESCE(q.age_step_s, 60)))
        )
        UPDATE fleet.lane l SET level = a.level FROM aged a WHERE l.id = a.id AND l.level <> a.level"#
    )
    .execute(conn)
    .await
    .map(|done| done.rows_affected())
    .map_err(Error::database("queue.age"))
}
