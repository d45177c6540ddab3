//! Two claims at one moment: the second waits for the first and takes nothing of what it took: I2.

use fleet_tests::{database, eventually, invariants};

use super::deck::{WAITING, put_many, toy, toymaker};

#[tokio::test]
async fn i2_a_claim_takes_nothing_of_one_that_has_not_committed_yet() {
    let db = database().await;
    put_many(&db, 4, |_| toy()).await;
    let (mut first, mut second) = (toymaker(&db).await, toymaker(&db).await);
    // The lane is known from now on: nothing but the queue's lock makes the second wait.
    first.take(&db).await;
    let mut tx = db.pool.begin().await.unwrap();
    let taken = first.claim_on(&mut tx, "default", 3).await.unwrap();
    assert_eq!(taken.len(), 3);
    let mut claim = Box::pin(second.claim(&db, 3));
    tokio::select! {
        jobs = &mut claim => panic!("it must wait, and got {}", jobs.len()),
        () = eventually("the claim waits", || async { (db.number(WAITING).await > 0).then_some(()) }) => {}
    }
    tx.commit().await.unwrap();
    assert!(claim.await.is_empty());
    invariants::assert_hold(&db.pool).await;
}
