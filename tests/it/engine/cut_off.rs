//! Callers that are cut off in the middle of a verb: nothing is left half done: I2, I3.

use fleet_queue::{Error, workers};
use fleet_tests::{database, eventually};

use super::deck::{WAITING, in_hand, put, toy, toymaker};

#[tokio::test]
async fn i3_a_handler_dropped_while_it_settles_leaves_the_claim_to_its_worker() {
    let db = database().await;
    let mut hand = toymaker(&db).await;
    put(&db, toy()).await;
    let (cx, claim) = in_hand(&db, hand.take(&db).await);
    let mut other = db.pool.begin().await.unwrap();
    let held = sqlx::query("SELECT FROM fleet.job FOR UPDATE");
    held.execute(&mut *other).await.unwrap();
    let mut tx = db.pool.begin().await.unwrap();
    tokio::select! {
        settled = cx.settle_in(&mut tx, None::<&()>) => panic!("it must wait for the row: {:?}", settled.is_ok()),
        () = eventually("the settle waits", || async { (db.number(WAITING).await > 0).then_some(()) }) => {}
    }
    assert!(
        claim.lock().await.is_some(),
        "nobody could settle the job any more"
    );
}

#[tokio::test]
async fn i3_a_departure_that_is_cut_off_leaves_the_worker_to_its_lease() {
    let db = database().await;
    let mut hand = toymaker(&db).await;
    put(&db, toy()).await;
    let _claimed = hand.take(&db).await;
    let mut other = db.pool.begin().await.unwrap();
    let held = sqlx::query("SELECT FROM fleet.job FOR UPDATE");
    held.execute(&mut *other).await.unwrap();
    let mut conn = db.conn().await.detach();
    tokio::select! {
        left = workers::depart(&mut conn, hand.id) => panic!("it must wait for the job: {left:?}"),
        () = eventually("the departure waits", || async { (db.number(WAITING).await > 0).then_some(()) }) => {}
    }
    drop(conn);
    other.rollback().await.unwrap();
    eventually("the server has noticed", || async {
        (db.number(WAITING).await == 0).then_some(())
    })
    .await;
    let living = "SELECT count(*) FROM fleet.worker WHERE ended_at IS NULL";
    assert_eq!(db.number(living).await, 1, "nobody would rescue its job");
}

#[tokio::test]
async fn i2_a_claim_that_is_cut_off_has_not_lost_its_lease() {
    let db = database().await;
    let mut hand = toymaker(&db).await;
    put(&db, toy()).await;
    let mut other = db.pool.begin().await.unwrap();
    let held = sqlx::query("LOCK TABLE fleet.arrival IN ACCESS EXCLUSIVE MODE");
    held.execute(&mut *other).await.unwrap();
    let mut tx = db.pool.begin().await.unwrap();
    let hurry = sqlx::query("SET LOCAL lock_timeout = '50ms'");
    hurry.execute(&mut *tx).await.unwrap();
    let refused = hand.claim_on(&mut tx, "default", 1).await.unwrap_err();
    assert!(matches!(refused, Error::Database { .. }), "{refused:?}");
    assert!(refused.is_transient(), "it may be tried again");
}
