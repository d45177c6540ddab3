//! How well the fleet says it is.

use serde_json::json;

use super::served::{Served, painter};

async fn states(api: &Served) -> Vec<(String, String)> {
    let health = api.get("/v1/health").await.body;
    let checks = health["checks"].as_array().unwrap().iter();
    let text = |check: &serde_json::Value, field: &str| check[field].as_str().unwrap().to_owned();
    checks
        .map(|check| (text(check, "name"), text(check, "state")))
        .collect()
}

fn pairs(states: &[(String, String)]) -> Vec<(&str, &str)> {
    states
        .iter()
        .map(|(name, state)| (name.as_str(), state.as_str()))
        .collect()
}

#[tokio::test]
async fn each_check_says_what_is_amiss_and_since_when() {
    let api = Served::start().await;
    let alone = states(&api).await;
    assert_eq!(
        pairs(&alone),
        [
            ("database", "ok"),
            ("schema", "ok"),
            ("workers", "degraded"),
            ("scheduler", "degraded"),
            ("lag", "ok")
        ]
    );

    painter(&api.db).await;
    api.enqueue(json!({})).await;
    api.db.execute("INSERT INTO fleet.duty VALUES ('promote', gen_random_uuid(), 'h', now(), 1, 1, 0, NULL, '{}', now())").await;
    api.db
        .execute("UPDATE fleet.arrival SET run_at = now() - interval '5 minutes'")
        .await;
    let busy = states(&api).await;
    assert_eq!(
        pairs(&busy)[2..],
        [("workers", "ok"), ("scheduler", "ok"), ("lag", "degraded")]
    );
    let health = api.get("/v1/health").await.ok();
    assert_eq!(
        (
            health["state"].as_str(),
            health["checks"][2]["last_error"].as_str()
        ),
        (Some("degraded"), Some("0 living, 0 draining"))
    );
    assert!(
        health["checks"][4]["detail"]
            .as_str()
            .unwrap()
            .starts_with("a job of the queue \"default\" is due for 300 s")
    );
    assert!(health["checks"][4]["since"].is_string());

    api.db.execute("DELETE FROM _sqlx_migrations WHERE version = (SELECT max(version) FROM _sqlx_migrations)").await;
    assert_eq!(api.get("/v1/health").await.status, 503);
}
