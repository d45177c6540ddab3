//! A worker on a stage: started with what a test needs, told to stop at its end, with the invariants checked after the last scene.

use std::time::Duration;

use fleet_queue::transitions::enqueue::{enqueue, enqueue_many};
use fleet_queue::transitions::promote::promote;
use fleet_queue::{JobId, NewJob, wake};
use fleet_tests::{TestDb, database, eventually, invariants};
use fleet_worker::{WorkerError, WorkerSettings};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::toys::{Counts, Toy, job, registry};

/// Settings under which trouble shows early.
pub(super) fn settings() -> WorkerSettings {
    WorkerSettings {
        concurrency: 4,
        shutdown_grace: Duration::from_secs(20),
        cancel_grace: Duration::from_secs(2),
        ..WorkerSettings::default()
    }
}

/// A database and a worker on it.
pub(super) struct Stage {
    pub(super) db: TestDb,
    pub(super) counts: Counts,
    pub(super) soft: CancellationToken,
    pub(super) hard: CancellationToken,
    worker: JoinHandle<Result<(), WorkerError>>,
    promoting: AbortOnDropHandle<()>,
}

impl Stage {
    pub(super) async fn new() -> Self {
        Self::with(settings()).await
    }

    pub(super) async fn with(settings: WorkerSettings) -> Self {
        Self::on(database().await, settings).await
    }

    /// Raises the curtain once the worker is registered.
    pub(super) async fn on(db: TestDb, settings: WorkerSettings) -> Self {
        let (registry, counts) = registry();
        let (soft, hard) = (CancellationToken::new(), CancellationToken::new());
        let run = fleet_worker::run(
            settings,
            db.db.clone(),
            registry,
            soft.clone(),
            hard.clone(),
        );
        let promoting = AbortOnDropHandle::new(tokio::spawn(promote_for_ever(db.pool.clone())));
        let stage = Self {
            db,
            counts,
            soft,
            hard,
            worker: tokio::spawn(run),
            promoting,
        };
        stage.until("the worker is registered", LIVING, 1).await;
        stage
    }

    /// Enqueues, and wakes a sleeper as every caller does.
    pub(super) async fn put(&self, toy: &Toy) -> JobId {
        self.put_job(&job(toy)).await
    }

    pub(super) async fn put_job(&self, job: &NewJob) -> JobId {
        let mut conn = self.db.conn().await;
        let id = enqueue(&mut conn, job).await.unwrap().id;
        wake::wake(&mut conn, std::slice::from_ref(&job.queue))
            .await
            .unwrap();
        id
    }

    pub(super) async fn put_many(&self, n: usize, toy: &Toy) {
        let jobs: Vec<_> = (0..n).map(|_| job(toy)).collect();
        let mut conn = self.db.conn().await;
        enqueue_many(&mut conn, &jobs).await.unwrap();
        wake::wake(&mut conn, &["default".to_owned()])
            .await
            .unwrap();
    }

    /// Waits until a count is reached.
    pub(super) async fn until(&self, what: &str, sql: &'static str, n: i64) {
        eventually(what, || async {
            (self.db.number(sql).await == n).then_some(())
        })
        .await;
    }

    /// Waits until the whole queue reads so.
    pub(super) async fn until_queue(&self, expected: &str) {
        eventually(expected, || async {
            (self.db.queue().await == expected).then_some(())
        })
        .await;
    }

    /// From now on nothing but the worker asks the database.
    pub(super) fn stop_promoting(&self) {
        self.promoting.abort();
    }

    /// Stops the worker in good order, and checks what must hold ever after.
    pub(super) async fn end(self) -> TestDb {
        self.soft.cancel();
        self.worker.await.unwrap().unwrap();
        assert_eq!(self.db.number(LIVING).await, 0, "it departed");
        invariants::assert_hold(&self.db.pool).await;
        self.db
    }
}

/// The scheduler's duty, here by hand; it wakes nobody.
async fn promote_for_ever(pool: sqlx::PgPool) {
    loop {
        if let Ok(mut conn) = pool.acquire().await {
            // A test may cut this connection too; the next one will do.
            let _ = promote(&mut conn, None, 1_000).await;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

pub(super) const LIVING: &str = "SELECT count(*) FROM fleet.worker WHERE ended_at IS NULL";
pub(super) const RUNNING: &str = "SELECT count(*) FROM fleet.job WHERE state = 'running'";
pub(super) const ENDED: &str = "SELECT count(*) FROM fleet.job_history";
pub(super) const COMPLETED: &str =
    "SELECT count(*) FROM fleet.job_history WHERE state = 'completed'";
/// How attempts that did not simply succeed ended, in order.
pub(super) const ATTEMPTS: &str = "SELECT COALESCE(string_agg(outcome || COALESCE(': ' || error, ''), E'\\n' ORDER BY ended_at), '') FROM fleet.attempt";
