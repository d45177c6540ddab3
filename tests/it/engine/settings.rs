//! What people set while jobs run: a rule counts what is being claimed, and a queue's numbers have bounds: I9, I10.

use fleet_queue::Error;
use fleet_queue::limits::{set_limit, set_queue};
use fleet_tests::{TestDb, database, eventually, invariants};

use super::deck::{WAITING, put_many, toy, toymaker};
use super::limits::capped;

#[tokio::test]
async fn i10_a_limit_counts_what_a_claim_under_way_takes() {
    let db = database().await;
    let mut hand = toymaker(&db).await;
    put_many(&db, 3, |_| toy()).await;
    hand.take(&db).await;
    let mut tx = db.pool.begin().await.unwrap();
    let taken = hand.claim_on(&mut tx, "default", 1).await.unwrap();
    assert_eq!(taken.len(), 1);
    let mut conn = db.conn().await;
    let two = capped("two", 2);
    let mut set = Box::pin(set_limit(&mut conn, &two));
    tokio::select! {
        set = &mut set => panic!("it must wait for the claim: {set:?}"),
        () = eventually("the rule waits", || async { (db.number(WAITING).await > 0).then_some(()) }) => {}
    }
    tx.commit().await.unwrap();
    set.await.unwrap();
    assert!(hand.claim(&db, 1).await.is_empty(), "two run");
    invariants::assert_hold(&db.pool).await;
}

/// The field that is refused.
async fn refused(db: &TestDb, max_depth: Option<i32>, age_step_s: i32) -> Option<&'static str> {
    match set_queue(&mut *db.conn().await, "default", max_depth, age_step_s).await {
        Ok(()) => None,
        Err(Error::Invalid { field, .. }) => Some(field),
        Err(other) => panic!("it names no field: {other}"),
    }
}

#[tokio::test]
async fn i9_a_queue_holds_one_job_and_ages_in_a_second_at_least() {
    let db = database().await;
    assert_eq!(refused(&db, Some(1), 1).await, None);
    assert_eq!(refused(&db, None, 1).await, None);
    for depth in [0, -1] {
        assert_eq!(refused(&db, Some(depth), 1).await, Some("max_depth"));
    }
    for step in [0, -1] {
        assert_eq!(refused(&db, None, step).await, Some("age_step_s"));
    }
}
