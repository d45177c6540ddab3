//! Who is chosen: what rules out, what counts, and that the statement orders as the formula does.

use fleet_jobs::assignment::{Outcome, Weights};
use serde_json::json;

use super::house::{House, id};

#[tokio::test]
async fn the_best_is_chosen_and_the_rationale_says_why() {
    let house = House::open().await;
    let skilled = "industries = '{retail}', channels = '{search}', languages = '{en}'";
    let ann = house.partner("ann", 10.0, skilled).await;
    house
        .partner(
            "bob",
            10.0,
            "industries = '{retail,travel}', channels = '{search,social}', languages = '{en}'",
        )
        .await;
    house
        .partner(
            "eve",
            10.0,
            "industries = '{travel}', channels = '{search}', languages = '{en}'",
        )
        .await;
    house.partner("joe", 10.0, "status = 'paused'").await;
    house.partner("kim", 0.5, skilled).await;
    house.score().await;
    let client = house
        .client(
            "acme",
            "industry = 'retail', channels = '{search}', languages = '{en}'",
        )
        .await;
    let outcome = house.assign(client).await;
    let Outcome::Assigned {
        partner_id,
        decision_id,
    } = outcome
    else {
        panic!("{outcome:?}")
    };
    assert_eq!(partner_id, ann, "the closest fit");
    let why = house.rationale(client).await;
    assert_eq!(why["decision_id"], json!(decision_id));
    assert_eq!(
        why["filters"],
        json!({ "industry": 1, "inactive": 1, "full": 1 })
    );
    assert_eq!(
        (&why["partners"], &why["settings_version"]),
        (&json!(5), &json!(1))
    );
    assert_eq!(why["candidates"].as_array().map(Vec::len), Some(2));
    assert_eq!(why["candidates"][0]["parts"]["skills"], json!(1.0));
    let margin = why["margin"].as_f64().unwrap();
    assert!((margin - 0.15 * (1.0 - 0.6)).abs() < 1e-9, "{margin}");
    let summary = why["summary"].as_str().unwrap();
    assert!(
        summary.starts_with("acme goes to ann with a score of ")
            && summary.contains("1 have no room"),
        "{summary}"
    );
    assert_eq!(house.load_of(ann).await, 1.0);
    house.holds().await;
}

#[tokio::test]
async fn a_client_that_has_a_partner_keeps_it_in_silence() {
    let house = House::open().await;
    let ann = house.partner("ann", 10.0, "").await;
    house.score().await;
    let client = house.client("acme", "").await;
    house.assign(client).await;
    assert_eq!(
        house.assign(client).await,
        Outcome::Kept { partner_id: ann }
    );
    assert_eq!(house.events("assignment.made").await, 1);
    assert_eq!(house.load_of(ann).await, 1.0);
}

#[tokio::test]
async fn high_value_goes_to_seniors_first_then_to_the_top_of_the_board_then_waits() {
    let house = House::open().await;
    let (senior, top) = (
        house.partner("sue", 2.0, "tier = 'senior'").await,
        house.partner("tom", 2.0, "").await,
    );
    house.partner("low", 50.0, "").await;
    house.score().await;
    house.db.execute("UPDATE fleet.partner_capacity SET percentile = 0.95 WHERE partner_id = (SELECT partner_id FROM fleet.partners WHERE name = 'tom')").await;
    // The board that the percentile would be of is none: who follows it must not take the figure away.
    house
        .db
        .execute("UPDATE fleet.assignment_standing SET offsets_at = fleet.clock()")
        .await;
    let rich = "plan = 'enterprise'";
    let mut went = Vec::new();
    for name in ["one", "two", "three"] {
        let client = house.client(name, rich).await;
        went.push((house.assign(client).await, house.rationale(client).await));
    }
    assert!(
        matches!(went[0].0, Outcome::Assigned { partner_id, .. } if partner_id == senior),
        "{:?}",
        went[0]
    );
    assert_eq!(went[0].1["filters"], json!({ "not_senior": 2 }));
    assert!(
        matches!(went[1].0, Outcome::Assigned { partner_id, .. } if partner_id == top),
        "{:?}",
        went[1]
    );
    assert_eq!(went[1].1["flags"], json!(["senior_unavailable"]));
    assert!(
        matches!(&went[2].0, Outcome::Waitlisted { why, .. } if why == "full"),
        "{:?}",
        went[2]
    );
    assert_eq!(
        went[2].1["filters"],
        json!({ "full": 2, "not_among_top": 1 })
    );
    let plain = house.client("plain", "").await;
    assert!(
        matches!(house.assign(plain).await, Outcome::Assigned { partner_id, .. } if partner_id == id("low"))
    );
    house.holds().await;
}

#[tokio::test]
async fn competitors_never_share_a_partner_where_one_of_them_minds() {
    let house = House::open().await;
    house
        .partner("ann", 10.0, "industries = '{retail,food}'")
        .await;
    house
        .partner("bob", 10.0, "industries = '{retail,food}'")
        .await;
    house.score().await;
    let retail = "industry = 'retail'";
    let (jealous, rival, third, other) = (
        house
            .client("jealous", "industry = 'retail', exclusive = true")
            .await,
        house.client("rival", retail).await,
        house.client("third", retail).await,
        house.client("other", "industry = 'food'").await,
    );
    for client in [jealous, rival, third, other] {
        house.assign(client).await;
    }
    let of = async |client| house.partner_of(client).await.unwrap();
    assert_ne!(of(jealous).await, of(rival).await);
    assert_eq!(of(rival).await, of(third).await, "who does not mind shares");
    let late = house
        .client("late", "industry = 'retail', exclusive = true")
        .await;
    let outcome = house.assign(late).await;
    assert!(
        matches!(&outcome, Outcome::Waitlisted { why, .. } if why == "exclusivity"),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn who_serves_whom_and_where_data_stays_is_respected() {
    let house = House::open().await;
    house.partner("far", 10.0, "regions = '{us}'").await;
    house
        .partner(
            "theirs",
            10.0,
            "serves = ARRAY['00000000-0000-0000-0000-000000000009'::uuid]",
        )
        .await;
    house
        .partner(
            "other",
            10.0,
            "tenant_id = '00000000-0000-0000-0000-000000000009'",
        )
        .await;
    house.partner("mute", 10.0, "languages = '{fr}'").await;
    let away = house.partner("away", 10.0, "").await;
    let leave = format!(
        "INSERT INTO fleet.partner_leaves (tenant_id, partner_id, starts_at, ends_at) VALUES ('00000000-0000-0000-0000-000000000000', '{away}', now() - interval '1 day', now() + interval '1 day')"
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(leave))
        .execute(&house.db.pool)
        .await
        .unwrap();
    house.score().await;
    let client = house
        .client("acme", "region = 'eu', languages = '{en}'")
        .await;
    let outcome = house.assign(client).await;
    assert!(matches!(outcome, Outcome::Waitlisted { .. }), "{outcome:?}");
    assert_eq!(
        house.rationale(client).await["filters"],
        json!({ "tenant": 2, "on_leave": 1, "language": 1, "region": 1 })
    );
    assert_eq!(house.events("assignment.waitlisted").await, 1);
}

/// The statement's order is the formula's: the candidates that it gives, best first, have falling scores by the formula, and what
/// the formula says is best of all partners comes first.
#[tokio::test]
async fn the_statement_orders_as_the_formula_does() {
    let house = House::open().await;
    house.db.execute("
        INSERT INTO fleet.partners (tenant_id, partner_id, name, active_since, max_load, industries, channels, languages, zone, work_days, opens, closes)
        SELECT '00000000-0000-0000-0000-000000000000', md5('p' || i)::uuid, 'partner ' || i, '2024-01-01', 20,
               CASE WHEN i % 2 = 0 THEN ARRAY['retail'] ELSE ARRAY['retail', 'food', 'i' || i] END, ARRAY['search'], ARRAY['en', 'l' || i % 5],
               (ARRAY['UTC', 'Asia/Kolkata', 'America/Los_Angeles', 'Pacific/Auckland'])[1 + i % 4], CASE WHEN i % 3 = 0 THEN '{1,2,3,6}'::smallint[] ELSE '{1,2,3,4,5}' END,
               CASE WHEN i % 5 = 0 THEN time '07:30' ELSE time '09:00' END, time '17:00'
        FROM generate_series(1, 200) AS i;
        INSERT INTO fleet.client_assignments (tenant_id, client_id, partner_id, started_at)
        SELECT md5('t')::uuid, md5('c' || i)::uuid, md5('p' || 1 + i * i % 200)::uuid, now() - i * interval '10 minutes' FROM generate_series(1, 300) AS i").await;
    house.score().await;
    house.db.execute("
        UPDATE fleet.partner_capacity SET percentile = CASE WHEN score::int % 3 = 0 THEN NULL ELSE abs(hashtext(partner_id::text)) % 1000 / 1000.0 END;
        UPDATE fleet.assignment_standing SET offsets_at = fleet.clock()").await;
    for zone in ["UTC", "Europe/Berlin", "Asia/Tokyo", "America/New_York"] {
        let more = format!("industry = 'retail', channels = '{{search}}', zone = '{zone}'");
        let client = house.client(zone, &more).await;
        house.assign(client).await;
        let why = house.rationale(client).await;
        let scores: Vec<f64> = why["candidates"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| it["score"].as_f64().unwrap())
            .collect();
        assert_eq!(scores.len(), 5);
        assert!(
            scores.windows(2).all(|pair| pair[0] >= pair[1] - 1e-9),
            "{zone}: {scores:?}"
        );
        // By the parts that the rationale shows, with the default weights.
        let weights = Weights::default();
        let first = &why["candidates"][0]["parts"];
        let part = |name: &str| first[name].as_f64().unwrap();
        let total = weights.capacity * part("capacity")
            + weights.leaderboard * part("leaderboard")
            + weights.skills * part("skills")
            + weights.hours * part("hours")
            - weights.recent * part("recent");
        assert!((total - scores[0]).abs() < 1e-9, "{zone}");
    }
}
