//! Claim, renew and rescue: I1, I2, I4, I8, I11.

use std::time::Duration;

use fleet_queue::transitions::rescue::{Rescued, rescue};
use fleet_queue::transitions::{progress, renew};
use fleet_queue::workers;
use fleet_queue::{Error, NewJob, Outcome, Settled};
use fleet_tests::hand::{complete_all, settle_one};
use fleet_tests::{database, invariants};
use serde_json::json;

use super::deck::{failure, put, put_many, toy, toymaker};

/// A server that has just started gives every lease its full length again, so these tests give leases no length.
const AT_ONCE: Duration = Duration::ZERO;

#[tokio::test]
async fn i1_a_stale_holder_changes_nothing() {
    let db = database().await;
    let (mut first, mut second) = (toymaker(&db).await, toymaker(&db).await);
    put(&db, toy()).await;
    let stale = first.take(&db).await;
    first.die(&db).await;
    assert_eq!(
        rescue(&mut *db.conn().await, AT_ONCE).await.unwrap(),
        Rescued {
            workers: 1,
            returned: 1,
            discarded: 0
        }
    );
    let held = second.take(&db).await;
    assert_eq!(held.1.id, stale.1.id);
    let mut conn = db.conn().await;
    let is_lost = Settled::LeaseLost;
    assert_eq!(
        progress::progress(&mut conn, &stale.0, &json!(1))
            .await
            .unwrap(),
        is_lost
    );
    assert_eq!(
        progress::finish_step(&mut conn, &stale.0, "s", &json!(1))
            .await
            .unwrap(),
        is_lost
    );
    let line = progress::LogLine {
        seq: 0,
        level: "info",
        message: "late".into(),
    };
    assert_eq!(
        progress::log(&mut conn, &stale.0, &[line]).await.unwrap(),
        is_lost
    );
    assert!(!renew::hold(&mut conn, &stale.0).await.unwrap());
    assert!(renew::hold(&mut conn, &held.0).await.unwrap());
    assert_eq!(
        settle_one(&db, stale, Outcome::Completed { output: None }).await,
        is_lost
    );
    assert_eq!(db.queue().await, "toy running attempt=1 crashes=1");
    assert_eq!(
        settle_one(&db, held, Outcome::Completed { output: None }).await,
        Settled::Recorded
    );
    assert_eq!(
        db.number("SELECT count(*) FROM fleet.job_log").await
            + db.number("SELECT count(*) FROM fleet.job_step").await,
        0
    );
}

#[tokio::test]
async fn i1_the_same_worker_claiming_again_has_another_token() {
    let db = database().await;
    let mut hand = toymaker(&db).await;
    put(&db, toy()).await;
    let first = hand.take(&db).await;
    let (token, id) = (first.0.token(), first.1.id);
    let copy = sqlx::query_as::<_, (i64,)>("SELECT token FROM fleet.job")
        .fetch_one(&db.pool)
        .await
        .unwrap();
    assert_eq!(copy.0, token);
    assert_eq!(
        settle_one(&db, first, Outcome::Interrupted).await,
        Settled::Recorded
    );
    let second = hand.take(&db).await;
    assert_eq!(second.1.id, id);
    assert_ne!(
        second.0.token(),
        token,
        "a late settle of the first claim must not touch the second"
    );
    assert_eq!(
        renew::standing(&mut *db.conn().await, hand.id, &[(id, token)])
            .await
            .unwrap(),
        []
    );
    assert_eq!(
        renew::standing(&mut *db.conn().await, hand.id, &[(id, second.0.token())])
            .await
            .unwrap(),
        [id]
    );
}

#[tokio::test]
async fn i2_only_a_worker_with_a_living_lease_claims_or_renews() {
    let db = database().await;
    let mut hand = toymaker(&db).await;
    put(&db, toy()).await;
    hand.die(&db).await;
    assert!(matches!(
        hand.try_claim(&db, "default", 1).await,
        Err(Error::LeaseLost(_))
    ));
    rescue(&mut *db.conn().await, AT_ONCE).await.unwrap();
    let renewed = renew::renew(
        &mut *db.conn().await,
        hand.id,
        Duration::from_secs(8),
        renew::Pulse::default(),
    )
    .await;
    assert!(matches!(renewed, Err(Error::LeaseLost(_))));
    assert_eq!(db.queue().await, "toy available attempt=0 crashes=0");
}

#[tokio::test]
async fn i4_a_poison_job_is_given_up_after_three_crashes_and_others_go_on() {
    let db = database().await;
    let poison = put(&db, toy()).await;
    for _ in 0..3 {
        let mut hand = toymaker(&db).await;
        hand.take(&db).await;
        hand.die(&db).await;
        rescue(&mut *db.conn().await, AT_ONCE).await.unwrap();
    }
    put(
        &db,
        NewJob {
            kind: "other".into(),
            ..toy()
        },
    )
    .await;
    assert_eq!(
        db.queue().await,
        "toy discarded attempt=0 crashes=3 because crash loop\nother available attempt=0 crashes=0"
    );
    let crashes = db
        .number("SELECT count(*) FROM fleet.attempt WHERE outcome = 'crashed'")
        .await;
    assert_eq!(crashes, 3);
    assert!(poison.state.is_some());
    assert_eq!(toymaker(&db).await.claim(&db, 10).await.len(), 1);
    invariants::assert_hold(&db.pool).await;
}

#[tokio::test]
async fn i4_a_poison_jobs_neighbours_are_not_given_up_with_it() {
    let db = database().await;
    put_many(&db, 20, |_| toy()).await;
    let mut poisoned = toymaker(&db).await;
    let poison = poisoned.claim(&db, 20).await[7].1.id;
    poisoned.die(&db).await;
    rescue(&mut *db.conn().await, AT_ONCE).await.unwrap();
    // After a first death all run again at once; after a second they are suspects, and a worker has one of them at a time.
    put_many(&db, 5, |_| toy()).await;
    let mut deaths = 0;
    let mut hand = toymaker(&db).await;
    for _ in 0..40 {
        let mut jobs = hand.claim(&db, 100).await;
        let suspects = jobs.iter().filter(|(_, job)| job.crashes > 1).count();
        assert!(suspects <= 1, "{suspects} suspects at a time");
        if jobs.iter().any(|(_, job)| job.id == poison) {
            hand.die(&db).await;
            rescue(&mut *db.conn().await, AT_ONCE).await.unwrap();
            hand = toymaker(&db).await;
            deaths += 1;
        } else {
            complete_all(&db, std::mem::take(&mut jobs)).await;
        }
    }
    assert_eq!(deaths, 2, "three with the first");
    assert_eq!(
        db.number("SELECT count(*) FROM fleet.job_history WHERE reason = 'crash loop'")
            .await,
        1
    );
    assert_eq!(
        db.number("SELECT count(*) FROM fleet.job_history WHERE state = 'completed'")
            .await,
        24
    );
    invariants::assert_hold(&db.pool).await;
}

#[tokio::test]
async fn i4_crashes_and_attempts_are_counted_apart() {
    let db = database().await;
    let mut hand = toymaker(&db).await;
    put(&db, toy()).await;
    let job = hand.take(&db).await;
    settle_one(
        &db,
        job,
        Outcome::Retry {
            after: Duration::ZERO,
            failure: failure("no"),
        },
    )
    .await;
    let mut dying = toymaker(&db).await;
    dying.take(&db).await;
    dying.die(&db).await;
    rescue(&mut *db.conn().await, AT_ONCE).await.unwrap();
    assert_eq!(db.queue().await, "toy available attempt=1 crashes=1");
}

#[tokio::test]
async fn i8_many_rescuers_take_a_job_once() {
    let db = database().await;
    let mut hand = toymaker(&db).await;
    put_many(&db, 50, |_| toy()).await;
    assert_eq!(hand.claim(&db, 50).await.len(), 50);
    hand.die(&db).await;
    let rounds = (0..8).map(|_| async { rescue(&mut *db.conn().await, AT_ONCE).await.unwrap() });
    let rescued = futures::future::join_all(rounds).await;
    assert_eq!(
        rescued.iter().map(|round| round.returned).sum::<usize>(),
        50
    );
    assert_eq!(
        db.number("SELECT max(crashes)::bigint FROM fleet.job")
            .await,
        1
    );
    assert_eq!(db.number("SELECT count(*) FROM fleet.attempt").await, 50);
}

#[tokio::test]
async fn a_server_that_just_started_gives_every_lease_its_full_length() {
    let db = database().await;
    let mut hand = toymaker(&db).await;
    put(&db, toy()).await;
    hand.take(&db).await;
    hand.die(&db).await;
    // The server of this run started less than a day ago.
    assert_eq!(
        rescue(&mut *db.conn().await, Duration::from_secs(86_400))
            .await
            .unwrap(),
        Rescued::default()
    );
}

#[tokio::test]
async fn i11_a_worker_that_departs_gives_everything_back_at_no_cost() {
    let db = database().await;
    let mut hand = toymaker(&db).await;
    put_many(&db, 3, |_| toy()).await;
    hand.claim(&db, 3).await;
    assert_eq!(
        workers::depart(&mut *db.conn().await, hand.id)
            .await
            .unwrap(),
        3
    );
    assert_eq!(
        db.queue().await,
        ["toy available attempt=0 crashes=0"; 3].join("\n")
    );
    assert!(matches!(
        hand.try_claim(&db, "default", 1).await,
        Err(Error::LeaseLost(_))
    ));
    invariants::assert_hold(&db.pool).await;
}

#[tokio::test]
async fn i11_claimers_at_once_never_share_a_job() {
    let db = database().await;
    put_many(&db, 2_000, |_| toy()).await;
    let hands = futures::future::join_all((0..8).map(|_| toymaker(&db))).await;
    let claims = hands.into_iter().map(|mut hand| {
        let db = &db;
        async move {
            let mut ids = Vec::new();
            loop {
                let jobs = hand.claim(db, 37).await;
                if jobs.is_empty() {
                    return ids;
                }
                ids.extend(jobs.into_iter().map(|(_, job)| job.id));
            }
        }
    });
    let mut ids: Vec<_> = futures::future::join_all(claims).await.concat();
    assert_eq!(ids.len(), 2_000, "none was claimed twice");
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 2_000, "each was claimed");
}

#[tokio::test]
async fn only_kinds_and_versions_that_are_served_are_claimed() {
    let db = database().await;
    put(
        &db,
        NewJob {
            kind: "unheard".into(),
            ..toy()
        },
    )
    .await;
    put(
        &db,
        NewJob {
            version: 2,
            ..toy()
        },
    )
    .await;
    put(&db, toy()).await;
    let jobs = toymaker(&db).await.claim(&db, 10).await;
    assert_eq!(
        jobs.iter()
            .map(|(_, job)| (job.kind.as_str(), job.version))
            .collect::<Vec<_>>(),
        [("toy", 1)]
    );
}
