//! What support works by, over HTTP: hours, holidays, articles, settings; and what is refused of it and of tickets.

use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use super::served::pick;
use super::tickets::{CLIENT, office, send, ticket};

#[tokio::test]
async fn hours_holidays_articles_and_settings_are_a_tenants_own_over_the_platforms() {
    let (api, key) = office().await;
    let plain = api.get_as(&key, "/v1/business-hours").await.ok();
    assert_eq!(
        pick(&plain, ["zone", "opens", "closes"]),
        json!(["UTC", "09:00", "17:00"])
    );
    let hours = json!({ "zone": "Asia/Kolkata", "work_days": [1, 2, 3, 4, 5, 6], "opens": "10:00", "closes": "24:00" });
    send(
        &api,
        &api.admin,
        Method::PUT,
        "/v1/business-hours",
        hours.clone(),
    )
    .await
    .ok();
    assert_eq!(
        api.get_as(&key, "/v1/business-hours").await.ok(),
        hours,
        "the platform's hold for all"
    );
    let own = json!({ "zone": "UTC", "work_days": [1], "opens": "00:00", "closes": "00:30" });
    send(&api, &key, Method::PUT, "/v1/business-hours", own.clone())
        .await
        .ok();
    assert_eq!(api.get_as(&key, "/v1/business-hours").await.ok(), own);
    let days = json!({ "holidays": [{ "day": "2026-12-25", "name": "Christmas" }, { "day": "2026-12-26", "name": "" }] });
    send(&api, &key, Method::PUT, "/v1/holidays", days)
        .await
        .ok();
    let fewer = json!({ "holidays": [{ "day": "2026-12-26", "name": "Boxing Day" }] });
    send(&api, &key, Method::PUT, "/v1/holidays", fewer.clone())
        .await
        .ok();
    assert_eq!(api.get_as(&key, "/v1/holidays").await.ok(), fewer);
    let article = json!({ "title": "Invoices", "body": "Under Billing." });
    let id = Uuid::from_u128(1);
    for (who, times) in [(&api.admin, 1), (&key, 2)] {
        send(
            &api,
            who,
            Method::PUT,
            &format!("/v1/kb/articles/{id}"),
            article.clone(),
        )
        .await
        .ok();
        let seen = api.get_as(&key, "/v1/kb/articles").await.ok();
        assert_eq!(seen["articles"].as_array().unwrap().len(), times);
    }
    let set = send(
        &api,
        &key,
        Method::PUT,
        "/v1/triage/settings",
        json!({ "backlog_days": 3 }),
    )
    .await
    .ok();
    assert_eq!(
        pick(
            &set,
            [
                "version",
                "settings/backlog_days",
                "settings/duplicate_bits"
            ]
        ),
        json!([1, 3, 3])
    );
    assert_eq!(api.get("/v1/triage/settings").await.ok()["version"], 0);
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_by_its_field() {
    let (api, key) = office().await;
    let path = ticket(&api, &key).await;
    let hours = |change: Value| {
        let mut hours =
            json!({ "zone": "UTC", "work_days": [1], "opens": "09:00", "closes": "17:00" });
        hours
            .as_object_mut()
            .unwrap()
            .extend(change.as_object().unwrap().clone());
        hours
    };
    for (method, path, body, field) in [
        (
            Method::POST,
            "/v1/tickets".to_owned(),
            json!({ "body": "x" }),
            "client_id",
        ),
        (
            Method::POST,
            "/v1/tickets".to_owned(),
            json!({ "client_id": CLIENT, "external_id": "" }),
            "external_id",
        ),
        (
            Method::POST,
            "/v1/tickets".to_owned(),
            json!({ "client_id": CLIENT, "body": "a\u{0}" }),
            "body",
        ),
        (
            Method::POST,
            "/v1/tickets".to_owned(),
            json!({ "client_id": CLIENT, "tenant_id": "x" }),
            "tenant_id",
        ),
        (
            Method::POST,
            "/v1/tickets".to_owned(),
            json!({ "client_id": CLIENT, "opened_at": "2999-01-01T00:00:00Z" }),
            "opened_at",
        ),
        (Method::PATCH, path.clone(), json!({}), "category"),
        (
            Method::PATCH,
            path.clone(),
            json!({ "category": "Bad Name" }),
            "category",
        ),
        (
            Method::PATCH,
            path.clone(),
            json!({ "assigned_to": "partner" }),
            "assigned_to",
        ),
        (
            Method::POST,
            format!("{path}/messages"),
            json!({ "author": "customer", "body": "x", "waiting": true }),
            "waiting",
        ),
        (
            Method::PUT,
            "/v1/business-hours".to_owned(),
            hours(json!({ "zone": "Mars/Base" })),
            "zone",
        ),
        (
            Method::PUT,
            "/v1/business-hours".to_owned(),
            hours(json!({ "closes": "08:00" })),
            "closes",
        ),
        (
            Method::PUT,
            "/v1/business-hours".to_owned(),
            hours(json!({ "work_days": [] })),
            "work_days",
        ),
        (
            Method::PUT,
            "/v1/holidays".to_owned(),
            json!({ "holidays": [{ "day": "2026-12-25" }, { "day": "2026-12-25" }] }),
            "holidays",
        ),
        (
            Method::PUT,
            format!("/v1/kb/articles/{}", Uuid::nil()),
            json!({ "title": " ", "body": "b" }),
            "title",
        ),
        (
            Method::PUT,
            "/v1/triage/settings".to_owned(),
            json!({ "second_opinion": { "url": "http://x/v1", "model": "m", "timeout_ms": 5 } }),
            "second_opinion",
        ),
        (
            Method::PUT,
            "/v1/triage/settings".to_owned(),
            json!({ "duplicate_bits": 65 }),
            "duplicate_bits",
        ),
    ] {
        let refusal = send(&api, &key, method, &path, body.clone()).await;
        assert_eq!(
            (refusal.status.as_u16(), refusal.body["field"].as_str()),
            (422, Some(field)),
            "{body} {:#}",
            refusal.body
        );
    }
}
