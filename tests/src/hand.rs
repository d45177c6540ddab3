//! A worker's hands: a test introduces a worker and claims and settles by it in a line each, without any process.

use std::time::Duration;

use fleet_queue::transitions::{claim, settle};
use fleet_queue::workers::{self, Introduction};
use fleet_queue::{
    Claim, ClaimRequest, Claimed, Error, Outcome, Settled, Settlement, Turns, WorkerId,
};
use sqlx::PgConnection;

use crate::TestDb;

/// A worker that does what the test says. Its lease lasts an hour.
pub struct Hand {
    /// Its id.
    pub id: WorkerId,
    kinds: Vec<(String, i16)>,
    token: i64,
    turns: Turns,
}

impl Hand {
    /// Introduces a worker that serves the first version of these kinds.
    ///
    /// # Panics
    /// When the database refuses it.
    pub async fn serving(db: &TestDb, kinds: &[&str]) -> Self {
        let kinds: Vec<_> = kinds.iter().map(|kind| ((*kind).to_owned(), 1)).collect();
        let introduction = Introduction {
            id: WorkerId::generate(),
            host: "workshop".into(),
            pid: 1,
            version: "test".into(),
            queues: [("default".to_owned(), 100)].into(),
            kinds: kinds.iter().map(|(kind, _)| kind.clone()).collect(),
            capacity: 100,
        };
        let hour = Duration::from_hours(1);
        let registered = workers::register(&mut *db.conn().await, &introduction, hour).await;
        registered.expect("a worker can be introduced");
        Self {
            id: introduction.id,
            kinds,
            token: 0,
            turns: Turns::default(),
        }
    }

    /// Claims up to so many jobs of a queue.
    pub async fn try_claim(
        &mut self,
        db: &TestDb,
        queue: &str,
        limit: usize,
    ) -> Result<Vec<(Claim, Claimed)>, Error> {
        self.claim_on(&mut *db.conn().await, queue, limit).await
    }

    /// Claims over a connection of the test's own, perhaps in a transaction.
    pub async fn claim_on(
        &mut self,
        conn: &mut PgConnection,
        queue: &str,
        limit: usize,
    ) -> Result<Vec<(Claim, Claimed)>, Error> {
        self.token += 1;
        let request = ClaimRequest {
            worker: self.id,
            token: self.token,
            queue,
            limit,
            kinds: &self.kinds,
        };
        claim::claim(conn, request, &mut self.turns).await
    }

    /// Claims up to so many jobs of the queue that needs no name.
    ///
    /// # Panics
    /// When the claim is refused.
    pub async fn claim(&mut self, db: &TestDb, limit: usize) -> Vec<(Claim, Claimed)> {
        let claimed = self.try_claim(db, "default", limit).await;
        claimed.expect("the worker lives")
    }

    /// Claims the next job.
    ///
    /// # Panics
    /// When there is none.
    pub async fn take(&mut self, db: &TestDb) -> (Claim, Claimed) {
        self.claim(db, 1).await.pop().expect("a job is claimable")
    }

    /// Lets the lease run out, as the database sees it.
    ///
    /// # Panics
    /// When the database cannot be reached.
    pub async fn die(&self, db: &TestDb) {
        sqlx::query("UPDATE fleet.worker SET lease_until = 'epoch' WHERE id = $1")
            .bind(self.id.0)
            .execute(&db.pool)
            .await
            .expect("a test's SQL is right");
    }
}

/// A claimed job and how its attempt ended.
#[must_use]
pub fn settlement((claim, job): (Claim, Claimed), outcome: Outcome) -> Settlement {
    Settlement {
        claim,
        outcome,
        attempt: job.attempt,
        max_attempts: job.max_attempts,
    }
}

/// Settles one claimed job.
///
/// # Panics
/// When the database refuses to hear of it; a lost lease is an answer.
pub async fn settle_one(db: &TestDb, job: (Claim, Claimed), outcome: Outcome) -> Settled {
    let answers = settle::settle(&mut *db.conn().await, &[settlement(job, outcome)]).await;
    answers.expect("a settlement is heard")[0]
}

/// Completes jobs whose claims stand.
///
/// # Panics
/// When one of the claims does not.
pub async fn complete_all(db: &TestDb, jobs: Vec<(Claim, Claimed)>) {
    let done = |job| settlement(job, Outcome::Completed { output: None });
    let settlements: Vec<_> = jobs.into_iter().map(done).collect();
    let answers = settle::settle(&mut *db.conn().await, &settlements).await;
    let answers = answers.expect("settlements are heard");
    assert!(answers.iter().all(|answer| *answer == Settled::Recorded));
}
