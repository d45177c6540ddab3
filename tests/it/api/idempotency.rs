//! Idempotency-Key: the same request again gets the stored answer and does nothing again.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use uuid::Uuid;

use super::served::{Reply, Served, job};

async fn post(api: &Served, bearer: &str, key: &str, path: &str, body: &Value) -> Reply {
    let request = api.request(Method::POST, path).bearer_auth(bearer);
    api.send(request.header("idempotency-key", key).json(body))
        .await
}

#[tokio::test]
async fn the_same_request_again_gets_the_same_answer_and_makes_nothing() {
    let api = Served::start().await;
    let body = job(json!({}));
    let first = post(&api, &api.admin, "k1", "/v1/jobs", &body).await;
    let again = post(&api, &api.admin, "k1", "/v1/jobs", &body).await;
    assert_eq!(
        (first.status, again.status),
        (StatusCode::CREATED, StatusCode::CREATED)
    );
    assert_eq!(first.body, again.body);
    assert_eq!(
        (
            first.header("idempotency-replayed"),
            again.header("idempotency-replayed")
        ),
        (None, Some("true"))
    );
    assert_eq!(api.db.number("SELECT count(*) FROM fleet.job").await, 1);

    let batch = json!({ "jobs": [job(json!({})), job(json!({ "priority": 9 }))] });
    let first = post(&api, &api.admin, "k2", "/v1/jobs/batch", &batch)
        .await
        .ok();
    assert_eq!(
        post(&api, &api.admin, "k2", "/v1/jobs/batch", &batch)
            .await
            .ok(),
        first
    );
    assert_eq!(api.db.number("SELECT count(*) FROM fleet.job").await, 2);
}

#[tokio::test]
async fn the_same_key_for_another_request_is_refused() {
    let api = Served::start().await;
    post(&api, &api.admin, "k", "/v1/jobs", &job(json!({})))
        .await
        .ok();
    let other = job(json!({ "priority": 1 }));
    post(&api, &api.admin, "k", "/v1/jobs", &other)
        .await
        .refused(422, "idempotency_key_reused", Some("idempotency-key"));
    let batch = json!({ "jobs": [job(json!({}))] });
    post(&api, &api.admin, "k", "/v1/jobs/batch", &batch)
        .await
        .refused(422, "idempotency_key_reused", Some("idempotency-key"));
    post(&api, &api.admin, &"k".repeat(201), "/v1/jobs", &other)
        .await
        .refused(400, "malformed", Some("idempotency-key"));
    assert_eq!(api.db.number("SELECT count(*) FROM fleet.job").await, 1);
}

#[tokio::test]
async fn a_refused_request_leaves_its_key_free() {
    let api = Served::start().await;
    let bad = job(json!({ "depends_on": [Uuid::now_v7()] }));
    post(&api, &api.admin, "k", "/v1/jobs", &bad).await.refused(
        422,
        "invalid_dependency",
        Some("depends_on"),
    );
    post(&api, &api.admin, "k", "/v1/jobs", &job(json!({})))
        .await
        .ok();
}

#[tokio::test]
async fn keys_of_two_tenants_are_two_keys() {
    let api = Served::start().await;
    let body = job(json!({}));
    let mut ids = Vec::new();
    for _ in 0..2 {
        let bearer = api.tenant_key(Uuid::new_v4()).await;
        ids.push(post(&api, &bearer, "k", "/v1/jobs", &body).await.ok()["id"].clone());
    }
    assert_ne!(ids[0], ids[1]);
}

#[tokio::test]
async fn twins_at_the_same_moment_make_one_job() {
    let api = Served::start().await;
    let body = job(json!({}));
    let twins = (0..20).map(|_| post(&api, &api.admin, "k", "/v1/jobs", &body));
    let answers = futures::future::join_all(twins).await;
    assert!(
        answers
            .iter()
            .all(|answer| answer.body["id"] == answers[0].body["id"]
                && answer.status == StatusCode::CREATED)
    );
    assert_eq!(api.db.number("SELECT count(*) FROM fleet.job").await, 1);
}

#[tokio::test]
async fn a_key_past_its_time_may_be_used_again() {
    let api = Served::start().await;
    let first = post(&api, &api.admin, "k", "/v1/jobs", &job(json!({})))
        .await
        .ok();
    api.db
        .execute("UPDATE fleet.idempotency SET expires_at = now() - interval '1 second'")
        .await;
    let second = post(
        &api,
        &api.admin,
        "k",
        "/v1/jobs",
        &job(json!({ "priority": 1 })),
    )
    .await
    .ok();
    assert_ne!(first["id"], second["id"]);
}
