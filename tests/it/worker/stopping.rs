//! Stopping: one handler, because its job is cancelled; all of them, because the worker stops: I11.

use std::time::Duration;

use fleet_queue::transitions::cancel::{Cancelled, cancel};
use fleet_queue::{JobId, ProbeAction, wake};
use tokio::time::Instant;

use super::stage::{ATTEMPTS, RUNNING, Stage, settings};
use super::toys::{Toy, job};

async fn call_off(stage: &Stage, id: JobId, nudge: bool) {
    let mut conn = stage.db.conn().await;
    let answer = cancel(&mut conn, id, Some("not needed")).await.unwrap();
    let Cancelled::Requested(worker) = answer else {
        panic!("it runs: {answer:?}");
    };
    if nudge {
        wake::nudge(&mut conn, worker).await.unwrap();
    }
}

#[tokio::test]
async fn a_running_job_is_cancelled_within_a_second() {
    for (nudge, listen) in [(true, true), (false, false)] {
        let settings = fleet_worker::WorkerSettings {
            listen,
            ..settings()
        };
        let stage = Stage::with(settings).await;
        let id = stage.put(&Toy::Sleep(600_000)).await;
        stage.until("it runs", RUNNING, 1).await;
        let begun = Instant::now();
        call_off(&stage, id, nudge).await;
        stage
            .until_queue("test.toy cancelled attempt=1 crashes=0 because not needed")
            .await;
        assert_eq!(stage.counts.cut_short(), 1, "its handler was told");
        assert!(
            begun.elapsed() < Duration::from_millis(1_500),
            "{:?}",
            begun.elapsed()
        );
        stage.end().await;
    }
}

#[tokio::test]
async fn a_job_that_will_not_hear_is_dropped_after_its_grace() {
    let stage = Stage::new().await;
    let id = stage.put(&Toy::SleepOn(600_000)).await;
    stage.until("it runs", RUNNING, 1).await;
    call_off(&stage, id, true).await;
    stage
        .until_queue("test.toy cancelled attempt=1 crashes=0 because not needed")
        .await;
    stage.end().await;
}

#[tokio::test]
async fn i11_a_stop_lets_short_jobs_end() {
    let stage = Stage::new().await;
    stage.put_many(4, &Toy::Sleep(1_000)).await;
    stage.until("they run", RUNNING, 4).await;
    let db = stage.end().await;
    let completed = ["test.toy completed attempt=1 crashes=0"; 4].join("\n");
    assert_eq!(db.queue().await, completed);
}

#[tokio::test]
async fn i11_a_stop_gives_long_jobs_back_at_no_cost() {
    let settings = fleet_worker::WorkerSettings {
        shutdown_grace: Duration::from_millis(100),
        cancel_grace: Duration::from_millis(300),
        ..settings()
    };
    let stage = Stage::with(settings).await;
    stage.put(&Toy::Sleep(600_000)).await;
    stage.put(&Toy::SleepOn(600_000)).await;
    stage.until("they run", RUNNING, 2).await;
    let db = stage.end().await;
    let given_back = ["test.toy available attempt=0 crashes=0"; 2].join("\n");
    assert_eq!(db.queue().await, given_back);
    assert_eq!(db.text(ATTEMPTS).await, "interrupted\ninterrupted");
    assert_eq!(
        db.text("SELECT end_reason FROM fleet.worker").await,
        "stopped"
    );
}

#[tokio::test]
async fn i11_a_stop_by_force_ends_at_once_and_gives_back_what_ran() {
    let stage = Stage::new().await;
    stage.put(&Toy::SleepOn(600_000)).await;
    stage.until("it runs", RUNNING, 1).await;
    let begun = Instant::now();
    stage.hard.cancel();
    let db = stage.end().await;
    assert!(
        begun.elapsed() < Duration::from_secs(2),
        "{:?}",
        begun.elapsed()
    );
    assert_eq!(db.queue().await, "test.toy available attempt=0 crashes=0");
}

#[tokio::test]
async fn a_job_cancelled_before_its_handler_began_never_runs() {
    let stage = Stage::new().await;
    stage
        .db
        .probes()
        .set("worker.before_run", ProbeAction::Hold);
    let held = stage.put(&Toy::Say("held".into())).await;
    stage.db.probes().reached("worker.before_run", 1).await;
    call_off(&stage, held, true).await;
    let later = stage.put_job(&job(&Toy::Say("later".into()))).await;
    assert_ne!(held, later);
    stage
        .db
        .probes()
        .set("worker.before_run", ProbeAction::Continue);
    // Told at the probe, the first may still run to its end: its work is done then. Neither is lost.
    stage.until("both end", super::stage::ENDED, 2).await;
    stage.end().await;
}

#[tokio::test]
async fn i11_a_stop_ends_although_the_database_takes_no_results() {
    let settings = fleet_worker::WorkerSettings {
        renew_every: Duration::from_millis(200),
        give_up_after: Duration::from_millis(800),
        lease_ttl: Duration::from_secs(2),
        ..settings()
    };
    let stage = Stage::with(settings).await;
    stage
        .db
        .probes()
        .set("worker.before_settle", ProbeAction::Fail);
    stage.put(&Toy::Say("unheard".into())).await;
    stage.db.probes().reached("worker.before_settle", 2).await;
    let db = stage.end().await;
    assert_eq!(
        db.queue().await,
        "test.toy available attempt=0 crashes=0",
        "to be run again, at no cost"
    );
}
