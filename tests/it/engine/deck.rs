//! A worker's hands for engine tests: enqueue, claim, settle in a line each.

use std::time::Duration;

use fleet_queue::transitions::{claim, enqueue, settle};
use fleet_queue::workers::{self, Introduction};
use fleet_queue::{
    Claim, ClaimRequest, Claimed, Enqueued, Error, Failure, NewJob, Outcome, Policy, Settled,
    Settlement, TenantId, Turns, WorkerId,
};
use fleet_tests::TestDb;
use serde_json::json;
use uuid::Uuid;

/// A worker that does what the test says.
pub(super) struct Hand {
    pub(super) id: WorkerId,
    token: i64,
    turns: Turns,
}

impl Hand {
    pub(super) async fn new(db: &TestDb) -> Self {
        let id = WorkerId::generate();
        let introduction = Introduction {
            id,
            host: "test".into(),
            pid: 1,
            version: "test".into(),
            queues: [("default".to_owned(), 100)].into(),
            kinds: vec!["toy".into()],
            capacity: 100,
        };
        workers::register(
            &mut *db.conn().await,
            &introduction,
            Duration::from_secs(3600),
        )
        .await
        .unwrap();
        Self {
            id,
            token: 0,
            turns: Turns::default(),
        }
    }

    pub(super) async fn try_claim(
        &mut self,
        db: &TestDb,
        queue: &str,
        limit: usize,
    ) -> Result<Vec<(Claim, Claimed)>, Error> {
        self.token += 1;
        let kinds = [("toy".to_owned(), 1), ("other".to_owned(), 1)];
        let request = ClaimRequest {
            worker: self.id,
            token: self.token,
            queue,
            limit,
            kinds: &kinds,
        };
        claim::claim(&mut *db.conn().await, request, &mut self.turns).await
    }

    pub(super) async fn claim(&mut self, db: &TestDb, limit: usize) -> Vec<(Claim, Claimed)> {
        self.try_claim(db, "default", limit).await.unwrap()
    }

    /// Claims one job and gives what it needs to be settled.
    pub(super) async fn take(&mut self, db: &TestDb) -> (Claim, Claimed) {
        self.claim(db, 1).await.pop().expect("a job is claimable")
    }

    pub(super) async fn complete_all(&mut self, db: &TestDb, jobs: Vec<(Claim, Claimed)>) {
        let settlements: Vec<_> = jobs
            .into_iter()
            .map(|job| settlement(job, Outcome::Completed { output: None }))
            .collect();
        let answers = settle::settle(&mut *db.conn().await, &settlements)
            .await
            .unwrap();
        assert!(answers.iter().all(|answer| *answer == Settled::Recorded));
    }

    /// Lets the lease run out, as the database sees it.
    pub(super) async fn die(&self, db: &TestDb) {
        sqlx::query("UPDATE fleet.worker SET lease_until = 'epoch' WHERE id = $1")
            .bind(self.id.0)
            .execute(&db.pool)
            .await
            .unwrap();
    }
}

pub(super) fn settlement((claim, job): (Claim, Claimed), outcome: Outcome) -> Settlement {
    Settlement {
        claim,
        outcome,
        attempt: job.attempt,
        max_attempts: job.max_attempts,
    }
}

pub(super) async fn settle_one(db: &TestDb, job: (Claim, Claimed), outcome: Outcome) -> Settled {
    settle::settle(&mut *db.conn().await, &[settlement(job, outcome)])
        .await
        .unwrap()[0]
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
