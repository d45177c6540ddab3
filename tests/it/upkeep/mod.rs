//! The upkeep duties: each by itself and twice at once (I8), and the scheduler that keeps them.

mod keeping;
mod rounds;

use chrono::{TimeDelta, Utc};
use fleet_queue::kinds::{KindInfo, register_kinds};
use fleet_queue::transitions::enqueue::enqueue_many;
use fleet_queue::{NewJob, Policy};
use fleet_tests::TestDb;
use serde_json::json;

fn toy() -> NewJob {
    NewJob::new("toy", 1, &Policy::DEFAULT, json!({}))
}

async fn put(db: &TestDb, jobs: &[NewJob]) {
    enqueue_many(&mut *db.conn().await, jobs).await.unwrap();
}

/// A job that is due so many milliseconds from now.
fn due_in(ms: i64) -> NewJob {
    toy().run_at(Utc::now() + TimeDelta::milliseconds(ms))
}

async fn register_toy(db: &TestDb) {
    let toy = KindInfo {
        kind: "toy",
        version: 1,
        policy: Policy::DEFAULT,
        schema: json!(true),
        example: json!({}),
        description: "plays",
    };
    register_kinds(&mut *db.conn().await, &[toy]).await.unwrap();
}

/// A worker whose lease ran out, or will in `lease_s` seconds, and that holds every claimable job.
async fn worker_holding_all(db: &TestDb, lease_s: i32) {
    let sql = "WITH w AS (
            INSERT INTO fleet.worker (id, host, pid, version, queues, kinds, capacity, started_at, renewed_at, lease_until)
            SELECT gen_random_uuid(), 'dead', 1, 'test', '{}', '{toy}', 9, now(), now(), now() + make_interval(secs => $1) RETURNING id
        ), held AS (
            UPDATE fleet.job SET state = 'running', worker_id = w.id, token = 1, attempt = attempt + 1, claim_no = claim_no + 1, started_at = now()
            FROM w WHERE state = 'available' RETURNING queue, tenant_id, kind)
        INSERT INTO fleet.flow (at, queue, tenant_id, kind, event, n) SELECT now(), queue, tenant_id, kind, 'started', count(*) FROM held GROUP BY 2, 3, 4";
    sqlx::query(sql)
        .bind(f64::from(lease_s))
        .execute(&db.pool)
        .await
        .unwrap();
}
