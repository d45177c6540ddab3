//! Settle, cancel, retry, and what waits for other jobs: I3, I4, I6, I11.

use std::time::Duration;

use fleet_queue::transitions::cancel::{Cancelled, cancel};
use fleet_queue::transitions::retry::{Retried, retry};
use fleet_queue::transitions::settle::settle;
use fleet_queue::transitions::{renew, reschedule};
use fleet_queue::{Error, JobId, JobState, NewJob, Outcome, Settled};
use fleet_tests::hand::{settle_one, settlement};
use fleet_tests::{database, invariants};
use serde_json::json;

use super::deck::{failure, put, tenant, toy, toymaker};

#[tokio::test]
async fn every_outcome_leaves_the_job_where_it_says() {
    let db = database().await;
    let mut hand = toymaker(&db).await;
    for outcome in [
        Outcome::Completed {
            output: Some(json!({ "sum": 3 })),
        },
        Outcome::Retry {
            after: Duration::from_secs(60),
            failure: failure("gateway 503"),
        },
        Outcome::Retry {
            after: Duration::ZERO,
            failure: failure("gateway 503"),
        },
        Outcome::Snooze {
            after: Duration::from_secs(60),
        },
        Outcome::Discard {
            reason: "no such invoice".into(),
            failure: failure("404"),
        },
        Outcome::Cancelled {
            reason: Some("asked".into()),
        },
        Outcome::Interrupted,
    ] {
        put(
            &db,
            NewJob {
                queue: "default".into(),
                ..toy()
            },
        )
        .await;
        let job = hand.take(&db).await;
        assert_eq!(settle_one(&db, job, outcome).await, Settled::Recorded);
        // What became available again must not be claimed by the next round.
        db.execute("UPDATE fleet.job SET run_at = now() + interval '1 hour', state = 'scheduled' WHERE state = 'available'").await;
    }
    let expected = "toy completed attempt=1 crashes=0
toy scheduled attempt=1 crashes=0
toy scheduled attempt=1 crashes=0
toy scheduled attempt=0 crashes=0
toy discarded attempt=1 crashes=0 because no such invoice
toy cancelled attempt=1 crashes=0 because asked
toy scheduled attempt=0 crashes=0";
    assert_eq!(db.queue().await, expected);
    let attempts = db
        .text("SELECT string_agg(outcome, ' ' ORDER BY job_id) FROM fleet.attempt")
        .await;
    assert_eq!(
        attempts,
        "failed failed snoozed discarded cancelled interrupted"
    );
    assert_eq!(
        db.text("SELECT output::text FROM fleet.job_output").await,
        r#"{"sum": 3}"#
    );
    invariants::assert_hold(&db.pool).await;
}

#[tokio::test]
async fn i4_the_last_attempts_failure_discards_and_a_person_may_retry() {
    let db = database().await;
    let mut hand = toymaker(&db).await;
    let job = put(&db, toy()).await;
    for _ in 0..3 {
        let taken = hand.take(&db).await;
        settle_one(
            &db,
            taken,
            Outcome::Retry {
                after: Duration::ZERO,
                failure: failure("no"),
            },
        )
        .await;
    }
    assert_eq!(
        db.queue().await,
        "toy discarded attempt=3 crashes=0 because attempts exhausted"
    );
    assert_eq!(
        retry(&mut *db.conn().await, job.id).await.unwrap(),
        Retried::Revived
    );
    assert_eq!(db.queue().await, "toy available attempt=0 crashes=0");
    let taken = hand.take(&db).await;
    settle_one(&db, taken, Outcome::Completed { output: None }).await;
    let refused = retry(&mut *db.conn().await, job.id).await;
    assert!(matches!(
        refused,
        Err(Error::WrongState {
            state: JobState::Completed,
            ..
        })
    ));
    assert_eq!(
        retry(&mut *db.conn().await, JobId::generate())
            .await
            .unwrap(),
        Retried::NotFound
    );
    invariants::assert_hold(&db.pool).await;
}

#[tokio::test]
async fn i6_an_effect_and_its_completion_commit_together_or_neither() {
    let db = database().await;
    let mut hand = toymaker(&db).await;
    put(&db, toy()).await;
    let job = hand.take(&db).await;
    let settlements = [settlement(job, Outcome::Completed { output: None })];
    for commits in [false, true] {
        let mut tx = db.pool.begin().await.unwrap();
        sqlx::query(
            "INSERT INTO fleet.diagnostic_effect VALUES ('k', gen_random_uuid(), 1, now())",
        )
        .execute(&mut *tx)
        .await
        .unwrap();
        assert_eq!(
            settle(&mut tx, &settlements).await.unwrap(),
            [Settled::Recorded]
        );
        if commits {
            tx.commit().await.unwrap()
        } else {
            tx.rollback().await.unwrap()
        }
        let done = db.number("SELECT count(*) FROM fleet.job_history").await;
        assert_eq!(
            (
                done,
                db.number("SELECT count(*) FROM fleet.diagnostic_effect")
                    .await
            ),
            (i64::from(commits), i64::from(commits))
        );
    }
    assert_eq!(
        settle(&mut *db.conn().await, &settlements).await.unwrap(),
        [Settled::LeaseLost],
        "once is once (I11)"
    );
}

#[tokio::test]
async fn one_lost_lease_in_a_batch_spoils_no_other() {
    let db = database().await;
    let mut hand = toymaker(&db).await;
    for _ in 0..3 {
        put(&db, toy()).await;
    }
    let jobs = hand.claim(&db, 3).await;
    let stolen = jobs[1].1.id;
    let batch: Vec<_> = jobs
        .into_iter()
        .map(|job| settlement(job, Outcome::Completed { output: None }))
        .collect();
    sqlx::query("UPDATE fleet.job SET token = 999 WHERE id = $1")
        .bind(stolen.0)
        .execute(&db.pool)
        .await
        .unwrap();
    let answers = settle(&mut *db.conn().await, &batch).await.unwrap();
    assert_eq!(
        answers,
        [Settled::Recorded, Settled::LeaseLost, Settled::Recorded]
    );
}

#[tokio::test]
async fn a_waiting_job_is_cancelled_at_once_a_running_one_through_its_worker() {
    let db = database().await;
    let mut hand = toymaker(&db).await;
    let waiting = put(&db, toy()).await;
    assert_eq!(
        cancel(&mut *db.conn().await, waiting.id, Some("not needed"))
            .await
            .unwrap(),
        Cancelled::Ended
    );
    assert_eq!(
        cancel(&mut *db.conn().await, waiting.id, None)
            .await
            .unwrap(),
        Cancelled::AlreadyEnded(JobState::Cancelled)
    );
    let running = put(&db, toy()).await;
    let job = hand.take(&db).await;
    assert_eq!(
        cancel(&mut *db.conn().await, running.id, Some("stop"))
            .await
            .unwrap(),
        Cancelled::Requested(hand.id)
    );
    let heard = renew::renew(
        &mut *db.conn().await,
        hand.id,
        Duration::from_secs(8),
        renew::Pulse::default(),
    )
    .await
    .unwrap();
    assert_eq!(heard.cancel, [(running.id, job.0.token())]);
    // A handler that fails after it was told to stop is not tried again.
    settle_one(
        &db,
        job,
        Outcome::Retry {
            after: Duration::ZERO,
            failure: failure("stopped"),
        },
    )
    .await;
    assert_eq!(
        db.queue().await.lines().last(),
        Some("toy cancelled attempt=1 crashes=0 because stop")
    );
    assert_eq!(
        cancel(&mut *db.conn().await, JobId::generate(), None)
            .await
            .unwrap(),
        Cancelled::NotFound
    );
    invariants::assert_hold(&db.pool).await;
}

#[tokio::test]
async fn a_blocked_job_runs_when_all_it_waits_for_completed() {
    let db = database().await;
    let mut hand = toymaker(&db).await;
    let (a, b) = (put(&db, toy()).await.id, put(&db, toy()).await.id);
    let mut last = toy();
    last.rare.depends_on = vec![a, b, a];
    assert_eq!(put(&db, last).await.state, Some(JobState::Blocked));
    let jobs = hand.claim(&db, 10).await;
    assert_eq!(jobs.len(), 2);
    for (n, job) in jobs.into_iter().enumerate() {
        settle_one(&db, job, Outcome::Completed { output: None }).await;
        assert_eq!(
            hand.claim(&db, 10).await.len(),
            n,
            "only the second completion frees it"
        );
    }
    let mut after = toy();
    after.rare.depends_on = vec![a];
    assert_eq!(
        put(&db, after).await.state,
        Some(JobState::Available),
        "what has completed does not block"
    );
    invariants::assert_hold(&db.pool).await;
}

#[tokio::test]
async fn a_blocked_job_falls_with_what_it_waits_for() {
    let db = database().await;
    let mut hand = toymaker(&db).await;
    let first = put(&db, toy()).await.id;
    let mut second = toy();
    second.rare.depends_on = vec![first];
    let second = put(&db, second).await.id;
    let mut third = toy();
    third.rare.depends_on = vec![second];
    put(&db, third).await;
    let job = hand.take(&db).await;
    settle_one(
        &db,
        job,
        Outcome::Discard {
            reason: "broken".into(),
            failure: failure("x"),
        },
    )
    .await;
    let states = db
        .text("SELECT string_agg(state::text, ' ' ORDER BY id) FROM fleet.job_history")
        .await;
    assert_eq!(states, "discarded cancelled cancelled");
    assert!(
        db.queue()
            .await
            .contains(&format!("because depends on {first}, which was discarded"))
    );
    let mut orphan = toy();
    orphan.rare.depends_on = vec![JobId::generate()];
    let refused = fleet_queue::transitions::enqueue::enqueue(&mut *db.conn().await, &orphan).await;
    assert_eq!(
        refused.expect_err("nobody knows it").sqlstate().as_deref(),
        Some("FL003")
    );
    let mut foreign = toy().tenant(tenant(7));
    foreign.rare.depends_on = vec![first];
    assert!(
        fleet_queue::transitions::enqueue::enqueue(&mut *db.conn().await, &foreign)
            .await
            .is_err(),
        "another tenant's job is unknown"
    );
    invariants::assert_hold(&db.pool).await;
}

#[tokio::test]
async fn a_waiting_job_moves_in_time_and_rank_a_running_one_does_not() {
    let db = database().await;
    let mut hand = toymaker(&db).await;
    let (first, second) = (put(&db, toy()).await.id, put(&db, toy()).await.id);
    assert!(
        reschedule::reprioritize(&mut *db.conn().await, second, 0)
            .await
            .unwrap()
    );
    assert_eq!(hand.take(&db).await.1.id, second);
    let later = chrono::Utc::now() + chrono::TimeDelta::hours(1);
    assert!(
        reschedule::reschedule(&mut *db.conn().await, first, later)
            .await
            .unwrap()
    );
    assert!(hand.claim(&db, 1).await.is_empty());
    assert_eq!(
        retry(&mut *db.conn().await, first).await.unwrap(),
        Retried::Hastened
    );
    assert_eq!(hand.take(&db).await.1.id, first);
    let refused = reschedule::reschedule(&mut *db.conn().await, first, later).await;
    assert!(matches!(
        refused,
        Err(Error::WrongState {
            state: JobState::Running,
            ..
        })
    ));
    assert!(
        !reschedule::reschedule(&mut *db.conn().await, JobId::generate(), later)
            .await
            .unwrap()
    );
}
