//! What a round of firing says of itself, so that its caller knows what came of it and whether to come again at once.

use fleet_queue::schedules::{Fired, fire_due};
use serde_json::json;

use super::Stage;

async fn fire(stage: &Stage, batch: i64) -> Fired {
    let mut tx = stage.pinned.begin("test").await.unwrap();
    let fired = fire_due(&mut tx, batch).await.unwrap();
    tx.commit().await.unwrap();
    fired
}

#[tokio::test]
async fn a_round_counts_schedules_and_names_those_that_dropped_ticks() {
    let stage = Stage::set().await;
    stage
        .put(json!({ "name": "late", "cron": "0 * * * *", "missed": "latest" }))
        .await;
    stage
        .put(json!({ "name": "whole", "cron": "5 15 * * *" }))
        .await;
    stage.at("2026-05-05T15:05:00Z");
    let fired = fire(&stage, 10).await;
    assert_eq!(fired.schedules, 2);
    assert_eq!(fired.dropped, [("late".to_owned(), 2)]);
    assert_eq!(fired.ticks.len(), 2);
    assert!(!fired.more, "all that was due is decided");
}

#[tokio::test]
async fn a_round_says_there_is_more_where_its_batch_or_a_schedules_is_full() {
    let stage = Stage::set().await;
    stage.put(json!({ "name": "a" })).await;
    stage.put(json!({ "name": "b" })).await;
    stage.at("2026-05-05T12:01:00Z");
    assert!(fire(&stage, 1).await.more);
    assert!(!fire(&stage, 2).await.more);
    let every_second = json!({ "name": "c", "cron": "* * * * * *",
        "missed": { "window": { "within_s": 3_600, "cap": 100 } } });
    stage.put(every_second).await;
    stage.at("2026-05-05T12:04:00Z");
    let fired = fire(&stage, 10).await;
    assert!(fired.more, "a hundred ticks of one schedule are a round");
}

#[tokio::test]
async fn one_that_keeps_failing_is_put_off_for_longer_each_time_up_to_a_minute() {
    let stage = Stage::set().await;
    stage.put(json!({})).await;
    stage
        .db
        .execute("UPDATE fleet.schedule SET definition = definition || '{\"kind\": \"gone\"}'")
        .await;
    let due = "SELECT to_char(due_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') FROM fleet.schedule";
    let mut tries = Vec::new();
    for _ in 0..9 {
        let at = stage.db.text(due).await;
        stage.at(&at);
        assert_eq!(fire(&stage, 10).await.failed.len(), 1);
        tries.push(super::time(&at));
    }
    let waits: Vec<_> = tries
        .windows(2)
        .map(|pair| (pair[1] - pair[0]).num_seconds())
        .collect();
    assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60]);
}

#[tokio::test]
async fn a_ticks_job_is_as_its_kind_says_unless_its_schedule_says_otherwise() {
    let stage = Stage::set().await;
    stage
        .db
        .execute("UPDATE fleet.kind SET version = 3, max_attempts = 7, timeout_ms = 5000")
        .await;
    stage.put(json!({ "name": "a" })).await;
    let options = json!({ "max_attempts": 2, "timeout_ms": 1_000 });
    stage.put(json!({ "name": "b", "options": options })).await;
    stage.at("2026-05-05T12:01:00Z");
    fire(&stage, 10).await;
    let jobs = "SELECT string_agg(concat_ws(' ', metadata->'schedule'->>'name', version, max_attempts, timeout_ms), ', ' ORDER BY metadata->'schedule'->>'name') FROM fleet.job";
    assert_eq!(stage.db.text(jobs).await, "a 3 7 5000, b 3 2 1000");
}
