//! Settle, retry, and what moves in time and rank: I1, I4, I6, I11.

use std::time::Duration;

use fleet_queue::transitions::reschedule;
use fleet_queue::transitions::rescue::rescue;
use fleet_queue::transitions::retry::{Retried, retry};
use fleet_queue::transitions::settle::settle;
use fleet_queue::{Error, JobId, JobState, NewJob, Outcome, Settled};
use fleet_tests::hand::{settle_one, settlement};
use fleet_tests::{database, invariants};
use serde_json::json;

use super::deck::{failure, put, toy, toymaker};

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

/// The database answers by job: of two claims of one job in a batch, the one that stands must not speak for the other.
#[tokio::test]
async fn i1_a_stale_claim_in_a_batch_is_lost_though_its_job_is_settled_there() {
    let db = database().await;
    let (mut first, mut second) = (toymaker(&db).await, toymaker(&db).await);
    put(&db, toy()).await;
    let stale = first.take(&db).await;
    first.die(&db).await;
    rescue(&mut *db.conn().await, Duration::ZERO).await.unwrap();
    let stands = second.take(&db).await;
    assert_eq!(stands.1.id, stale.1.id);
    put(&db, toy()).await;
    let between = second.take(&db).await;
    let batch =
        [stale, between, stands].map(|job| settlement(job, Outcome::Completed { output: None }));
    let answers = settle(&mut *db.conn().await, &batch).await.unwrap();
    assert_eq!(
        answers,
        [Settled::LeaseLost, Settled::Recorded, Settled::Recorded]
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

#[tokio::test]
async fn a_retry_that_cannot_be_says_what_is_in_its_way() {
    let db = database().await;
    let mut hand = toymaker(&db).await;
    let first = put(&db, toy()).await.id;
    let mut behind = toy();
    behind.rare.depends_on = vec![first];
    let behind = put(&db, behind).await.id;
    let conn = &mut *db.conn().await;
    let mut refused = async |id| match retry(conn, id).await.unwrap_err() {
        Error::WrongState { state, problem, .. } => (state, problem),
        other => panic!("it stands in a state: {other}"),
    };
    let blocked = (JobState::Blocked, "it waits for other jobs; see why");
    assert_eq!(refused(behind).await, blocked);
    let job = hand.take(&db).await;
    let running = (JobState::Running, "it runs already");
    assert_eq!(refused(first).await, running);
    settle_one(&db, job, Outcome::Completed { output: None }).await;
    let (state, problem) = refused(first).await;
    assert_eq!(state, JobState::Completed);
    assert!(problem.contains("enqueue a new one"), "{problem}");
}
