//! The scheduler as it runs: prompt, patient with errors and outages, quiet, and quick to stop.

use std::time::Duration;

use fleet_queue::duties;
use fleet_queue::schedules::{self, Expect};
use fleet_queue::{ProbeAction, TenantId};
use fleet_scheduler::{SchedulerSettings, run};
use fleet_tests::{TestDb, database, eventually, invariants};
use serde_json::json;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{due_in, put, register_toy, toy, worker_holding_all};

struct Running {
    soft: CancellationToken,
    task: JoinHandle<()>,
}

fn settings() -> SchedulerSettings {
    SchedulerSettings {
        lease_ttl: Duration::from_secs(1),
        default_schedules: false,
        ..SchedulerSettings::default()
    }
}

impl Running {
    fn start(db: &TestDb) -> Self {
        Self::with(db, settings())
    }

    fn with(db: &TestDb, settings: SchedulerSettings) -> Self {
        let soft = CancellationToken::new();
        let running = run(settings, db.db.clone(), soft.clone());
        let task = tokio::spawn(async move { running.await.unwrap() });
        Self { soft, task }
    }

    async fn stop(self) {
        self.soft.cancel();
        tokio::time::timeout(Duration::from_secs(10), self.task)
            .await
            .expect("it stops when told")
            .unwrap();
    }
}

async fn until(db: &TestDb, what: &str, sql: &'static str, n: i64) {
    eventually(what, || async { (db.number(sql).await >= n).then_some(()) }).await;
}

#[tokio::test]
async fn two_schedulers_fire_every_second_once_as_it_comes() {
    let db = database().await;
    register_toy(&db).await;
    let every_second =
        json!({ "name": "s", "kind": "toy", "cron": "@every 1s", "overlap": "allow" });
    let definition = serde_json::from_value(every_second).unwrap();
    let conn = &mut *db.conn().await;
    schedules::put(conn, TenantId::PLATFORM, &definition, Expect::New, "tester")
        .await
        .unwrap();
    let both = [Running::start(&db), Running::start(&db)];
    until(
        &db,
        "four ticks",
        "SELECT count(*) FROM fleet.schedule_tick",
        4,
    )
    .await;
    for scheduler in both {
        scheduler.stop().await;
    }
    let gaps = "SELECT count(*) FROM (SELECT tick_at - lag(tick_at) OVER (ORDER BY tick_at) AS gap FROM fleet.schedule_tick) t WHERE gap <> interval '1 second'";
    assert_eq!(db.number(gaps).await, 0, "no second is left out");
    assert_eq!(
        db.number("SELECT count(*) FROM fleet.job").await,
        db.number("SELECT count(*) FROM fleet.schedule_tick").await
    );
    invariants::assert_hold(&db.pool).await;
}

#[tokio::test]
async fn a_dead_worker_is_noticed_within_half_a_second() {
    let db = database().await;
    put(&db, &[toy()]).await;
    worker_holding_all(&db, 2).await;
    let scheduler = Running::start(&db);
    until(
        &db,
        "a rescue",
        "SELECT count(*) FROM fleet.worker WHERE end_reason = 'lease expired'",
        1,
    )
    .await;
    scheduler.stop().await;
    let late_ms = "SELECT extract(epoch FROM ended_at - lease_until)::bigint * 1000 + extract(milliseconds FROM ended_at - lease_until)::bigint % 1000 FROM fleet.worker";
    let late = db.number(late_ms).await;
    assert!((0..500).contains(&late), "{late} ms after the lease's end");
}

#[tokio::test]
async fn a_job_becomes_available_when_it_is_due() {
    let db = database().await;
    let scheduler = Running::start(&db);
    put(&db, &[due_in(3_000)]).await;
    until(
        &db,
        "a promotion",
        "SELECT count(*) FROM fleet.job WHERE state = 'available'",
        1,
    )
    .await;
    scheduler.stop().await;
    // The arrival's transaction began when it was promoted.
    let promoted = db.number("SELECT count(*) FROM fleet.arrival").await;
    assert_eq!(promoted, 1);
}

#[tokio::test]
async fn a_job_for_soon_is_promoted_on_time_though_nobody_looks_for_long() {
    let db = database().await;
    let seldom = SchedulerSettings {
        tick_max: Duration::from_secs(10),
        tick_busy: Duration::from_secs(10),
        ..settings()
    };
    let scheduler = Running::with(&db, seldom);
    let duties = "SELECT count(*) FROM fleet.duty";
    until(&db, "the first rounds", duties, 1).await;
    put(&db, &[due_in(500)]).await;
    let available = "SELECT count(*) FROM fleet.job WHERE state = 'available'";
    until(&db, "a promotion", available, 1).await;
    let late_ms =
        "SELECT (extract(epoch FROM clock_timestamp() - run_at) * 1000)::bigint FROM fleet.job";
    let late = db.number(late_ms).await;
    assert!(late < 2_000, "{late} ms late");
    scheduler.stop().await;
}

/// An enqueue may take longer to commit than its job was to wait: then the place that looks begin from is past it.
#[tokio::test]
async fn i3_a_job_scheduled_for_a_time_long_promoted_is_found() {
    let db = database().await;
    let scheduler = Running::start(&db);
    put(&db, &[due_in(200)]).await;
    let available = "SELECT count(*) FROM fleet.job WHERE state = 'available'";
    until(&db, "a promotion", available, 1).await;
    db.execute("UPDATE fleet.job SET state = 'scheduled', run_at = now() - interval '1 minute'")
        .await;
    until(&db, "the late one", available, 1).await;
    scheduler.stop().await;
}

#[tokio::test]
async fn a_failing_duty_is_tried_again_and_stops_no_other() {
    let db = database().await;
    db.execute("ALTER TABLE fleet.flow RENAME TO hidden").await;
    put_without_counting(&db).await;
    let scheduler = Running::start(&db);
    until(
        &db,
        "a promotion beside the failure",
        "SELECT count(*) FROM fleet.job WHERE state = 'available'",
        1,
    )
    .await;
    // Before the table is back: the first promotion may come before the first failure.
    const FAILED: &str = "SELECT count(*) FROM fleet.duty WHERE failures > 0 AND error IS NOT NULL";
    until(&db, "the failure is written down", FAILED, 1).await;
    db.execute("ALTER TABLE fleet.hidden RENAME TO flow").await;
    const RECOVERED: &str =
        "SELECT count(*) FROM fleet.duty WHERE failures > 0 AND error IS NULL AND rounds > 1";
    until(&db, "it was tried again and goes well", RECOVERED, 1).await;
    scheduler.stop().await;
}

/// A job that is due, while the table that counts is away.
async fn put_without_counting(db: &TestDb) {
    db.execute(
        "INSERT INTO fleet.job (id, tenant_id, kind, queue, state, run_at, created_at, payload)
         VALUES (fleet.new_id(), '00000000-0000-0000-0000-000000000000', 'toy', 'default', 'scheduled', now(), now(), '{}')",
    )
    .await;
}

#[tokio::test]
async fn cut_connections_end_nothing() {
    let db = database().await;
    let scheduler = Running::start(&db);
    until(
        &db,
        "the first rounds",
        "SELECT count(*) FROM fleet.duty",
        1,
    )
    .await;
    for _ in 0..5 {
        put(&db, &[due_in(200)]).await;
        db.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()").await;
    }
    until(
        &db,
        "five promotions",
        "SELECT count(*) FROM fleet.job WHERE state = 'available'",
        5,
    )
    .await;
    assert!(!scheduler.task.is_finished());
    scheduler.stop().await;
}

#[tokio::test]
async fn a_stop_waits_for_the_round_that_is_under_way() {
    let db = database().await;
    db.probes().set("upkeep.before_commit", ProbeAction::Hold);
    put(&db, &[toy()]).await;
    let scheduler = Running::start(&db);
    db.probes().reached("upkeep.before_commit", 1).await;
    scheduler.soft.cancel();
    db.probes()
        .set("upkeep.before_commit", ProbeAction::Continue);
    scheduler.stop().await;
    let noted = duties::list(&mut *db.conn().await).await.unwrap();
    assert!(
        noted.iter().any(|status| status.rounds > 0),
        "and writes down how it went"
    );
}
