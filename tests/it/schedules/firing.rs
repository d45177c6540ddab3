//! Each tick becomes exactly one job, whoever fires it, whoever dies, whatever the clock does (I7, I8).

use fleet_queue::ProbeAction;
use fleet_queue::schedules::prune_ticks;
use fleet_scheduler::{Duty, DutyError};
use fleet_tests::invariants;
use serde_json::json;

use super::Stage;

#[tokio::test]
async fn eight_schedulers_fire_each_tick_once() {
    let stage = Stage::set().await;
    for n in 0..20 {
        let fields = json!({ "name": format!("s{n}"), "cron": "* * * * * *", "missed": "all" });
        stage.put(fields).await;
    }
    stage.at("2026-05-05T12:00:30Z");
    let schedulers = (0..8).map(|_| async {
        let upkeep = stage.upkeep();
        for _ in 0..4 {
            upkeep.tick(Duty::Ticks).await.unwrap();
        }
    });
    futures::future::join_all(schedulers).await;
    assert_eq!(stage.jobs().await, 600);
    let told_apart = "SELECT count(DISTINCT (metadata->'schedule'->>'id', metadata->'schedule'->>'tick_at')) FROM fleet.job";
    assert_eq!(stage.db.number(told_apart).await, 600);
    let tied = "SELECT count(*) FROM fleet.schedule_tick t JOIN fleet.job j ON j.id = t.job_id AND (j.metadata->'schedule'->>'tick_at')::timestamptz = t.tick_at";
    assert_eq!(stage.db.number(tied).await, 600);
    invariants::assert_hold(&stage.db.pool).await;
}

#[tokio::test]
async fn a_scheduler_killed_before_its_commit_leaves_the_tick_to_another() {
    let stage = Stage::set().await;
    stage.put(json!({})).await;
    stage.at("2026-05-05T12:01:00Z");
    let probes = stage.db.probes();
    probes.set("scheduler.before_commit", ProbeAction::Hold);
    let upkeep = stage.upkeep();
    let doomed = tokio::spawn(async move { upkeep.tick(Duty::Ticks).await });
    probes.reached("scheduler.before_commit", 1).await;

    let beaten = stage.unprobed().tick(Duty::Ticks).await.unwrap();
    assert_eq!(
        beaten.done, 0,
        "another process passes over what is being fired"
    );
    doomed.abort();
    assert!(doomed.await.unwrap_err().is_cancelled());
    assert_eq!(stage.jobs().await, 0, "nothing of it exists");

    probes.set("scheduler.before_commit", ProbeAction::Continue);
    stage.tick().await;
    stage.tick().await;
    assert_eq!(stage.ticks().await, "12:01:00 fired");
    assert_eq!(stage.jobs().await, 1);
}

#[tokio::test]
async fn a_tick_that_fails_at_a_probe_is_rolled_back_whole() {
    let stage = Stage::set().await;
    stage.put(json!({})).await;
    stage.at("2026-05-05T12:01:00Z");
    for probe in ["scheduler.before_tick", "scheduler.before_commit"] {
        stage.db.probes().set(probe, ProbeAction::Fail);
        let failed = stage.upkeep().tick(Duty::Ticks).await;
        assert!(matches!(failed, Err(DutyError::Probe(_))), "{probe}");
        stage.db.at_rest().await;
        stage.db.probes().set(probe, ProbeAction::Continue);
        assert_eq!(
            (stage.jobs().await, stage.ticks().await),
            (0, String::new()),
            "{probe}"
        );
    }
    stage.tick().await;
    assert_eq!(stage.jobs().await, 1);
}

#[tokio::test]
async fn a_clock_set_back_fires_nothing_twice() {
    let stage = Stage::set().await;
    stage.put(json!({ "missed": "all" })).await;
    stage.at("2026-05-05T12:02:30Z");
    stage.tick().await;
    for back in [
        "2026-05-05T11:00:00Z",
        "2026-05-05T12:00:59Z",
        "2026-05-05T12:02:00Z",
    ] {
        stage.at(back);
        stage.tick().await;
    }
    assert_eq!(stage.ticks().await, "12:01:00 fired, 12:02:00 fired");
    stage.at("2026-05-05T12:03:00Z");
    stage.tick().await;
    assert_eq!(stage.jobs().await, 3);
}

#[tokio::test]
async fn a_clock_set_forward_follows_the_policy_for_missed_ticks() {
    for (missed, expected, dropped) in [
        (json!("none"), "", 23),
        (json!("latest"), "11:00:00 fired", 22),
        (
            json!({ "window": { "within_s": 7_200, "cap": 5 } }),
            "10:00:00 fired, 11:00:00 fired",
            21,
        ),
    ] {
        let stage = Stage::set().await;
        stage
            .put(json!({ "cron": "0 * * * *", "missed": missed }))
            .await;
        stage.at("2026-05-06T11:30:00Z");
        stage.tick().await;
        assert_eq!(stage.ticks().await, expected, "{missed}");
        let counted = stage
            .db
            .number("SELECT missed_count FROM fleet.schedule")
            .await;
        assert_eq!(counted, dropped, "{missed}");
        assert!(
            counted + stage.jobs().await == 23,
            "each tick is fired or counted"
        );
    }
}

#[tokio::test]
async fn one_that_cannot_be_fired_says_why_and_holds_up_no_other() {
    let stage = Stage::set().await;
    stage.put(json!({ "name": "a-broken" })).await;
    stage.put(json!({ "name": "b-whole" })).await;
    stage.db.execute("UPDATE fleet.schedule SET definition = definition || '{\"kind\": \"gone\"}' WHERE name = 'a-broken'").await;
    stage.at("2026-05-05T12:01:00Z");
    stage.tick().await;
    assert_eq!(stage.jobs().await, 1);
    let error = "SELECT error FROM fleet.schedule WHERE name = 'a-broken'";
    assert_eq!(
        stage.db.text(error).await,
        "kind: no kind \"gone\" is registered"
    );

    stage.db.execute("UPDATE fleet.schedule SET definition = definition || '{\"kind\": \"toy\"}' WHERE name = 'a-broken'").await;
    stage.at("2026-05-05T12:01:02Z");
    stage.tick().await;
    assert_eq!(
        stage.ticks().await,
        "12:01:00 fired, 12:01:00 fired",
        "the tick stayed due"
    );
    assert_eq!(
        stage
            .db
            .number("SELECT count(*) FROM fleet.schedule WHERE error IS NOT NULL OR failures > 0")
            .await,
        0
    );
}

#[tokio::test]
async fn a_full_queue_keeps_the_tick_due() {
    let stage = Stage::set().await;
    stage.put(json!({ "options": { "queue": "narrow" } })).await;
    stage
        .db
        .execute("INSERT INTO fleet.queue (name, max_depth) VALUES ('narrow', 1)")
        .await;
    for at in ["2026-05-05T12:01:00Z", "2026-05-05T12:02:00Z"] {
        stage.at(at);
        stage.tick().await;
    }
    assert_eq!(stage.ticks().await, "12:01:00 fired");
    assert!(
        stage
            .db
            .text("SELECT error FROM fleet.schedule")
            .await
            .contains("\"narrow\" is full")
    );
    stage
        .db
        .execute("UPDATE fleet.queue SET max_depth = NULL")
        .await;
    stage.at("2026-05-05T12:02:10Z");
    stage.tick().await;
    assert_eq!(stage.ticks().await, "12:01:00 fired, 12:02:00 fired");
}

#[tokio::test]
async fn pruning_takes_old_ticks_and_never_one_that_could_fire_again() {
    let stage = Stage::set().await;
    stage.put(json!({ "missed": "all" })).await;
    stage.at("2026-05-05T12:05:00Z");
    stage.tick().await;
    stage.at("2026-06-20T00:00:00Z");
    stage.db.execute("UPDATE fleet.schedule SET next_at = '2026-05-05 12:04+00', watermark = '2026-05-05 12:03+00'").await;
    let conn = &mut *stage.conn().await;
    assert_eq!(
        prune_ticks(conn, 30, 2).await.unwrap(),
        2,
        "in bounded batches"
    );
    assert_eq!(prune_ticks(conn, 30, 100).await.unwrap(), 1);
    assert_eq!(stage.ticks().await, "12:04:00 fired, 12:05:00 fired");
    // Somebody restored the row of the schedule from yesterday: its ticks are met by their rows.
    stage.at("2026-05-05T12:05:30Z");
    stage
        .db
        .execute("UPDATE fleet.schedule SET due_at = next_at")
        .await;
    stage.tick().await;
    assert_eq!(stage.jobs().await, 5, "none is fired again");
}

#[tokio::test]
async fn jitter_delays_a_tick_the_same_way_every_time() {
    let stage = Stage::set().await;
    stage
        .put(json!({ "cron": "0 * * * *", "jitter_s": 600 }))
        .await;
    let due = "SELECT extract(epoch FROM due_at - next_at)::bigint FROM fleet.schedule";
    let delay = stage.db.number(due).await;
    assert!((0..=600).contains(&delay));
    stage
        .put(json!({ "cron": "0 * * * *", "jitter_s": 600, "payload": { "edited": true } }))
        .await;
    assert_eq!(stage.db.number(due).await, delay);
}
