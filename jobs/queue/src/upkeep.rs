//! The upkeep that is no verb: lanes, counters, partitions, leftovers. Safe when two processes do it at once (I8).

use sqlx::PgConnection;

use crate::Error;

/// Makes the partitions of today and `days_ahead` days; says how many were missing.
pub async fn make_partitions(conn: &mut PgConnection, days_ahead: i32) -> Result<i32, Error> {
    sqlx::query_scalar!(
        r#"-- upkeep.make_partitions
        SELECT fleet.make_partitions($1) AS "made!""#,
        days_ahead,
    )
    .fetch_one(conn)
    .await
    .map_err(Error::database("upkeep.make_partitions"))
}

/// Folds up to `batch` rows of what the verbs did into counts by minute and totals; says how many.
pub async fn fold_counters(conn: &mut PgConnection, batch: i64) -> Result<i64, Error> {
    // The row locks make each event counted once, whoever else folds; the sorted upserts keep two folders from waiting in a circle.
    sqlx::query_scalar!(
        r#"-- upkeep.fold_counters
        WITH gone AS (
            DELETE FROM fleet.flow WHERE ctid = ANY (ARRAY(SELECT ctid FROM fleet.flow LIMIT $1 FOR UPDATE SKIP LOCKED))
            RETURNING *
        ), minutes AS (
            INSERT INTO fleet.counter AS c (minute, queue, tenant_id, kind, event, n, wait_ms, run_ms)
            SELECT date_trunc('minute', at), queue, tenant_id, kind, event, sum(n), sum(wait_ms), sum(run_ms) FROM gone
            GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5
            ON CONFLICT (minute, queue, tenant_id, kind, event) DO UPDATE SET n = c.n + excluded.n, wait_ms = c.wait_ms + excluded.wait_ms, run_ms = c.run_ms + excluded.run_ms
        ), totals AS (
            INSERT INTO fleet.total AS t (queue, tenant_id, kind, event, n)
            SELECT queue, tenant_id, kind, event, sum(n) FROM gone GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4
            ON CONFLICT (queue, tenant_id, kind, event) DO UPDATE SET n = t.n + excluded.n
        )
        SELECT count(*) AS "n!" FROM gone"#,
        batch,
    )
    .fetch_one(conn)
    .await
    .map_err(Error::database("upkeep.fold_counters"))
}

/// Finds lanes that hold a claimable job but are not walked from it, and announces them.
///
/// It covers what no announcement can: a transaction that enqueued, then took longer to commit than the lane's margin.
/// It reads every waiting lane from its beginning, so it is run seldom, the less often the longer it takes.
pub async fn sweep_lanes(conn: &mut PgConnection) -> Result<u64, Error> {
    sqlx::query!(
        r#"-- upkeep.sweep_lanes
        WITH RECURSIVE waiting AS (
            (SELECT lane FROM fleet.job WHERE shelf = 0 ORDER BY lane LIMIT 1)
            UNION ALL
            SELECT (SELECT j.lane FROM fleet.job j WHERE j.shelf = 0 AND j.lane > w.lane ORDER BY j.lane LIMIT 1) FROM waiting w WHERE w.lane IS NOT NULL
        )
        INSERT INTO fleet.arrival (queue, lane, priority, tenant_id, kind, version, concurrency_key, concurrency_limit, suspect, run_at)
        SELECT o.queue, o.lane, o.priority, o.tenant_id, o.kind, o.version, o.concurrency_key, o.concurrency_limit, o.crashes > 1, o.run_at
        FROM waiting w CROSS JOIN LATERAL (
            SELECT j.* FROM fleet.job j WHERE j.lane = w.lane AND j.shelf = 0 AND j.state = 'available' ORDER BY j.run_at LIMIT 1) o
        LEFT JOIN fleet.lane l ON l.id = w.lane
        WHERE (l.id IS NULL OR NOT l.active OR l.head > o.run_at)
          AND NOT EXISTS (SELECT FROM fleet.arrival a WHERE a.queue = o.queue AND a.lane = o.lane)"#
    )
    .execute(conn)
    .await
    .map(|done| done.rows_affected())
    .map_err(Error::database("upkeep.sweep_lanes"))
}

/// Takes lanes out of the walk that had nothing for half a minute, and removes those that had nothing for a day.
pub async fn retire_lanes(conn: &mut PgConnection) -> Result<u64, Error> {
    sqlx::query!(
        r#"-- upkeep.retire_lanes
        WITH idle AS (
            SELECT l.id FROM fleet.lane l
            WHERE l.active AND l.active_until < fleet.clock()
              AND NOT EXISTS (SELECT FROM fleet.job j WHERE j.lane = l.id AND j.shelf = 0 OFFSET 0)
            ORDER BY l.id FOR UPDATE SKIP LOCKED LIMIT 10000
        ), resting AS (
            UPDATE fleet.lane l SET active = false, level = l.priority FROM idle WHERE l.id = idle.id RETURNING 1
        ), gone AS (
            DELETE FROM fleet.lane WHERE id IN (
                SELECT id FROM fleet.lane WHERE NOT active AND active_until < fleet.clock() - interval '1 day' ORDER BY id FOR UPDATE SKIP LOCKED LIMIT 10000)
            RETURNING 1
        )
        SELECT (SELECT count(*) FROM resting) + (SELECT count(*) FROM gone) AS n"#
    )
    .fetch_one(conn)
    .await
    .map(|row| row.n.unwrap_or(0).unsigned_abs())
    .map_err(Error::database("upkeep.retire_lanes"))
}

/// Removes buckets of concurrency keys that nothing uses, and pauses and signals that are over.
pub async fn clear_leftovers(conn: &mut PgConnection) -> Result<u64, Error> {
    sqlx::query!(
        r#"-- upkeep.clear_leftovers
        WITH quiet AS (SELECT pg_advisory_xact_lock(hashtext('fleet.limits'), 0)),
        buckets AS (
            DELETE FROM fleet.bucket b USING quiet WHERE b.scope <> 'rule' AND b.running = 0 AND b.refilled_at < fleet.clock() - interval '1 hour'
              AND NOT EXISTS (SELECT FROM fleet.bucket_release r WHERE r.bucket_id = b.id) RETURNING 1
        ), releases AS (
            DELETE FROM fleet.bucket_release r USING quiet WHERE NOT EXISTS (SELECT FROM fleet.bucket b WHERE b.id = r.bucket_id) RETURNING 1
        ), pauses AS (DELETE FROM fleet.pause WHERE until < fleet.clock() RETURNING 1),
        signals AS (
            DELETE FROM fleet.cancel_signal s WHERE NOT EXISTS (
                SELECT FROM fleet.job j WHERE j.id = s.job_id AND j.worker_id = s.worker_id AND j.token = s.token) RETURNING 1
        ), sleepers AS (
            DELETE FROM fleet.sleeper s WHERE NOT EXISTS (SELECT FROM fleet.worker w WHERE w.id = s.worker_id AND w.ended_at IS NULL) RETURNING 1
        )
        SELECT (SELECT count(*) FROM buckets) + (SELECT count(*) FROM releases) + (SELECT count(*) FROM pauses)
             + (SELECT count(*) FROM signals) + (SELECT count(*) FROM sleepers) AS n"#
    )
    .fetch_one(conn)
    .await
    .map(|row| row.n.unwrap_or(0).unsigned_abs())
    .map_err(Error::database("upkeep.clear_leftovers"))
}
