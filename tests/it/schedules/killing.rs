//! Real scheduler processes, killed again and again: no tick is lost, none comes twice (I7, I11).

use std::time::Duration;

use fleet_queue::TenantId;
use fleet_queue::schedules::{self, Expect};
use fleet_tests::process::Process;
use fleet_tests::{TestDb, database, eventually, invariants};
use serde_json::json;

use super::{definition, register_toy};

const FLEET: &str = env!("CARGO_BIN_EXE_fleet-under-test");

fn scheduler(db: &TestDb, probes: &str) -> Process {
    let probes = [("FLEET_PROBES", probes)];
    Process::start(FLEET, &db.url, &["scheduler"], &probes)
}

async fn more_ticks(db: &TestDb, n: i64) {
    let sql = "SELECT count(*) FROM fleet.schedule_tick";
    let before = db.number(sql).await;
    eventually("more ticks", || async {
        (db.number(sql).await >= before + n).then_some(())
    })
    .await;
}

#[tokio::test]
async fn each_second_is_fired_once_whoever_dies() {
    let db = database().await;
    let conn = &mut *db.conn().await;
    register_toy(conn).await;
    let every_second = definition(json!({ "cron": "@every 1s", "missed": "all" }));
    schedules::put(
        conn,
        TenantId::PLATFORM,
        &every_second,
        Expect::New,
        "tester",
    )
    .await
    .unwrap();
    let mut survivor = scheduler(&db, "");
    for _ in 0..3 {
        more_ticks(&db, 1).await;
        survivor.kill();
        // The next one dies with its first tick written and not committed.
        scheduler(&db, "scheduler.before_commit=abort")
            .ended(Duration::from_secs(60))
            .await;
        survivor = scheduler(&db, "");
    }
    more_ticks(&db, 2).await;
    survivor.kill();
    let gaps = "SELECT count(*) FROM (SELECT tick_at - lag(tick_at) OVER (ORDER BY tick_at) AS gap FROM fleet.schedule_tick) t WHERE gap <> interval '1 second'";
    assert_eq!(db.number(gaps).await, 0, "no second is left out");
    let jobs = "SELECT count(DISTINCT metadata->'schedule'->>'tick_at') * 1000000 + count(*) FROM fleet.job";
    let ticks = db.number("SELECT count(*) FROM fleet.schedule_tick").await;
    assert_eq!(db.number(jobs).await, ticks * 1_000_001, "one job a tick");
    invariants::assert_hold(&db.pool).await;
}
