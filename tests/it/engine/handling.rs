//! What a handler has in hand: its keys, its steps, its progress, its log, its settle; each within its bounds, and only while its claim stands: I1, I9.

use std::time::Duration;

use fleet_queue::job::LOG_BYTES_MAX;
use fleet_queue::transitions::progress::STEP_BYTES_MAX;
use fleet_queue::transitions::rescue;
use fleet_queue::{Cx, ErrorAdvice, JobError, NewJob, OUTPUT_BYTES_MAX, Outcome};
use fleet_tests::hand::settle_one;
use fleet_tests::{Hand, TestDb, database, eventually};
use tokio::time::Instant;

use super::deck::{in_hand, put, toy, toymaker};

/// A handler at work on a toy.
async fn handler(db: &TestDb, hand: &mut Hand) -> Cx<()> {
    put(db, toy()).await;
    in_hand(db, hand.take(db).await).0
}

/// A text that is so many bytes of JSON.
fn json_of(bytes: usize) -> String {
    "x".repeat(bytes - "\"\"".len())
}

fn discarded(answer: Result<impl Sized, JobError>) -> String {
    match answer.err().expect("it is over its bound").advice() {
        ErrorAdvice::Discard(reason) => reason,
        other => panic!("no retry would help: {other:?}"),
    }
}

#[tokio::test]
async fn keys_are_a_jobs_own_and_the_same_in_every_attempt() {
    let db = database().await;
    let mut hand = toymaker(&db).await;
    put(&db, toy()).await;
    let (claim, job) = hand.take(&db).await;
    let (first, place) = in_hand(&db, (claim, job.clone()));
    let claim = place.lock().await.take().unwrap();
    settle_one(&db, (claim, job), Outcome::Interrupted).await;
    let again = in_hand(&db, hand.take(&db).await).0;
    let other = handler(&db, &mut hand).await;
    assert_eq!(first.idempotency_key(), again.idempotency_key());
    assert_eq!(first.step_key("pay"), again.step_key("pay"));
    let mut keys = [
        first.idempotency_key(),
        other.idempotency_key(),
        first.step_key("pay"),
        first.step_key("ship"),
        other.step_key("pay"),
    ];
    keys.sort();
    assert!(keys.is_sorted_by(|a, b| a < b), "{keys:?}");
}

#[tokio::test]
async fn a_finished_step_is_not_run_again_by_the_next_attempt() {
    let db = database().await;
    let mut hand = toymaker(&db).await;
    put(&db, toy()).await;
    let (claim, job) = hand.take(&db).await;
    let (cx, place) = in_hand(&db, (claim, job.clone()));
    assert_eq!(cx.step("count", async || Ok(7)).await.unwrap(), 7);
    let claim = place.lock().await.take().unwrap();
    settle_one(&db, (claim, job), Outcome::Interrupted).await;
    let cx = in_hand(&db, hand.take(&db).await).0;
    assert_eq!(cx.step("count", async || Ok(8)).await.unwrap(), 7);
    assert_eq!(cx.step("weigh", async || Ok(9)).await.unwrap(), 9);
}

#[tokio::test]
async fn i9_what_a_step_and_a_job_return_is_bounded() {
    let db = database().await;
    let mut hand = toymaker(&db).await;
    let cx = handler(&db, &mut hand).await;
    let most = json_of(STEP_BYTES_MAX);
    cx.step("most", async || Ok(most)).await.unwrap();
    let over = json_of(STEP_BYTES_MAX + 1);
    let refused = cx.step("over", async || Ok(over)).await;
    assert!(discarded(refused).contains("step \"over\""));
    let conn = &mut *db.conn().await;
    let over = json_of(OUTPUT_BYTES_MAX + 1);
    let refused = cx.settle_in(conn, Some(&over)).await;
    assert!(discarded(refused).contains("1 MiB"));
    let most = json_of(OUTPUT_BYTES_MAX);
    cx.settle_in(conn, Some(&most)).await.unwrap();
}

#[tokio::test]
async fn progress_is_written_twice_a_second_and_at_the_end() {
    const HALF_A_SECOND: Duration = Duration::from_millis(500);
    const WRITTEN: &str = "SELECT (progress->>'done')::bigint FROM fleet.job";
    let db = database().await;
    let mut hand = toymaker(&db).await;
    let cx = handler(&db, &mut hand).await;
    let begun = Instant::now();
    cx.progress(1, 9, "").await.unwrap();
    assert_eq!(db.number(WRITTEN).await, 1);
    cx.progress(2, 9, "").await.unwrap();
    let soon = begun.elapsed() < HALF_A_SECOND;
    assert!(!soon || db.number(WRITTEN).await == 1, "it is left out");
    eventually("the next is written", || async {
        cx.progress(3, 9, "").await.unwrap();
        (db.number(WRITTEN).await == 3).then_some(())
    })
    .await;
    assert!(begun.elapsed() >= HALF_A_SECOND);
    cx.progress(9, 9, "").await.unwrap();
    assert_eq!(db.number(WRITTEN).await, 9, "the last is never left out");
}

#[tokio::test]
async fn i9_a_log_ends_at_its_thousandth_line_saying_so() {
    let db = database().await;
    let mut hand = toymaker(&db).await;
    let cx = handler(&db, &mut hand).await;
    for _ in 0..1_002 {
        cx.log("info", "here").await.unwrap();
    }
    let lines = "SELECT string_agg(n || ' ' || message, ', ' ORDER BY message DESC) FROM (SELECT message, count(*) AS n FROM fleet.job_log GROUP BY message) t";
    assert_eq!(
        db.text(lines).await,
        "1 the log is full; what follows is left out, 999 here"
    );
}

#[tokio::test]
async fn i9_a_log_ends_at_its_last_byte_saying_so() {
    let db = database().await;
    let mut hand = toymaker(&db).await;
    let cx = handler(&db, &mut hand).await;
    cx.log("info", &"x".repeat(LOG_BYTES_MAX)).await.unwrap();
    let lines = "SELECT string_agg(left(message, 15), ', ' ORDER BY seq) FROM fleet.job_log";
    for _ in 0..2 {
        cx.log("info", "y").await.unwrap();
        assert_eq!(db.text(lines).await, "xxxxxxxxxxxxxxx, the log is full");
    }
}

#[tokio::test]
async fn i1_a_handler_whose_claim_is_over_writes_nothing() {
    let db = database().await;
    let mut hand = toymaker(&db).await;
    let cx = handler(&db, &mut hand).await;
    hand.die(&db).await;
    // No length: a server that has just started gives every lease its full length again.
    rescue::rescue(&mut *db.conn().await, Duration::ZERO)
        .await
        .unwrap();
    let conn = &mut *db.conn().await;
    let answers = [
        cx.log("info", "here").await.err(),
        cx.progress(9, 9, "").await.err(),
        cx.step("count", async || Ok(7)).await.err(),
        cx.settle_in(conn, None::<&()>).await.err(),
    ];
    for answer in answers {
        let advice = answer.expect("the claim is over").advice();
        assert_eq!(advice, ErrorAdvice::LeaseLost);
    }
    let left = "SELECT (SELECT count(*) FROM fleet.job_log) + (SELECT count(*) FROM fleet.job_step) + (SELECT count(*) FROM fleet.job WHERE progress IS NOT NULL OR state <> 'available')";
    assert_eq!(db.number(left).await, 0);
}

#[tokio::test]
async fn a_child_names_its_parent_and_carries_its_trace() {
    let db = database().await;
    let mut hand = toymaker(&db).await;
    let mut job = toy();
    job.rare.traceparent = Some("00-11111111111111111111111111111111-2222222222222222-01".into());
    put(&db, job.clone()).await;
    let cx = in_hand(&db, hand.take(&db).await).0;
    let own = NewJob {
        kind: "other".into(),
        ..toy()
    };
    cx.enqueue(&mut *db.conn().await, own).await.unwrap();
    let child = hand.take(&db).await.1;
    assert_eq!(child.parent_id, Some(cx.job().id));
    assert_eq!(child.traceparent, job.rare.traceparent);
}
