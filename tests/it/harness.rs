//! The harness itself: what it lends must come back.

use fleet_tests::{database, eventually};

#[tokio::test]
async fn a_database_goes_with_its_test_though_something_is_connected() {
    let (lent, other) = (database().await, database().await);
    let name = lent.text("SELECT current_database()::text").await;
    let left_open = lent.pool.acquire().await.unwrap();
    drop(lent);
    eventually("the database is gone", || async {
        let found: i64 = sqlx::query_scalar("SELECT count(*) FROM pg_database WHERE datname = $1")
            .bind(&name)
            .fetch_one(&other.pool)
            .await
            .unwrap();
        (found == 0).then_some(())
    })
    .await;
    drop(left_open);
}
