//! What partners know and clients need: industries, channels, languages and regions.

use fleet_jobs::assignment::Outcome;
use serde_json::{Value, json};
use uuid::Uuid;

use super::house::House;

async fn waits(house: &House, client: Uuid) -> Value {
    let outcome = house.assign(client).await;
    assert!(matches!(outcome, Outcome::Waitlisted { .. }), "{outcome:?}");
    house.rationale(client).await["filters"].clone()
}

#[tokio::test]
async fn what_nobody_knows_is_known_by_nobody() {
    let house = House::open().await;
    house
        .partner(
            "ann",
            10.0,
            "industries = '{retail}', channels = '{search}', languages = '{en}', regions = '{eu}'",
        )
        .await;
    house.score().await;
    for (needs, filter) in [
        ("industry = 'mining'", "industry"),
        ("channels = '{search, radio}'", "channel"),
        ("languages = '{en, ja}'", "language"),
        ("region = 'mars'", "region"),
    ] {
        let client = house.client(filter, needs).await;
        assert_eq!(waits(&house, client).await, json!({ filter: 1 }), "{needs}");
    }
}

/// One that got in by SQL would stop every choice that comes upon it.
#[tokio::test]
async fn a_name_that_is_null_is_refused() {
    let house = House::open().await;
    house.partner("ann", 10.0, "").await;
    house.client("acme", "").await;
    for (table, column) in [
        ("partners", "industries"),
        ("partners", "channels"),
        ("partners", "languages"),
        ("partners", "regions"),
        ("partners", "serves"),
        ("clients", "channels"),
        ("clients", "languages"),
    ] {
        let sql = format!("UPDATE fleet.{table} SET {column} = array_append({column}, NULL)");
        let told = sqlx::raw_sql(sqlx::AssertSqlSafe(sql))
            .execute(&house.db.pool)
            .await;
        let told = told.expect_err(column);
        let constraint = told.as_database_error().and_then(|told| told.constraint());
        assert_eq!(
            constraint,
            Some(format!("{table}_{column}_check").as_str()),
            "{told}"
        );
    }
}
