//! A worker that lost its lease settles nothing and goes on as another: I1, I2, I11.

use std::time::Duration;

use fleet_queue::ProbeAction;
use fleet_queue::transitions::rescue::rescue;
use fleet_worker::WorkerSettings;

use super::stage::{ATTEMPTS, COMPLETED, RUNNING, Stage, settings};
use super::toys::{EFFECTS, Toy};

/// A server that has just started gives every lease its full length again, so these rescues count none.
const AT_ONCE: Duration = Duration::ZERO;
const WORKERS: &str = "SELECT count(*) FROM fleet.worker";

/// As if the process had been stopped past its lease: the database sees it dead, and others take its jobs.
async fn rescue_from_it(stage: &Stage) {
    // In one transaction, so that the living worker cannot renew in between.
    let mut tx = stage.db.pool.begin().await.unwrap();
    sqlx::query("UPDATE fleet.worker SET lease_until = 'epoch'")
        .execute(&mut *tx)
        .await
        .unwrap();
    let rescued = rescue(&mut tx, AT_ONCE).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(rescued.workers, 1);
}

#[tokio::test]
async fn i1_a_worker_that_lost_its_lease_settles_nothing() {
    let stage = Stage::new().await;
    stage
        .db
        .probes()
        .set("worker.before_settle", ProbeAction::Hold);
    stage.put(&Toy::Say("late".into())).await;
    stage.db.probes().reached("worker.before_settle", 1).await;
    // Before the rescue: from then on the worker may already be another.
    stage
        .db
        .execute("CREATE TABLE public.seen AS SELECT id FROM fleet.worker")
        .await;
    rescue_from_it(&stage).await;
    stage
        .db
        .probes()
        .set("worker.before_settle", ProbeAction::Continue);
    stage
        .until_queue("test.toy completed attempt=1 crashes=1")
        .await;
    let by_another = "SELECT count(*) FROM fleet.job_history WHERE worker_id NOT IN (SELECT id FROM public.seen)";
    assert_eq!(
        stage.db.number(by_another).await,
        1,
        "the new worker ran it, and its result counts"
    );
    assert_eq!(stage.counts.begun(), 2);
    stage.end().await;
}

#[tokio::test]
async fn i1_handlers_of_a_lost_lease_are_stopped() {
    let stage = Stage::new().await;
    stage.put_many(2, &Toy::Sleep(600_000)).await;
    stage.until("both run", RUNNING, 2).await;
    rescue_from_it(&stage).await;
    stage.until("the new worker runs both", RUNNING, 2).await;
    fleet_tests::eventually("the old handlers are stopped", || async {
        (stage.counts.cut_short() == 2).then_some(())
    })
    .await;
    let crashed = stage.db.text(ATTEMPTS).await;
    assert_eq!(crashed.matches("crashed").count(), 2, "{crashed}");
    assert_eq!(stage.db.number(WORKERS).await, 2);
    stage.hard.cancel();
    stage.end().await;
}

#[tokio::test]
async fn i1_a_claim_refused_for_its_lease_makes_the_worker_another() {
    let stage = Stage::new().await;
    stage
        .db
        .execute("UPDATE fleet.worker SET lease_until = 'epoch'")
        .await;
    stage.put(&Toy::Say("soon".into())).await;
    stage.until("it completes", COMPLETED, 1).await;
    stage.end().await;
}

#[tokio::test]
async fn i1_a_claim_that_no_longer_stands_stops_its_handler_after_a_reconnect() {
    let stage = Stage::new().await;
    stage.put(&Toy::Sleep(600_000)).await;
    stage.until("it runs", RUNNING, 1).await;
    // As after a failover that lost the claim's commit.
    stage
        .db
        .execute("UPDATE fleet.job SET token = token + 1000000")
        .await;
    super::trouble::cut_connections(&stage.db).await;
    fleet_tests::eventually("its handler is stopped", || async {
        (stage.counts.cut_short() == 1).then_some(())
    })
    .await;
    stage.hard.cancel();
    stage.end().await;
}

#[tokio::test]
async fn i11_a_worker_that_cannot_renew_stops_its_handlers_before_the_lease_ends() {
    let stage = Stage::with(WorkerSettings {
        renew_every: Duration::from_millis(200),
        give_up_after: Duration::from_millis(800),
        lease_ttl: Duration::from_secs(3),
        ..settings()
    })
    .await;
    stage.put(&Toy::Sleep(600_000)).await;
    stage.put(&Toy::SleepOn(600_000)).await;
    stage.until("both run", RUNNING, 2).await;
    // Renewals wait for this lock, as they would for a network that is gone.
    let mut locked = stage.db.pool.begin().await.unwrap();
    sqlx::query("SELECT 1 FROM fleet.worker FOR UPDATE")
        .execute(&mut *locked)
        .await
        .unwrap();
    fleet_tests::eventually("handlers are stopped", || async {
        (stage.counts.cut_short() == 1).then_some(())
    })
    .await;
    assert_eq!(
        stage
            .db
            .number("SELECT count(*) FROM fleet.worker WHERE lease_until > clock_timestamp()")
            .await,
        1,
        "in time"
    );
    locked.rollback().await.unwrap();
    stage.until("they begin again", "SELECT count(*) FROM fleet.job WHERE state = 'running' AND claim_no > 1 AND crashes = 0", 2).await;
    stage.hard.cancel();
    stage.end().await;
}

#[tokio::test]
async fn i6_i11_two_workers_do_every_effect_once() {
    let first = Stage::new().await;
    let (registry, _) = super::toys::registry();
    let soft = first.soft.clone();
    let second = tokio::spawn(fleet_worker::run(
        settings(),
        first.db.db.clone(),
        registry,
        soft,
        first.hard.clone(),
    ));
    first.put_many(400, &Toy::Effect { commit: true }).await;
    first.until("all complete", COMPLETED, 400).await;
    assert_eq!(first.db.number(EFFECTS).await, 400);
    first.soft.cancel();
    second.await.unwrap().unwrap();
    let db = first.end().await;
    assert_eq!(
        db.number("SELECT count(DISTINCT job_id) FROM fleet.unique_window")
            .await,
        400
    );
}
