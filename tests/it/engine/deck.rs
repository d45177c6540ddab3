//! What the engine's stories are told with: toys, tenants, failures, and a line to enqueue each.

use std::sync::Arc;

use fleet_queue::transitions::{enqueue, settle};
use fleet_queue::{Claim, Claimed, Cx, Enqueued, Failure, NewJob, Policy, TenantId};
use fleet_tests::{Hand, TestDb};
use serde_json::json;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// How many connections wait for a lock of somebody else's.
pub(super) const WAITING: &str = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";

/// A worker that serves toys and others.
pub(super) async fn toymaker(db: &TestDb) -> Hand {
    Hand::serving(db, &["toy", "other"]).await
}

pub(super) fn failure(error: &str) -> Failure {
    Failure {
        how: settle::FailureKind::Failed,
        error: error.to_owned(),
    }
}

pub(super) fn toy() -> NewJob {
    NewJob::new(
        "toy",
        1,
        &Policy {
            max_attempts: 3,
            ..Policy::DEFAULT
        },
        json!({}),
    )
}

pub(super) fn tenant(n: u128) -> TenantId {
    TenantId(Uuid::from_u128(n))
}

pub(super) async fn put(db: &TestDb, job: NewJob) -> Enqueued {
    enqueue::enqueue(&mut *db.conn().await, &job).await.unwrap()
}

pub(super) async fn put_many(
    db: &TestDb,
    n: usize,
    job: impl Fn(usize) -> NewJob,
) -> Vec<Enqueued> {
    let jobs: Vec<_> = (0..n).map(job).collect();
    enqueue::enqueue_many(&mut *db.conn().await, &jobs)
        .await
        .unwrap()
}

/// Where a worker keeps a claim while a handler has the job in hand.
pub(super) type Place = Arc<Mutex<Option<Claim>>>;

/// A claimed job as its handler has it in hand, and the claim as its worker has it.
pub(super) fn in_hand(db: &TestDb, (claim, job): (Claim, Claimed)) -> (Cx<()>, Place) {
    let place = Arc::new(Mutex::new(Some(claim)));
    let held = Arc::clone(&place);
    let cx = Cx::new(db.db.clone(), Arc::new(job), held, CancellationToken::new());
    (cx, place)
}
