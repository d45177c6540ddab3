//! What an idle worker asks: which queues are worth a claim now, so that a backlog nobody may take costs it one look a poll.

use fleet_queue::limits::{LimitRule, set_limit};
use fleet_queue::transitions::pause::{Pause, PauseScope, pause};
use fleet_queue::transitions::resume::resume;
use fleet_queue::wake::worth_a_claim;
use fleet_queue::{NewJob, Outcome};
use fleet_tests::hand::settle_one;
use fleet_tests::{Hand, TestDb, database};

use super::deck::{put_many, tenant, toy};

/// Whether a worker that serves toys would claim.
async fn worth(db: &TestDb, hand: &Hand) -> bool {
    let queues = ["default".to_owned(), "other".to_owned()];
    let toys = [("toy".to_owned(), 1)];
    let found = worth_a_claim(&mut *db.conn().await, hand.id, &queues, &toys).await;
    let found = found.unwrap();
    assert!(found.iter().all(|queue| queue == "default"), "{found:?}");
    !found.is_empty()
}

/// A backlog of three jobs that a claim has looked at.
async fn backlog(db: &TestDb, job: impl Fn(usize) -> NewJob) -> Hand {
    let mut hand = Hand::serving(db, &["toy"]).await;
    put_many(db, 3, job).await;
    assert!(worth(db, &hand).await, "jobs have arrived");
    hand.claim(db, 0).await;
    hand
}

#[tokio::test]
async fn a_paused_backlog_is_worth_no_claim_until_it_is_resumed() {
    let db = database().await;
    let hand = backlog(&db, |_| toy().tenant(tenant(7))).await;
    let whose = tenant(7).to_string();
    for (scope, name) in [
        (PauseScope::Queue, "default"),
        (PauseScope::Tenant, whose.as_str()),
        (PauseScope::Kind, "toy"),
    ] {
        assert!(worth(&db, &hand).await);
        let stop = Pause {
            scope,
            name,
            reason: "test",
            by: "test",
            until: None,
        };
        pause(&mut *db.conn().await, stop).await.unwrap();
        assert!(!worth(&db, &hand).await, "paused {name}");
        resume(&mut *db.conn().await, scope, name).await.unwrap();
    }
    assert!(worth(&db, &hand).await);
}

#[tokio::test]
async fn a_backlog_at_its_cap_is_worth_a_claim_when_a_job_has_ended() {
    let db = database().await;
    let mut hand = backlog(&db, |_| toy()).await;
    let rule = LimitRule {
        name: "one".into(),
        cap: Some(1),
        ..LimitRule::default()
    };
    set_limit(&mut *db.conn().await, &rule).await.unwrap();
    let job = hand.take(&db).await;
    assert!(!worth(&db, &hand).await, "one runs, one may");
    settle_one(&db, job, Outcome::Completed { output: None }).await;
    assert!(worth(&db, &hand).await);
    hand.take(&db).await;
    assert!(!worth(&db, &hand).await);
}

#[tokio::test]
async fn a_backlog_past_its_rate_is_worth_a_claim_when_a_token_is_there() {
    let db = database().await;
    let mut hand = backlog(&db, |_| toy()).await;
    let rule = LimitRule {
        name: "one an hour".into(),
        rate: Some(1.0 / 3600.0),
        burst: Some(1),
        ..LimitRule::default()
    };
    set_limit(&mut *db.conn().await, &rule).await.unwrap();
    hand.take(&db).await;
    assert!(!worth(&db, &hand).await);
    db.execute("UPDATE fleet.bucket SET refilled_at = refilled_at - interval '61 minutes'")
        .await;
    assert!(worth(&db, &hand).await);
}

#[tokio::test]
async fn a_backlog_behind_one_concurrency_key_is_worth_no_claim_while_its_job_runs() {
    let db = database().await;
    let mut hand = backlog(&db, |_| toy().concurrency("printer", 1)).await;
    let job = hand.take(&db).await;
    assert!(!worth(&db, &hand).await);
    settle_one(&db, job, Outcome::Interrupted).await;
    assert!(worth(&db, &hand).await);
}

#[tokio::test]
async fn a_backlog_of_other_kinds_or_newer_payloads_is_worth_no_claim() {
    let db = database().await;
    let hand = backlog(&db, |n| {
        let mut job = toy();
        match n {
            0 => job.version = 2,
            _ => job.kind = "other".into(),
        }
        job
    })
    .await;
    assert!(!worth(&db, &hand).await);
}
