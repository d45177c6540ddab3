//! Enqueue, by both doors: I3, I5, I6, I9.

use chrono::{TimeDelta, Utc};
use fleet_queue::transitions::enqueue;
use fleet_queue::{
    EnqueueOutcome, Error, JobState, NewJob, OnDuplicate, Unique, UniqueScope, limits,
};
use fleet_tests::hand::{complete_all, settle_one};
use fleet_tests::{database, invariants};
use serde_json::json;

use super::deck::{put, put_many, toy, toymaker};

fn unique(scope: UniqueScope, on_duplicate: OnDuplicate) -> NewJob {
    let window_s = (scope == UniqueScope::Window).then_some(60);
    toy().unique(Unique {
        key: "invoice 7".into(),
        scope,
        window_s,
        on_duplicate,
    })
}

#[tokio::test]
async fn i6_an_enqueue_commits_with_its_cause_or_not_at_all() {
    let db = database().await;
    let mut tx = db.pool.begin().await.unwrap();
    enqueue::enqueue(&mut tx, &toy()).await.unwrap();
    tx.rollback().await.unwrap();
    assert_eq!(db.queue().await, "");
    let mut tx = db.pool.begin().await.unwrap();
    enqueue::enqueue(&mut tx, &toy()).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(db.queue().await, "toy available attempt=0 crashes=0");
    assert_eq!(toymaker(&db).await.claim(&db, 10).await.len(), 1);
}

#[tokio::test]
async fn i3_a_late_commit_behind_the_lanes_head_is_still_claimed() {
    let db = database().await;
    let mut hand = toymaker(&db).await;
    let mut late = db.pool.begin().await.unwrap();
    enqueue::enqueue(&mut late, &toy().run_at(Utc::now() - TimeDelta::minutes(5)))
        .await
        .unwrap();
    // The lane moves far past the late row meanwhile.
    put_many(&db, 300, |_| {
        toy().run_at(Utc::now() - TimeDelta::minutes(1))
    })
    .await;
    let jobs = hand.claim(&db, 300).await;
    complete_all(&db, jobs).await;
    late.commit().await.unwrap();
    fleet_queue::upkeep::sweep_lanes(&mut *db.conn().await)
        .await
        .unwrap();
    assert_eq!(
        hand.claim(&db, 10).await.len(),
        1,
        "the sweep finds what no announcement could tell"
    );
}

#[tokio::test]
async fn i5_a_unique_key_holds_while_its_job_lives() {
    let db = database().await;
    let mut hand = toymaker(&db).await;
    let first = put(&db, unique(UniqueScope::Live, OnDuplicate::Return)).await;
    let second = put(&db, unique(UniqueScope::Live, OnDuplicate::Return)).await;
    assert_eq!(
        (second.id, second.outcome),
        (first.id, EnqueueOutcome::Duplicate)
    );
    let job = hand.take(&db).await;
    assert_eq!(
        put(&db, unique(UniqueScope::Live, OnDuplicate::Return))
            .await
            .state,
        Some(JobState::Running)
    );
    settle_one(&db, job, fleet_queue::Outcome::Completed { output: None }).await;
    assert_eq!(
        put(&db, unique(UniqueScope::Live, OnDuplicate::Return))
            .await
            .outcome,
        EnqueueOutcome::Inserted
    );
    invariants::assert_hold(&db.pool).await;
}

#[tokio::test]
async fn i5_many_at_once_make_one() {
    let db = database().await;
    let enqueues = (0..16).map(|_| async {
        let mut conn = db.conn().await;
        enqueue::enqueue(&mut conn, &unique(UniqueScope::Live, OnDuplicate::Return))
            .await
            .unwrap()
    });
    let answers = futures::future::join_all(enqueues).await;
    let inserted = answers
        .iter()
        .filter(|answer| answer.outcome == EnqueueOutcome::Inserted)
        .count();
    assert_eq!(inserted, 1);
    assert!(
        answers.iter().all(|answer| answer.id == answers[0].id),
        "all are told of the same job"
    );
    assert_eq!(db.number("SELECT count(*) FROM fleet.job").await, 1);
}

#[tokio::test]
async fn a_key_until_started_is_free_once_its_job_runs() {
    let db = database().await;
    let mut hand = toymaker(&db).await;
    put(&db, unique(UniqueScope::Started, OnDuplicate::Return)).await;
    assert_eq!(
        put(&db, unique(UniqueScope::Started, OnDuplicate::Return))
            .await
            .outcome,
        EnqueueOutcome::Duplicate
    );
    hand.take(&db).await;
    assert_eq!(
        put(&db, unique(UniqueScope::Started, OnDuplicate::Return))
            .await
            .outcome,
        EnqueueOutcome::Inserted
    );
}

#[tokio::test]
async fn a_key_for_a_window_outlives_its_job() {
    let db = database().await;
    let mut hand = toymaker(&db).await;
    let first = put(&db, unique(UniqueScope::Window, OnDuplicate::Return)).await;
    let job = hand.take(&db).await;
    settle_one(&db, job, fleet_queue::Outcome::Completed { output: None }).await;
    let second = put(&db, unique(UniqueScope::Window, OnDuplicate::Return)).await;
    assert_eq!(
        (second.id, second.outcome, second.state),
        (
            first.id,
            EnqueueOutcome::Duplicate,
            Some(JobState::Completed)
        )
    );
    db.execute("UPDATE fleet.unique_window SET until = now() - interval '1 second'")
        .await;
    assert_eq!(
        put(&db, unique(UniqueScope::Window, OnDuplicate::Return))
            .await
            .outcome,
        EnqueueOutcome::Inserted
    );
}

#[tokio::test]
async fn a_duplicate_may_replace_the_payload_or_push_the_time() {
    let db = database().await;
    put(&db, unique(UniqueScope::Live, OnDuplicate::Return)).await;
    let mut newer = unique(UniqueScope::Live, OnDuplicate::Replace);
    newer.payload = json!({ "n": 2 });
    assert_eq!(put(&db, newer).await.outcome, EnqueueOutcome::Replaced);
    assert_eq!(
        db.text("SELECT payload::text FROM fleet.job").await,
        r#"{"n": 2}"#
    );
    let later =
        unique(UniqueScope::Live, OnDuplicate::Push).run_at(Utc::now() + TimeDelta::hours(1));
    let pushed = put(&db, later).await;
    assert_eq!(
        (pushed.outcome, pushed.state),
        (EnqueueOutcome::Pushed, Some(JobState::Scheduled))
    );
    let sooner = put(&db, unique(UniqueScope::Live, OnDuplicate::Push)).await;
    assert_eq!(sooner.state, Some(JobState::Available));
    assert_eq!(toymaker(&db).await.claim(&db, 10).await.len(), 1);
}

#[tokio::test]
async fn duplicates_in_a_batch_answer_in_order_and_fail_nothing() {
    let db = database().await;
    let answers = put_many(&db, 5, |n| {
        if n % 2 == 0 {
            unique(UniqueScope::Live, OnDuplicate::Return)
        } else {
            toy()
        }
    })
    .await;
    let outcomes: Vec<_> = answers.iter().map(|answer| answer.outcome).collect();
    use EnqueueOutcome::{Duplicate, Inserted};
    assert_eq!(
        outcomes,
        [Inserted, Inserted, Duplicate, Inserted, Duplicate]
    );
    assert_eq!(answers[4].id, answers[0].id);
    invariants::assert_hold(&db.pool).await;
}

#[tokio::test]
async fn i9_a_full_queue_says_so_and_takes_the_others() {
    let db = database().await;
    limits::set_queue(&mut *db.conn().await, "default", Some(10), 60)
        .await
        .unwrap();
    put_many(&db, 10, |_| toy()).await;
    let answers = put_many(&db, 2, |n| NewJob {
        queue: if n == 0 {
            "default".into()
        } else {
            "other".into()
        },
        ..toy()
    })
    .await;
    assert_eq!(answers[0].outcome, EnqueueOutcome::QueueFull);
    assert_eq!(answers[1].outcome, EnqueueOutcome::Inserted);
    let mut hand = toymaker(&db).await;
    let jobs = hand.claim(&db, 5).await;
    complete_all(&db, jobs).await;
    assert_eq!(
        put(&db, toy()).await.outcome,
        EnqueueOutcome::Inserted,
        "there is room again"
    );
}

#[tokio::test]
async fn i9_what_breaks_a_bound_is_refused_naming_the_field() {
    let db = database().await;
    let field = async |job: NewJob| match enqueue::enqueue(&mut *db.conn().await, &job).await {
        Err(Error::Invalid { field, .. }) => field,
        other => panic!("should be refused: {other:?}"),
    };
    assert_eq!(
        field(NewJob {
            payload: json!("x".repeat(1 << 20)),
            ..toy()
        })
        .await,
        "payload"
    );
    assert_eq!(
        field(NewJob {
            priority: 4,
            ..toy()
        })
        .await,
        "priority"
    );
    assert_eq!(
        field(NewJob {
            queue: String::new(),
            ..toy()
        })
        .await,
        "queue"
    );
    assert_eq!(
        field(NewJob {
            max_attempts: 0,
            ..toy()
        })
        .await,
        "max_attempts"
    );
    assert_eq!(field(toy().concurrency("k", 0)).await, "concurrency.limit");
    assert_eq!(
        field(toy().unique(Unique {
            key: String::new(),
            scope: UniqueScope::Live,
            window_s: None,
            on_duplicate: OnDuplicate::Return
        }))
        .await,
        "unique.key"
    );
    let mut tagged = toy();
    tagged.rare.tags = vec!["t".into(); 21];
    assert_eq!(field(tagged).await, "tags");
    assert_eq!(db.number("SELECT count(*) FROM fleet.job").await, 0);
}

#[tokio::test]
async fn the_sql_door_is_the_same_door() {
    let db = database().await;
    db.execute("INSERT INTO fleet.kind VALUES ('toy', 1, 'default', 2, 3, 60000, '{}', '{}')")
        .await;
    db.execute("SELECT fleet.enqueue('toy', '{\"n\": 1}', '{\"unique\": {\"key\": \"a\", \"scope\": \"live\"}, \"tags\": [\"x\"], \"priority\": 1}')").await;
    db.execute("SELECT fleet.enqueue('toy', '{\"n\": 2}', '{\"unique\": {\"key\": \"a\", \"scope\": \"live\"}}')").await;
    assert_eq!(db.number("SELECT count(*) FROM fleet.job").await, 1);
    let (_, job) = toymaker(&db).await.take(&db).await;
    assert_eq!(
        (job.priority, job.payload, job.max_attempts),
        (1, json!({ "n": 1 }), 3)
    );
    for (sql, says) in [
        ("SELECT fleet.enqueue('tyo', '{}')", "no kind \"tyo\""),
        (
            "SELECT fleet.enqueue('toy', '{}', '{\"prio\": 1}')",
            "option \"prio\"",
        ),
        (
            "SELECT fleet.enqueue('toy', to_jsonb(repeat('x', 2000000)))",
            "1 MiB",
        ),
    ] {
        let error = sqlx::query(sql)
            .execute(&db.pool)
            .await
            .expect_err("must be refused")
            .to_string();
        assert!(error.contains(says), "{error}");
    }
}
