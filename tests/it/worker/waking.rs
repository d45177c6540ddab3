//! Waking: an idle worker starts a job within milliseconds, and asks the database next to nothing.

use std::time::Duration;

use fleet_worker::WorkerSettings;

use super::stage::{COMPLETED, Stage, settings};
use super::toys::Toy;

/// From enqueued to started, by the database's clock.
const WAITS: &str = "SELECT (percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM started_at - created_at)) * 1000)::bigint FROM fleet.job_history";
const ASLEEP: &str = "SELECT count(*) FROM fleet.sleeper";

#[tokio::test]
async fn an_idle_worker_is_woken_by_an_enqueue() {
    let stage = Stage::new().await;
    stage.until("it sleeps", ASLEEP, 1).await;
    for n in 1..=20 {
        stage.put(&Toy::Say("awake".into())).await;
        stage.until("it completes", COMPLETED, n).await;
    }
    let waits = stage.db.number(WAITS).await;
    assert!(waits < 40, "median wait of {waits} ms");
    stage.end().await;
}

#[tokio::test]
async fn without_listen_jobs_are_found_by_polling() {
    let stage = Stage::with(WorkerSettings {
        listen: false,
        ..settings()
    })
    .await;
    for n in 1..=3 {
        stage.put(&Toy::Say("found".into())).await;
        stage.until("it completes", COMPLETED, n).await;
    }
    assert_eq!(
        stage.db.number(ASLEEP).await,
        0,
        "a deaf worker takes nobody's wake-up"
    );
    stage.end().await;
}

#[tokio::test]
async fn a_full_worker_takes_no_wake_ups() {
    let stage = Stage::new().await;
    stage.until("it sleeps", ASLEEP, 1).await;
    stage.put_many(5, &Toy::Sleep(600_000)).await;
    stage.until("its name is struck off", ASLEEP, 0).await;
    stage.hard.cancel();
    stage.end().await;
}

#[tokio::test]
async fn a_scheduled_job_is_found_without_a_word() {
    let stage = Stage::new().await;
    stage.until("it sleeps", ASLEEP, 1).await;
    stage
        .put(&Toy::FailUntil {
            attempt: 2,
            wait_ms: Some(3_000),
        })
        .await;
    stage.until("a poll finds it", COMPLETED, 1).await;
    stage.end().await;
}

#[tokio::test]
async fn an_idle_worker_asks_next_to_nothing() {
    let stage = Stage::new().await;
    stage.until("it sleeps", ASLEEP, 1).await;
    stage.put(&Toy::Say("once".into())).await;
    stage.until("it completes", COMPLETED, 1).await;
    stage.stop_promoting();
    tokio::time::sleep(Duration::from_secs(10)).await;
    let calls = "SELECT sum(xact_commit + xact_rollback)::bigint FROM pg_stat_database WHERE datname = current_database()";
    let before = stage.db.number(calls).await;
    tokio::time::sleep(Duration::from_secs(10)).await;
    let spent = stage.db.number(calls).await - before;
    // A few are the test's own look and the server's vacuum.
    assert!(
        (1..=14).contains(&spent),
        "{spent} transactions in ten idle seconds"
    );
    stage.end().await;
}
