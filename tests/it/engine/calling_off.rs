//! Cancel: a waiting job at once, a running one through its worker, whatever happens to it meanwhile: I3, I11.

use std::time::Duration;

use fleet_queue::transitions::cancel::{Cancelled, cancel};
use fleet_queue::transitions::renew::{self, Renewed};
use fleet_queue::transitions::settle::settle;
use fleet_queue::{JobId, JobState, Outcome, upkeep};
use fleet_tests::hand::{settle_one, settlement};
use fleet_tests::{Hand, TestDb, database, eventually, invariants};

use super::deck::{WAITING, failure, put, toy, toymaker};

/// What a worker hears as it renews.
async fn hear(db: &TestDb, hand: &Hand) -> Renewed {
    let (ttl, pulse) = (Duration::from_secs(8), renew::Pulse::default());
    renew::renew(&mut *db.conn().await, hand.id, ttl, pulse)
        .await
        .unwrap()
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
    assert_eq!(hear(&db, &hand).await.cancel, [(running.id, job.0.token())]);
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

/// What is over is cleared, what its worker has not heard of yet is not.
#[tokio::test]
async fn a_call_to_stop_is_kept_until_it_is_heard() {
    let db = database().await;
    let mut hand = toymaker(&db).await;
    let (over, meant) = (put(&db, toy()).await.id, put(&db, toy()).await.id);
    let [ended, runs] = hand.claim(&db, 2).await.try_into().ok().unwrap();
    for id in [over, meant] {
        let told = cancel(&mut *db.conn().await, id, None).await.unwrap();
        assert_eq!(told, Cancelled::Requested(hand.id));
    }
    settle_one(&db, ended, Outcome::Completed { output: None }).await;
    let cleared = upkeep::clear_leftovers(&mut *db.conn().await).await;
    assert_eq!(cleared.unwrap(), 1);
    assert_eq!(hear(&db, &hand).await.cancel, [(meant, runs.0.token())]);
    assert_eq!(hear(&db, &hand).await.cancel, [], "once is enough");
}

#[tokio::test]
async fn a_job_that_is_given_back_meanwhile_is_cancelled_where_it_waits() {
    let db = database().await;
    let mut hand = toymaker(&db).await;
    let id = put(&db, toy()).await.id;
    let back = settlement(hand.take(&db).await, Outcome::Interrupted);
    let mut tx = db.pool.begin().await.unwrap();
    settle(&mut tx, &[back]).await.unwrap();
    let mut conn = db.conn().await;
    let given_back = async {
        eventually("the cancel waits", || async {
            (db.number(WAITING).await > 0).then_some(())
        })
        .await;
        tx.commit().await.unwrap();
    };
    let (cancelled, ()) = tokio::join!(cancel(&mut conn, id, None), given_back);
    assert_eq!(cancelled.unwrap(), Cancelled::Ended);
    invariants::assert_hold(&db.pool).await;
}

/// The other way round: the cancel has the row, and commits while the result waits for it.
#[tokio::test]
async fn i11_a_cancel_that_commits_while_its_job_goes_back_is_not_lost() {
    let db = database().await;
    let mut hand = toymaker(&db).await;
    let id = put(&db, toy()).await.id;
    let again = Outcome::Retry {
        after: Duration::ZERO,
        failure: failure("x"),
    };
    let back = settlement(hand.take(&db).await, again);
    let mut tx = db.pool.begin().await.unwrap();
    let told = cancel(&mut tx, id, Some("stop")).await.unwrap();
    assert_eq!(told, Cancelled::Requested(hand.id));
    let mut conn = db.conn().await;
    let cancelled = async {
        eventually("the result waits", || async {
            (db.number(WAITING).await > 0).then_some(())
        })
        .await;
        tx.commit().await.unwrap();
    };
    let backs = [back];
    let (settled, ()) = tokio::join!(settle(&mut conn, &backs), cancelled);
    settled.unwrap();
    assert_eq!(
        db.queue().await.lines().last(),
        Some("toy cancelled attempt=1 crashes=0 because stop")
    );
    invariants::assert_hold(&db.pool).await;
}
