//! Trouble on the way to the database: cut connections, answers that never come: I3, I11.

use std::time::Duration;

use fleet_queue::ProbeAction;
use fleet_tests::TestDb;

use super::stage::{COMPLETED, ENDED, RUNNING, Stage};
use super::toys::{EFFECTS, Toy};

/// Ends every other connection to the database, as a restarted proxy would.
pub(super) async fn cut_connections(db: &TestDb) {
    // The connection that asks may be one the pool had open: it is not cut.
    db.number(
        "SELECT count(*) FROM (SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend') t",
    )
    .await;
}

#[tokio::test]
async fn i11_cut_connections_lose_nothing_and_double_nothing() {
    let stage = Stage::new().await;
    stage.put_many(600, &Toy::Effect { commit: true }).await;
    stage.put_many(600, &Toy::Say("x".into())).await;
    for _ in 0..5 {
        cut_connections(&stage.db).await;
        tokio::time::sleep(Duration::from_millis(150)).await;
    }
    let ended = "SELECT count(*) FROM fleet.job_history WHERE state IN ('completed', 'discarded')";
    // A handler whose own connection was cut fails its attempt and is tried again.
    stage.until("all end", ended, 1_200).await;
    let done =
        "SELECT count(*) FROM fleet.job_history h WHERE state = 'completed' AND payload ? 'Effect'";
    assert_eq!(stage.db.number(EFFECTS).await, stage.db.number(done).await);
    stage.end().await;
}

#[tokio::test]
async fn i3_jobs_of_a_claim_whose_answer_was_lost_are_given_back() {
    let stage = Stage::new().await;
    stage.db.probes().set("worker.claimed", ProbeAction::Fail);
    stage.put_many(3, &Toy::Say("found".into())).await;
    stage.db.probes().reached("worker.claimed", 3).await;
    assert_eq!(stage.counts.begun(), 0);
    stage
        .db
        .probes()
        .set("worker.claimed", ProbeAction::Continue);
    stage.until("all complete", COMPLETED, 3).await;
    let free = "SELECT count(*) FROM fleet.job_history WHERE attempt = 1 AND crashes = 0";
    assert_eq!(stage.db.number(free).await, 3, "at no cost to them");
    stage.end().await;
}

#[tokio::test]
async fn claims_that_fail_are_tried_again() {
    let stage = Stage::new().await;
    stage
        .db
        .probes()
        .set("worker.before_claim", ProbeAction::Fail);
    stage.put(&Toy::Say("later".into())).await;
    stage.db.probes().reached("worker.before_claim", 4).await;
    stage
        .db
        .probes()
        .set("worker.before_claim", ProbeAction::Continue);
    stage.until("it completes", COMPLETED, 1).await;
    stage.end().await;
}

#[tokio::test]
async fn i11_handlers_that_hold_every_connection_do_not_cost_the_lease() {
    let stage = Stage::new().await;
    stage.put(&Toy::Sleep(600_000)).await;
    stage.until("it runs", RUNNING, 1).await;
    let mut all = Vec::new();
    while let Some(conn) = stage.db.pool.try_acquire() {
        all.push(conn);
    }
    while all.len() < 19 {
        all.push(stage.db.conn().await);
    }
    tokio::time::sleep(Duration::from_secs(9)).await;
    let living: bool =
        sqlx::query_scalar("SELECT lease_until > clock_timestamp() FROM fleet.worker")
            .fetch_one(&mut *all[0])
            .await
            .unwrap();
    assert!(living, "renewed past its first lease without the pool");
    drop(all);
    assert_eq!(stage.counts.cut_short(), 0);
    assert_eq!(stage.db.number(ENDED).await, 0);
    stage.hard.cancel();
    stage.end().await;
}
