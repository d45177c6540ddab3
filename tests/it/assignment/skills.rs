//! Names of industries, channels, languages and regions as bits: what few names and many names give is the same.

use std::time::Duration;

use fleet_jobs::assignment::Outcome;
use fleet_tests::wait::within;
use serde_json::{Value, json};
use uuid::Uuid;

use super::house::{House, id};

/// Four partners that know sixty-four names of each category, one after the other; all that come after share the last bit.
async fn with_all_bits_given(house: &House) {
    for n in 0..4 {
        let names = |prefix: &str| {
            let (first, last) = (16 * n, 16 * n + 15);
            format!(
                "ARRAY(SELECT '{prefix}' || lpad(i::text, 3, '0') FROM generate_series({first}, {last}) i)"
            )
        };
        let (i, c, l, r) = (names("i"), names("c"), names("l"), names("r"));
        let more = format!("industries = {i}, channels = {c}, languages = {l}, regions = {r}");
        house.partner(&format!("old {n}"), 10.0, &more).await;
    }
    house.score().await;
}

async fn waits(house: &House, client: Uuid) -> Value {
    let outcome = house.assign(client).await;
    assert!(matches!(outcome, Outcome::Waitlisted { .. }), "{outcome:?}");
    house.rationale(client).await["filters"].clone()
}

#[tokio::test]
async fn names_that_share_a_bit_are_told_apart() {
    let house = House::open().await;
    with_all_bits_given(&house).await;
    let knows = |what: &str| {
        format!(
            "industries = '{{i-{what}}}', channels = '{{c-{what}, search}}', languages = '{{l-{what}}}', regions = '{{r-{what}}}'"
        )
    };
    for what in ["a", "b"] {
        house.partner(what, 10.0, &knows(what)).await;
    }
    house.score().await;
    let sharing = "SELECT count(*) FROM fleet.skill_bits WHERE bit = 62";
    assert!(house.db.number(sharing).await >= 8);
    for what in ["a", "b"] {
        let needs = format!(
            "industry = 'i-{what}', channels = '{{c-{what}, search}}', languages = '{{l-{what}}}', region = 'r-{what}'"
        );
        let client = house.client(what, &needs).await;
        let outcome = house.assign(client).await;
        assert!(
            matches!(outcome, Outcome::Assigned { partner_id, .. } if partner_id == id(what)),
            "{outcome:?}"
        );
        assert_eq!(
            house.rationale(client).await["filters"],
            json!({ "industry": 5 })
        );
    }
    // Each filter by itself, beside partners that share its bit.
    for (name, needs, filters) in [
        (
            "channel",
            "channels = '{c-a, c-b}'",
            json!({ "channel": 6 }),
        ),
        (
            "language",
            "channels = '{search}', languages = '{l-a, l-b}'",
            json!({ "channel": 4, "language": 2 }),
        ),
        (
            "region",
            "channels = '{c-a}', region = 'r-b'",
            json!({ "channel": 5, "region": 1 }),
        ),
    ] {
        let client = house.client(name, needs).await;
        assert_eq!(waits(&house, client).await, filters, "{needs}");
    }
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

/// Two who meet new names at once must not give the same bit to both.
#[tokio::test]
async fn bits_are_given_out_one_at_a_time() {
    let house = House::open().await;
    for name in ["ann", "bob"] {
        house.partner(name, 10.0, "").await;
    }
    house.score().await;
    let learn = |name: &str, channel: &str| {
        format!("UPDATE fleet.partners SET channels = '{{{channel}}}' WHERE name = '{name}'")
    };
    let mut first = house.db.pool.begin().await.unwrap();
    let sql = learn("ann", "radio");
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql))
        .execute(&mut *first)
        .await
        .unwrap();
    let sql = learn("bob", "tv");
    let pool = house.db.pool.clone();
    let second = tokio::spawn(async move {
        let sql = sqlx::raw_sql(sqlx::AssertSqlSafe(sql));
        sql.execute(&pool).await.unwrap();
    });
    let waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
                   AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    within(Duration::from_secs(30), "the second waits", || async {
        (house.db.number(waiting).await == 1).then_some(())
    })
    .await;
    first.commit().await.unwrap();
    second.await.unwrap();
    let doubled = "SELECT count(*) - count(DISTINCT (category, bit)) FROM fleet.skill_bits";
    assert_eq!(house.db.number(doubled).await, 0);
    let known = "SELECT count(*) FROM fleet.skill_bits WHERE name IN ('radio', 'tv')";
    assert_eq!(house.db.number(known).await, 2);
}
