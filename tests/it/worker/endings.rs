//! Every way an attempt may end, from the handler's word to the database's row: I4, I6.

use std::time::Duration;

use super::stage::{ATTEMPTS, ENDED, Stage};
use super::toys::{EFFECTS, Toy, job};

#[tokio::test]
async fn a_job_completes_and_its_output_is_kept() {
    let stage = Stage::new().await;
    stage.put(&Toy::Say("done".into())).await;
    stage
        .until_queue("test.toy completed attempt=1 crashes=0")
        .await;
    let output = "SELECT output #>> '{}' FROM fleet.job_output";
    assert_eq!(stage.db.text(output).await, "done");
    assert_eq!(
        stage.db.text(ATTEMPTS).await,
        "",
        "a clean success writes no attempt"
    );
    stage.end().await;
}

#[tokio::test]
async fn i4_a_failing_job_waits_is_tried_again_and_is_given_up_in_the_end() {
    let stage = Stage::new().await;
    stage
        .put(&Toy::FailUntil {
            attempt: 3,
            wait_ms: None,
        })
        .await;
    stage
        .until_queue("test.toy completed attempt=3 crashes=0")
        .await;
    stage
        .put(&Toy::FailUntil {
            attempt: 9,
            wait_ms: None,
        })
        .await;
    stage.until("both end", ENDED, 2).await;
    let last = "SELECT reason FROM fleet.job_history WHERE state = 'discarded' AND attempt = 3";
    assert_eq!(stage.db.text(last).await, "attempts exhausted");
    let failed = ["failed: not yet"; 5].join("\n");
    assert_eq!(stage.db.text(ATTEMPTS).await, failed);
    stage.end().await;
}

#[tokio::test]
async fn an_error_with_a_wait_of_its_own_waits_just_that() {
    let stage = Stage::new().await;
    let hour = Some(3_600_000);
    stage
        .put(&Toy::FailUntil {
            attempt: 2,
            wait_ms: hour,
        })
        .await;
    stage
        .until_queue("test.toy scheduled attempt=1 crashes=0")
        .await;
    let minutes = "SELECT round(extract(epoch FROM run_at - now()) / 60)::bigint FROM fleet.job";
    assert_eq!(stage.db.number(minutes).await, 60);
    stage.end().await;
}

#[tokio::test]
async fn a_job_that_gives_up_is_discarded_for_its_reason() {
    let stage = Stage::new().await;
    stage.put(&Toy::Discard).await;
    stage
        .until_queue("test.toy discarded attempt=1 crashes=0 because of no use")
        .await;
    stage.end().await;
}

#[tokio::test]
async fn a_payload_that_does_not_fit_gives_its_job_up() {
    let stage = Stage::new().await;
    let mut odd = job(&Toy::Discard);
    odd.payload = serde_json::json!({ "Fly": 1 });
    stage.put_job(&odd).await;
    stage.until("it ends", "SELECT count(*) FROM fleet.job_history WHERE reason LIKE 'the payload does not fit test.toy%'", 1).await;
    stage.end().await;
}

#[tokio::test]
async fn a_panic_is_a_failed_attempt_and_hurts_no_other_job() {
    let stage = Stage::new().await;
    stage.put(&Toy::Panic).await;
    stage.put_many(20, &Toy::Say("fine".into())).await;
    stage.until("all end", ENDED, 21).await;
    let panicked = ["panicked: a toy panics"; 3].join("\n");
    assert_eq!(stage.db.text(ATTEMPTS).await, panicked);
    stage.end().await;
}

#[tokio::test]
async fn a_job_that_takes_too_long_is_stopped_and_that_counts() {
    let stage = Stage::new().await;
    let mut slow = job(&Toy::SleepOn(60_000));
    slow.timeout = Duration::from_millis(100);
    slow.max_attempts = 1;
    stage.put_job(&slow).await;
    stage
        .until_queue("test.toy discarded attempt=1 crashes=0 because attempts exhausted")
        .await;
    let attempts = stage.db.text(ATTEMPTS).await;
    assert_eq!(
        attempts,
        "timed_out: it ran longer than its timeout of 100ms"
    );
    stage.end().await;
}

#[tokio::test]
async fn a_snooze_costs_no_attempt() {
    let stage = Stage::new().await;
    stage.put(&Toy::Snooze).await;
    stage
        .until_queue("test.toy completed attempt=1 crashes=0")
        .await;
    assert_eq!(stage.db.text(ATTEMPTS).await, "snoozed");
    stage.end().await;
}

#[tokio::test]
async fn i6_an_effect_commits_together_with_its_completion() {
    let stage = Stage::new().await;
    stage.put_many(50, &Toy::Effect { commit: true }).await;
    stage.until("all complete", ENDED, 50).await;
    assert_eq!(stage.db.number(EFFECTS).await, 50);
    assert_eq!(stage.db.text(ATTEMPTS).await, "");
    let db = stage.end().await;
    assert_eq!(db.number("SELECT count(*) FROM fleet.job_output").await, 50);
}

#[tokio::test]
async fn i6_a_commit_that_was_forgotten_is_found_and_is_a_failure() {
    let stage = Stage::new().await;
    stage.put(&Toy::Effect { commit: false }).await;
    stage.until("it is given up", ENDED, 1).await;
    assert_eq!(stage.db.number(EFFECTS).await, 0);
    let attempts = stage.db.text(ATTEMPTS).await;
    assert_eq!(attempts.lines().count(), 3);
    assert!(attempts.contains("was not committed"), "{attempts}");
    stage.end().await;
}
