//! How much a worker takes: never more handlers than it may, never more jobs than it soon starts, none while it drains.

use std::time::Duration;

use fleet_queue::WorkerId;
use fleet_queue::workers::set_draining;

use super::stage::{COMPLETED, ENDED, RUNNING, Stage, settings};
use super::toys::{Toy, job};

/// Jobs that were ever claimed, where none is claimed twice.
const CLAIMED: &str = "SELECT (SELECT count(*) FROM fleet.job WHERE state = 'running') + (SELECT count(*) FROM fleet.job_history)";

#[tokio::test]
async fn slow_jobs_are_not_hoarded() {
    let stage = Stage::new().await;
    stage.put_many(40, &Toy::SleepOn(150)).await;
    while stage.db.number(ENDED).await < 40 {
        let claimed = stage.db.number(CLAIMED).await;
        let waiting = claimed - stage.counts.begun().cast_signed();
        assert!(waiting <= 4, "{waiting} jobs wait here for 4 handlers");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(stage.counts.most_asleep(), 4);
    stage.end().await;
}

#[tokio::test]
async fn what_was_claimed_ahead_of_slow_jobs_goes_back() {
    let stage = Stage::new().await;
    stage.put_many(2_000, &Toy::Say("fast".into())).await;
    stage.until("the fast ones end", COMPLETED, 2_000).await;
    // The pace so far would allow hundreds.
    stage.put_many(200, &Toy::Sleep(600_000)).await;
    stage
        .until("only what has a handler is held", RUNNING, 4)
        .await;
    let back = "SELECT count(*) FROM fleet.job WHERE state = 'available' AND attempt = 0";
    assert_eq!(stage.db.number(back).await, 196);
    stage.hard.cancel();
    stage.end().await;
}

#[tokio::test]
async fn a_queue_never_has_more_handlers_than_it_may() {
    let settings = fleet_worker::WorkerSettings {
        concurrency: 8,
        queues: [("default".to_owned(), 6), ("narrow".to_owned(), 1)].into(),
        ..settings()
    };
    let stage = Stage::with(settings).await;
    for _ in 0..3 {
        let mut narrow = job(&Toy::SleepOn(200));
        narrow.queue = "narrow".to_owned();
        stage.put_job(&narrow).await;
    }
    stage.put_many(3, &Toy::Sleep(200)).await;
    stage.until("all end", COMPLETED, 6).await;
    assert_eq!(stage.counts.most_asleep(), 1);
    stage.end().await;
}

#[tokio::test]
async fn a_draining_worker_takes_nothing_until_it_may_again() {
    let stage = Stage::new().await;
    let worker: uuid::Uuid = sqlx::query_scalar("SELECT id FROM fleet.worker")
        .fetch_one(&stage.db.pool)
        .await
        .unwrap();
    let worker = WorkerId(worker);
    let set = async |draining| {
        set_draining(&mut *stage.db.conn().await, worker, draining)
            .await
            .unwrap()
    };
    assert!(set(true).await);
    let renewed = "SELECT count(*) FROM fleet.worker WHERE draining AND renewed_at > started_at + interval '3 seconds'";
    stage.until("it has heard", renewed, 1).await;
    stage.put(&Toy::Say("wait".into())).await;
    stage.until("it renews once more", "SELECT count(*) FROM fleet.worker WHERE renewed_at > started_at + interval '6 seconds'", 1).await;
    assert_eq!(
        stage.db.queue().await,
        "test.toy available attempt=0 crashes=0"
    );
    assert!(set(false).await);
    stage
        .until_queue("test.toy completed attempt=1 crashes=0")
        .await;
    stage.end().await;
}
