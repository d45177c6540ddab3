//! The guard itself, and what computations of capacity do beside it.

use fleet_jobs::capacity::{reconcile, rescore};

use super::house::{House, TENANT, id};

async fn take(house: &House, client: &str, weight: f64, overload: bool) -> bool {
    let sql = "INSERT INTO fleet.client_assignments (tenant_id, client_id, partner_id, weight, load_after, cap_then, manual_overload)
        SELECT $1, $2, $3, $4::float8::numeric, s.load_after, s.cap_then, s.load_after > s.cap_then FROM fleet.take_slot($1, $2, $3, $4::float8::numeric, false, $5) AS s";
    let query = sqlx::query(sql)
        .bind(TENANT)
        .bind(id(client))
        .bind(id("ann"))
        .bind(weight)
        .bind(overload);
    query.execute(&house.db.pool).await.unwrap().rows_affected() == 1
}

#[tokio::test]
async fn the_last_slot_is_taken_once_and_beyond_it_only_by_a_persons_word() {
    let house = House::open().await;
    house.partner("ann", 2.5, "").await;
    house.score().await;
    assert!(take(&house, "a", 2.0, false).await);
    assert!(!take(&house, "b", 1.0, false).await);
    assert!(take(&house, "c", 0.5, false).await);
    assert!(!take(&house, "d", 0.5, false).await);
    assert!(take(&house, "d", 0.5, true).await);
    assert_eq!(house.load_of(id("ann")).await, 3.0);
    let overloads = "SELECT count(*) FROM fleet.client_assignments WHERE manual_overload";
    assert_eq!(house.db.number(overloads).await, 1);
    let lie = "INSERT INTO fleet.client_assignments (tenant_id, client_id, partner_id, load_after, cap_then) VALUES (md5('t')::uuid, md5('c')::uuid, md5('p')::uuid, 3, 2)";
    let refused = sqlx::query(lie)
        .execute(&house.db.pool)
        .await
        .expect_err("nobody said so");
    assert!(
        refused
            .to_string()
            .contains("client_assignments_within_cap"),
        "{refused}"
    );
}

#[tokio::test]
async fn a_computation_that_read_before_a_slot_was_taken_cannot_hide_it() {
    let house = House::open().await;
    let ann = house.partner("ann", 10.0, "").await;
    house.score().await;
    // Taken and not committed: the computation reads what was before, and must wait and read again.
    let mut taking = house.db.pool.begin().await.unwrap();
    let take = "INSERT INTO fleet.client_assignments (tenant_id, client_id, partner_id, weight) SELECT $1, $2, $3, 2 FROM fleet.take_slot($1, $2, $3, 2, false, false)";
    let query = sqlx::query(take).bind(TENANT).bind(id("acme")).bind(ann);
    query.execute(&mut *taking).await.unwrap();
    let pool = house.db.pool.clone();
    let scoring = tokio::spawn(async move {
        let mut tx = pool.begin().await.unwrap();
        let now = sqlx::query_scalar("SELECT fleet.clock()")
            .fetch_one(&mut *tx)
            .await
            .unwrap();
        let done = rescore(&mut tx, &[ann], now).await.unwrap();
        tx.commit().await.unwrap();
        done.scored
    });
    let waits = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    fleet_tests::eventually("the computation waits", || async {
        (house.db.number(waits).await == 1).then_some(())
    })
    .await;
    taking.commit().await.unwrap();
    assert_eq!(scoring.await.unwrap(), 1);
    assert_eq!(house.load_of(ann).await, 2.0);
    house.holds().await;
}

#[tokio::test]
async fn kept_slots_count_in_every_computation_and_are_no_drift() {
    let house = House::open().await;
    house.review("always").await;
    let ann = house.partner("ann", 10.0, "").await;
    house.score().await;
    house.assign(house.client("acme", "").await).await;
    assert_eq!(house.load_of(ann).await, 1.0);
    house.score().await;
    assert_eq!(house.load_of(ann).await, 1.0, "counted from the rows");
    house.db.execute("DELETE FROM fleet.job").await;
    let reconciled = reconcile(&house.db.pool).await.unwrap();
    assert_eq!(reconciled.drifted, 0);
    house.holds().await;
}

#[tokio::test]
async fn the_score_follows_the_slot_at_once_as_the_next_computation_has_it() {
    let house = House::open().await;
    let ann = house.partner("ann", 8.0, "").await;
    house.score().await;
    house.assign(house.client("acme", "").await).await;
    let score = "SELECT score::float8 FROM fleet.partner_capacity WHERE partner_id = $1";
    let read = async || -> f64 {
        sqlx::query_scalar(score)
            .bind(ann)
            .fetch_one(&house.db.pool)
            .await
            .unwrap()
    };
    let followed = read().await;
    house.score().await;
    assert!(
        (followed - read().await).abs() < 0.02,
        "{followed} and {}",
        read().await
    );
}
