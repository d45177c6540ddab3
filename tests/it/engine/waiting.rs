//! What waits: for its time, for its expiry, in retired lanes; counted, kept in partitions, woken.

use chrono::{TimeDelta, Utc};
use fleet_queue::transitions::{promote, prune};
use fleet_queue::{JobState, NewJob, Outcome, upkeep, wake};
use fleet_tests::hand::{complete_all, settle_one};
use fleet_tests::{TestDb, database, invariants};

use super::deck::{put, put_many, toy, toymaker};

#[tokio::test]
async fn a_scheduled_job_is_promoted_when_due_and_by_one_only() {
    let db = database().await;
    let mut hand = toymaker(&db).await;
    put_many(&db, 500, |_| toy().run_at(Utc::now() + TimeDelta::hours(1))).await;
    assert!(hand.claim(&db, 10).await.is_empty());
    assert_eq!(
        promote::promote(&mut *db.conn().await, None, 1000)
            .await
            .unwrap()
            .available,
        0
    );
    db.execute("UPDATE fleet.job SET run_at = now() - interval '1 second'")
        .await;
    let rounds = (0..6).map(|_| async {
        promote::promote(&mut *db.conn().await, None, 200)
            .await
            .unwrap()
            .available
    });
    let first: usize = futures::future::join_all(rounds).await.into_iter().sum();
    let rest = promote::promote(&mut *db.conn().await, None, 1000)
        .await
        .unwrap();
    assert_eq!(first + rest.available, 500);
    assert_eq!(hand.claim(&db, 1000).await.len(), 500);
    invariants::assert_hold(&db.pool).await;
}

#[tokio::test]
async fn promotion_goes_on_from_where_it_was() {
    let db = database().await;
    put_many(&db, 4, |_| toy().run_at(Utc::now() + TimeDelta::hours(1))).await;
    db.execute("UPDATE fleet.job SET run_at = now() - (row_number * interval '1 minute') FROM (SELECT id AS whose, row_number() OVER () FROM fleet.job) n WHERE id = whose")
        .await;
    let conn = &mut *db.conn().await;
    let first = promote::promote(conn, None, 2).await.unwrap();
    assert_eq!(first.available, 2);
    let past = Utc::now() - TimeDelta::seconds(90);
    let after = promote::promote(conn, Some(past), 9).await.unwrap();
    assert_eq!(after.available, 1, "one of the two left is due before");
    let rest = promote::promote(conn, first.reached, 9).await.unwrap();
    assert_eq!(rest.available, 1);
}

/// Words that schedulers would have heard by now: ours is the last.
async fn words(ear: &mut wake::Listener, db: &TestDb) -> usize {
    db.execute("NOTIFY fleet_scheduler, 'last'").await;
    let mut heard = 0;
    while ear.hear().await.unwrap().expect("the connection holds") != "last" {
        heard += 1;
    }
    heard
}

#[tokio::test]
async fn schedulers_are_told_of_what_is_soon_while_nothing_moves() {
    let db = database().await;
    let mut ear = wake::Listener::start(&db.db, wake::SCHEDULERS)
        .await
        .unwrap();
    let soon = || toy().run_at(Utc::now() + TimeDelta::seconds(3));
    put(&db, soon()).await;
    assert_eq!(words(&mut ear, &db).await, 1);
    put(&db, toy().run_at(Utc::now() + TimeDelta::hours(1))).await;
    assert_eq!(words(&mut ear, &db).await, 0, "that is time enough");
    put(&db, toy()).await;
    toymaker(&db).await.take(&db).await;
    put(&db, soon()).await;
    assert_eq!(words(&mut ear, &db).await, 0, "a busy fleet looks often");
}

#[tokio::test]
async fn a_job_not_started_in_time_is_discarded_saying_so() {
    let db = database().await;
    let mut hand = toymaker(&db).await;
    let mut job = toy();
    job.rare.expires_at = Some(Utc::now() - TimeDelta::seconds(1));
    put(&db, job).await;
    assert!(
        hand.claim(&db, 10).await.is_empty(),
        "an expired job is not started, even before it is discarded"
    );
    assert_eq!(
        promote::expire(&mut *db.conn().await, 100).await.unwrap(),
        1
    );
    assert_eq!(
        db.queue().await,
        "toy discarded attempt=0 crashes=0 because expired: not started by its expires_at"
    );
    let mut running = toy();
    running.rare.expires_at = Some(Utc::now() + TimeDelta::hours(1));
    put(&db, running).await;
    hand.take(&db).await;
    db.execute("UPDATE fleet.job SET expires_at = 'epoch'")
        .await;
    assert_eq!(
        promote::expire(&mut *db.conn().await, 100).await.unwrap(),
        0,
        "what has started does not expire"
    );
}

#[tokio::test]
async fn a_retired_lane_wakes_with_its_next_job() {
    let db = database().await;
    let mut hand = toymaker(&db).await;
    put(&db, toy()).await;
    let job = hand.take(&db).await;
    settle_one(&db, job, Outcome::Completed { output: None }).await;
    db.execute("UPDATE fleet.lane SET active_until = now() - interval '1 minute'")
        .await;
    assert_eq!(
        upkeep::retire_lanes(&mut *db.conn().await).await.unwrap(),
        1
    );
    assert_eq!(
        db.number("SELECT count(*) FROM fleet.lane WHERE active")
            .await,
        0
    );
    put(&db, toy()).await;
    assert_eq!(hand.claim(&db, 1).await.len(), 1);
}

#[tokio::test]
async fn i3_a_lane_that_was_lost_is_found_again() {
    let db = database().await;
    let mut hand = toymaker(&db).await;
    put_many(&db, 3, |_| toy()).await;
    db.execute("DELETE FROM fleet.arrival").await;
    assert!(
        hand.claim(&db, 10).await.is_empty(),
        "nobody told the claim"
    );
    assert_eq!(upkeep::sweep_lanes(&mut *db.conn().await).await.unwrap(), 1);
    assert_eq!(
        upkeep::sweep_lanes(&mut *db.conn().await).await.unwrap(),
        0,
        "once is enough"
    );
    assert_eq!(hand.claim(&db, 10).await.len(), 3);
}

#[tokio::test]
async fn counters_count_every_event_once_however_many_fold() {
    let db = database().await;
    let mut hand = toymaker(&db).await;
    for _ in 0..40 {
        put_many(&db, 5, |_| toy()).await;
        let jobs = hand.claim(&db, 5).await;
        complete_all(&db, jobs).await;
    }
    let folds = (0..8).map(|_| async {
        while upkeep::fold_counters(&mut *db.conn().await, 10)
            .await
            .unwrap()
            > 0
        {}
    });
    futures::future::join_all(folds).await;
    let totals = db
        .text("SELECT string_agg(event || '=' || n, ' ' ORDER BY event) FROM fleet.total")
        .await;
    assert_eq!(totals, "completed=200 enqueued=200 started=200");
    assert_eq!(
        db.number("SELECT sum(n)::bigint FROM fleet.counter WHERE event = 'started'")
            .await,
        200
    );
    invariants::assert_hold(&db.pool).await;
}

#[tokio::test]
async fn partitions_are_made_ahead_and_dropped_past_their_retention() {
    let db = database().await;
    let rounds = (0..4).map(|_| async {
        upkeep::make_partitions(&mut *db.conn().await, 5)
            .await
            .unwrap()
    });
    let made: i32 = futures::future::join_all(rounds).await.into_iter().sum();
    assert_eq!(
        made, 8,
        "two more days of four tables, made by one of the four rounds"
    );
    assert!(
        prune::prune(&mut *db.conn().await, 30, 100)
            .await
            .unwrap()
            .partitions
            .is_empty()
    );
    db.execute("CREATE TABLE fleet.job_history_20200101 PARTITION OF fleet.job_history FOR VALUES FROM ('2020-01-01 00:00:00+00') TO ('2020-01-02 00:00:00+00')").await;
    let pruned = prune::prune(&mut *db.conn().await, 30, 100).await.unwrap();
    assert_eq!(pruned.partitions, ["job_history_20200101"]);
    assert!(
        db.number(
            "SELECT count(*) FROM pg_inherits WHERE inhparent = 'fleet.job_history'::regclass"
        )
        .await
            >= 6
    );
}

#[tokio::test]
async fn one_sleeper_is_woken_for_a_lone_job() {
    let db = database().await;
    let (first, second) = (toymaker(&db).await, toymaker(&db).await);
    let queues = ["default".to_owned()];
    let mut ears = Vec::new();
    for hand in [&first, &second] {
        wake::fall_asleep(&mut *db.conn().await, hand.id, &queues)
            .await
            .unwrap();
        let mut ear = sqlx::postgres::PgListener::connect_with(&db.pool)
            .await
            .unwrap();
        ear.listen(&wake::channel(hand.id)).await.unwrap();
        ears.push(ear);
    }
    let mut sleepers = [first.id, second.id].map(|id| ("default".to_owned(), id.0));
    sleepers.sort();
    let slept_for = wake::slept_for(&mut *db.conn().await).await.unwrap();
    assert_eq!(slept_for, sleepers);
    put(&db, toy()).await;
    assert_eq!(wake::wake(&mut *db.conn().await, &queues).await.unwrap(), 1);
    let (left, right) = ears.split_at_mut(1);
    let heard = futures::future::select(Box::pin(left[0].recv()), Box::pin(right[0].recv())).await;
    assert_eq!(heard.factor_first().0.unwrap().payload(), "default");
    wake::awake(&mut *db.conn().await, first.id).await.unwrap();
    wake::awake(&mut *db.conn().await, second.id).await.unwrap();
    assert_eq!(
        wake::wake(&mut *db.conn().await, &queues).await.unwrap(),
        0,
        "nobody sleeps"
    );
}

#[tokio::test]
async fn a_row_whose_day_has_no_partition_is_kept() {
    let db = database().await;
    let mut hand = toymaker(&db).await;
    db.execute("DO $$ DECLARE t text; BEGIN FOR t IN SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE c.relname ~ '_\\d{8}$' LOOP EXECUTE 'DROP TABLE fleet.' || t; END LOOP; END $$").await;
    put(
        &db,
        NewJob {
            queue: "default".into(),
            ..toy()
        },
    )
    .await;
    let job = hand.take(&db).await;
    settle_one(&db, job, Outcome::Completed { output: None }).await;
    let found = fleet_queue::read::find_state(
        &mut *db.conn().await,
        fleet_queue::JobId(
            sqlx::query_scalar("SELECT id FROM fleet.job_history_default")
                .fetch_one(&db.pool)
                .await
                .unwrap(),
        ),
    )
    .await
    .unwrap();
    assert_eq!(found, Some(JobState::Completed));
    // The duty leaves such a day to the default partition and makes the others.
    assert_eq!(
        upkeep::make_partitions(&mut *db.conn().await, 3)
            .await
            .unwrap(),
        15
    );
}
