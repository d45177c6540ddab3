//! The database's clock is set back: what was written before it lies ahead now, and nothing waits for the clock to get there again.

use std::time::Duration;

use fleet_queue::limits::LimitRule;
use fleet_queue::transitions::rescue::{Rescued, rescue};
use fleet_tests::database;

use super::deck::{put, toy, toymaker};
use super::limits::limit;

const TTL: Duration = Duration::from_secs(8);

#[tokio::test]
async fn i11_a_dead_workers_jobs_are_rescued_one_lease_after_the_clock_went_back() {
    let db = database().await;
    let mut hand = toymaker(&db).await;
    put(&db, toy()).await;
    hand.take(&db).await;
    let mut conn = db.conn().await;
    sqlx::query("SELECT set_config('fleet.now', '-1 hour', false)")
        .execute(&mut *conn)
        .await
        .unwrap();
    assert_eq!(rescue(&mut conn, TTL).await.unwrap(), Rescued::default());
    sqlx::query("SELECT set_config('fleet.now', '-59 minutes', false)")
        .execute(&mut *conn)
        .await
        .unwrap();
    assert_eq!(rescue(&mut conn, TTL).await.unwrap().returned, 1);
}

#[tokio::test]
async fn a_rate_goes_on_from_where_the_clock_is() {
    let db = database().await;
    let slow = LimitRule {
        name: "slow".into(),
        rate: Some(2.0),
        burst: Some(1),
        ..LimitRule::default()
    };
    limit(&db, slow).await;
    let mut hand = toymaker(&db).await;
    for _ in 0..2 {
        put(&db, toy()).await;
    }
    assert_eq!(hand.claim(&db, 2).await.len(), 1, "the burst");
    db.execute(
        "UPDATE fleet.bucket SET tokens = 0, refilled_at = clock_timestamp() + interval '1 hour'",
    )
    .await;
    assert!(hand.claim(&db, 2).await.is_empty());
    let ahead = "SELECT count(*) FROM fleet.bucket WHERE refilled_at > clock_timestamp()";
    assert_eq!(
        db.number(ahead).await,
        0,
        "it would let nothing through for an hour"
    );
}
