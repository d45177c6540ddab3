//! Workers that die, stop, wake, and are told to go.

use std::time::{Duration, Instant};

use fleet_tests::{database, eventually, invariants};

use super::*;

#[tokio::test]
async fn i11_what_a_killed_worker_held_runs_elsewhere_within_ten_seconds_and_once() {
    let db = database().await;
    let (mut doomed, _other, _scheduler) = (worker(&db), worker(&db), scheduler(&db));
    until(&db, "two workers live", LIVING, 2).await;
    put(&db, &(0..400).map(|n| effect(n, 150)).collect::<Vec<_>>()).await;
    eventually("both are busy", || async {
        let busy = db
            .number("SELECT count(DISTINCT worker_id) FROM fleet.job WHERE state = 'running'")
            .await;
        (busy == 2).then_some(())
    })
    .await;
    doomed.kill();
    let killed = Instant::now();
    let orphans = "SELECT count(*) FROM fleet.job j WHERE state = 'running' AND started_at < (SELECT max(renewed_at) FROM fleet.worker) - interval '30 seconds'";
    assert_eq!(db.number(orphans).await, 0);
    until(
        &db,
        "its lease is seen to be over",
        "SELECT count(*) FROM fleet.worker WHERE end_reason = 'lease expired'",
        1,
    )
    .await;
    until(
        &db,
        "its jobs run elsewhere",
        "SELECT count(*) FROM fleet.job WHERE crashes > 0 AND state = 'available'",
        0,
    )
    .await;
    let took = killed.elapsed();
    assert!(
        took < Duration::from_secs(10),
        "its jobs ran elsewhere only after {took:?}"
    );
    until(&db, "all is done", COMPLETED, 400).await;
    no_effect_is_doubled(&db, 400).await;
    assert!(
        db.number("SELECT count(*) FROM fleet.attempt WHERE outcome = 'crashed'")
            .await
            > 0,
        "it held something"
    );
    invariants::assert_hold(&db.pool).await;
}

#[tokio::test]
async fn i1_a_worker_stopped_past_its_lease_settles_nothing_when_it_wakes() {
    let db = database().await;
    let (sleeper, _scheduler) = (worker(&db), scheduler(&db));
    put(&db, &(0..10).map(|n| effect(n, 1_500)).collect::<Vec<_>>()).await;
    until(&db, "it runs them", RUNNING, 10).await;
    sleeper.signal("STOP");
    let _other = worker(&db);
    until(&db, "they ended elsewhere", COMPLETED, 10).await;
    sleeper.signal("CONT");
    // It wakes as somebody else: the old identity stays dead.
    until(&db, "it is back under a new name", LIVING, 2).await;
    no_effect_is_doubled(&db, 10).await;
    assert_eq!(db.number(LEFT).await, 0);
    invariants::assert_hold(&db.pool).await;
}

#[tokio::test]
async fn i4_a_job_that_kills_its_worker_is_given_up_and_the_others_go_on() {
    let db = database().await;
    let _scheduler = scheduler(&db);
    put(&db, &[NewJob::of(&Abort {})]).await;
    put(&db, &(0..20).map(|n| effect(n, 50)).collect::<Vec<_>>()).await;
    // As a service manager would, one worker is started whenever the last has died.
    let mut current = worker(&db);
    let mut deaths = 0;
    eventually("the poison is quarantined", || {
        if current.has_ended().is_some() {
            deaths += 1;
            current = worker(&db);
        }
        async {
            (db.number("SELECT count(*) FROM fleet.job_history WHERE reason = 'crash loop'")
                .await
                == 1)
                .then_some(())
        }
    })
    .await;
    assert_eq!(deaths, 3);
    until(&db, "the others are done", COMPLETED, 20).await;
    no_effect_is_doubled(&db, 20).await;
    let spoiled = db.number("SELECT count(*) FROM fleet.job_history WHERE state <> 'completed' AND kind <> 'diagnostics.abort'").await;
    assert_eq!(spoiled, 0);
    invariants::assert_hold(&db.pool).await;
}

#[tokio::test]
async fn i11_sigterm_gives_back_what_cannot_finish_at_no_cost() {
    let db = database().await;
    let mut leaving = worker_at(&db.url, &["--concurrency", "5", "--shutdown-grace", "1s"]);
    let jobs: Vec<_> = (0..8).map(|_| NewJob::of(&Sleep { ms: 60_000 })).collect();
    put(&db, &jobs).await;
    until(&db, "five run", RUNNING, 5).await;
    leaving.signal("TERM");
    let status = leaving.ended(Duration::from_secs(15)).await;
    assert!(status.success(), "{status}");
    let expected = ["diagnostics.sleep available attempt=0 crashes=0"; 8].join("\n");
    assert_eq!(db.queue().await, expected);
    assert_eq!(
        db.text("SELECT end_reason FROM fleet.worker").await,
        "stopped"
    );
    invariants::assert_hold(&db.pool).await;
}

#[tokio::test]
async fn a_running_job_is_cancelled_on_another_host_within_a_second() {
    let db = database().await;
    let _worker = worker(&db);
    let job = NewJob::of(&Sleep { ms: 600_000 });
    put(&db, std::slice::from_ref(&job)).await;
    until(&db, "it runs", RUNNING, 1).await;
    let asked = Instant::now();
    fleet_queue::transitions::cancel::cancel(
        &mut *db.conn().await,
        job.id,
        Some("changed my mind"),
    )
    .await
    .unwrap();
    until(
        &db,
        "it is cancelled",
        "SELECT count(*) FROM fleet.job_history WHERE state = 'cancelled'",
        1,
    )
    .await;
    assert!(
        asked.elapsed() < Duration::from_secs(3),
        "the token within 1 s, and a machine under load"
    );
    assert_eq!(
        db.text("SELECT reason FROM fleet.job_history").await,
        "changed my mind"
    );
}
