//! The real binary, with real kill -9, SIGSTOP and SIGTERM: I1, I2, I4, I11.

mod absence;
mod crowd;
mod deaths;
mod outage;
mod scrape;

use fleet_jobs::diagnostics::{Abort, Effect, Sleep};
use fleet_queue::NewJob;
use fleet_queue::transitions::enqueue::enqueue_many;
use fleet_tests::process::Process;
use fleet_tests::{TestDb, eventually};

const FLEET: &str = env!("CARGO_BIN_EXE_fleet-under-test");

fn worker(db: &TestDb) -> Process {
    worker_at(&db.url, &["--concurrency", "20"])
}

fn worker_at(url: &str, more: &[&str]) -> Process {
    let args = [&["worker", "--diagnostics"], more].concat();
    Process::start(FLEET, url, &args, &[])
}

fn scheduler(db: &TestDb) -> Process {
    Process::start(FLEET, &db.url, &["scheduler"], &[])
}

fn effect(n: usize, ms: u64) -> NewJob {
    NewJob::of(&Effect {
        key: format!("key {n}"),
        ms,
    })
}

async fn put(db: &TestDb, jobs: &[NewJob]) {
    enqueue_many(&mut *db.conn().await, jobs).await.unwrap();
}

/// Waits until a count is reached.
async fn until(db: &TestDb, what: &str, sql: &'static str, n: i64) {
    eventually(what, || async { (db.number(sql).await == n).then_some(()) }).await;
}

async fn no_effect_is_doubled(db: &TestDb, expected: i64) {
    let twice = db.number("SELECT count(*) FROM (SELECT key FROM fleet.diagnostic_effect GROUP BY key HAVING count(*) > 1) t").await;
    assert_eq!(twice, 0, "effects that happened twice");
    assert_eq!(
        db.number("SELECT count(*) FROM fleet.diagnostic_effect")
            .await,
        expected
    );
}

// Not those that the scheduler's own schedules bring meanwhile.
const RUNNING: &str =
    "SELECT count(*) FROM fleet.job WHERE state = 'running' AND kind LIKE 'diagnostics.%'";
const COMPLETED: &str = "SELECT count(*) FROM fleet.job_history WHERE state = 'completed' AND kind LIKE 'diagnostics.%'";
const LEFT: &str = "SELECT count(*) FROM fleet.job WHERE kind LIKE 'diagnostics.%'";
const LIVING: &str = "SELECT count(*) FROM fleet.worker WHERE ended_at IS NULL";
