//! The invariants as queries: each gives the rows that break it, so nothing is right.

use sqlx::PgPool;

/// Name and query; `broken` counts offending rows.
const CHECKS: &[(&str, &str)] = &[
    (
        "I2: running if and only if a living worker holds it",
        "SELECT count(*) FROM fleet.job j LEFT JOIN fleet.worker w ON w.id = j.worker_id AND w.ended_at IS NULL WHERE j.state = 'running' AND w.id IS NULL",
    ),
    (
        "I2: no two running jobs share a claim of another job's history",
        "SELECT count(*) FROM (SELECT id FROM fleet.job INTERSECT SELECT id FROM fleet.job_history) both_live_and_ended",
    ),
    (
        "I4: attempts and crashes are bounded",
        "SELECT count(*) FROM (SELECT attempt, max_attempts, crashes FROM fleet.job UNION ALL SELECT attempt, max_attempts, crashes FROM fleet.job_history) j WHERE attempt > max_attempts OR crashes > 3",
    ),
    (
        "I5: one live job a unique key",
        "SELECT count(*) FROM (SELECT 1 FROM fleet.job WHERE unique_key IS NOT NULL GROUP BY tenant_id, unique_key HAVING count(*) > 1) twice",
    ),
    (
        "I10: a bucket counts exactly what runs under it",
        "SELECT count(*) FROM fleet.bucket b WHERE b.running - COALESCE((SELECT sum(n) FROM fleet.bucket_release r WHERE r.bucket_id = b.id), 0) <> (SELECT count(*) FROM fleet.job j WHERE b.id = ANY (j.held) AND j.state = 'running')",
    ),
    (
        "I10: no cap is exceeded",
        "SELECT count(*) FROM fleet.bucket b JOIN fleet.limit_rule r ON r.id = b.rule_id WHERE (SELECT count(*) FROM fleet.job j WHERE b.id = ANY (j.held) AND j.state = 'running') > r.cap",
    ),
    (
        "I3: what is blocked waits for something",
        "SELECT count(*) FROM fleet.job j WHERE j.state = 'blocked' AND j.blockers <> (SELECT count(*) FROM fleet.job_dependency d WHERE d.job_id = j.id)",
    ),
    (
        "the totals count what is there",
        "SELECT count(*) FROM (SELECT queue, sum(CASE event WHEN 'enqueued' THEN n WHEN 'completed' THEN -n WHEN 'cancelled' THEN -n WHEN 'discarded' THEN -n ELSE 0 END) AS live
            FROM (SELECT queue, event, n::bigint FROM fleet.flow UNION ALL SELECT queue, event, n FROM fleet.total) f GROUP BY queue) t
         FULL JOIN (SELECT queue, count(*) AS live FROM fleet.job GROUP BY queue) j USING (queue) WHERE COALESCE(t.live, 0) <> COALESCE(j.live, 0)",
    ),
    (
        "the totals count what runs, of each tenant and kind",
        "SELECT count(*) FROM (SELECT queue, tenant_id, kind, sum(CASE WHEN event IN ('started', 'ended_waiting') THEN n WHEN event = 'enqueued' THEN 0 ELSE -n END) AS running
            FROM (SELECT queue, tenant_id, kind, event, n::bigint FROM fleet.flow UNION ALL SELECT queue, tenant_id, kind, event, n FROM fleet.total) f GROUP BY 1, 2, 3) t
         FULL JOIN (SELECT queue, tenant_id, kind, count(*) AS running FROM fleet.job WHERE state = 'running' GROUP BY 1, 2, 3) j USING (queue, tenant_id, kind)
         WHERE COALESCE(t.running, 0) <> COALESCE(j.running, 0)",
    ),
];

/// The name of every invariant that does not hold in the database as committed now, with how many rows break it.
pub async fn broken(pool: &PgPool) -> Vec<String> {
    let mut broken = Vec::new();
    for (name, sql) in CHECKS {
        let rows: i64 = sqlx::query_scalar(*sql)
            .fetch_one(pool)
            .await
            .expect("the check's SQL is right");
        if rows > 0 {
            broken.push(format!("{name}: {rows} rows"));
        }
    }
    broken
}

/// Fails where any invariant does not hold.
pub async fn assert_hold(pool: &PgPool) {
    let broken = broken(pool).await;
    assert!(
        broken.is_empty(),
        "invariants broken:\n{}",
        broken.join("\n")
    );
}
