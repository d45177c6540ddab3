//! Prune: what is past its retention goes, by partition where it is partitioned, else in bounded batches. Upholds I8, I9.

use sqlx::PgConnection;

use crate::Error;

/// What one round removed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Partitions dropped, by name.
    pub partitions: Vec<String>,
    /// Rows deleted elsewhere.
    pub rows: u64,
}

/// Removes what is older than `keep_days`, at most `batch` rows a table that is not partitioned.
pub async fn prune(conn: &mut PgConnection, keep_days: i32, batch: i64) -> Result<Pruned, Error> {
    let partitions = sqlx::query_scalar!(
        r#"-- queue.prune_partitions
        SELECT fleet.drop_partitions($1) AS "dropped!""#,
        keep_days,
    )
    .fetch_one(&mut *conn)
    .await
    .map_err(Error::database("queue.prune"))?;
    let rows = sqlx::query_scalar!(
        r#"-- queue.prune_rows
        WITH steps AS (
            DELETE FROM fleet.job_step WHERE ctid = ANY (ARRAY(
                SELECT s.ctid FROM fleet.job_step s WHERE s.at < fleet.clock() - make_interval(days => $1)
                  AND NOT EXISTS (SELECT FROM fleet.job j WHERE j.id = s.job_id) ORDER BY s.at LIMIT $2)) RETURNING 1
        ), windows AS (
            DELETE FROM fleet.unique_window WHERE ctid = ANY (ARRAY(
                SELECT ctid FROM fleet.unique_window WHERE until < fleet.clock() ORDER BY until LIMIT $2)) RETURNING 1
        ), minutes AS (
            DELETE FROM fleet.counter WHERE ctid = ANY (ARRAY(
                SELECT ctid FROM fleet.counter WHERE minute < fleet.clock() - make_interval(days => $1) ORDER BY minute LIMIT $2)) RETURNING 1
        ), workers AS (
            DELETE FROM fleet.worker WHERE ended_at < fleet.clock() - interval '1 day' RETURNING 1
        ), late AS (
            DELETE FROM fleet.job_history_default WHERE ctid = ANY (ARRAY(
                SELECT ctid FROM fleet.job_history_default WHERE finished_at < fleet.clock() - make_interval(days => $1) LIMIT $2)) RETURNING 1
        ), late_attempts AS (
            DELETE FROM fleet.attempt_default WHERE ctid = ANY (ARRAY(
                SELECT ctid FROM fleet.attempt_default WHERE ended_at < fleet.clock() - make_interval(days => $1) LIMIT $2)) RETURNING 1
        ), late_logs AS (
            DELETE FROM fleet.job_log_default WHERE ctid = ANY (ARRAY(
                SELECT ctid FROM fleet.job_log_default WHERE at < fleet.clock() - make_interval(days => $1) LIMIT $2)) RETURNING 1
        ), late_outputs AS (
            DELETE FROM fleet.job_output_default WHERE ctid = ANY (ARRAY(
                SELECT ctid FROM fleet.job_output_default WHERE at < fleet.clock() - make_interval(days => $1) LIMIT $2)) RETURNING 1
        )
        SELECT (SELECT count(*) FROM steps) + (SELECT count(*) FROM windows) + (SELECT count(*) FROM minutes)
             + (SELECT count(*) FROM workers) + (SELECT count(*) FROM late) + (SELECT count(*) FROM late_attempts)
             + (SELECT count(*) FROM late_logs) + (SELECT count(*) FROM late_outputs) AS "n!""#,
        keep_days,
        batch,
    )
    .fetch_one(conn)
    .await
    .map_err(Error::database("queue.prune"))?;
    Ok(Pruned {
        partitions,
        rows: rows.unsigned_abs(),
    })
}
