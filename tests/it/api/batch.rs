//! Batches: an answer for each, and the good part is done.

use fleet_control_api::Scope;
use serde_json::{Value, json};
use uuid::Uuid;

use super::served::{Served, job};

fn told(results: &Value) -> Vec<(&str, Option<&str>, Option<&str>)> {
    results
        .as_array()
        .unwrap()
        .iter()
        .map(|result| {
            (
                result["status"].as_str().unwrap(),
                result["error"]["code"].as_str(),
                result["error"]["field"].as_str(),
            )
        })
        .collect()
}

#[tokio::test]
async fn a_partly_bad_batch_does_its_good_part() {
    let api = Served::start().await;
    let jobs = json!([
        job(json!({ "unique": { "key": "one" } })),
        job(json!({ "priority": 9 })),
        job(json!({ "unique": { "key": "one" } })),
        { "kind": "toys.none", "payload": {} },
        job(json!({ "payload": { "colour": 1 } })),
        job(json!({ "depends_on": [Uuid::now_v7()] })),
        7,
        job(json!({ "payload": { "colour": "nul \u{0}" } })),
        job(json!({})),
    ]);
    let answer = api
        .post("/v1/jobs/batch", json!({ "jobs": jobs }))
        .await
        .ok();
    assert_eq!(
        told(&answer["results"]),
        [
            ("created", None, None),
            ("error", Some("invalid_field"), Some("priority")),
            ("duplicate", None, None),
            ("error", Some("unknown_kind"), Some("kind")),
            ("error", Some("invalid_payload"), Some("/payload/colour")),
            ("error", Some("invalid_dependency"), Some("depends_on")),
            ("error", Some("invalid_field"), Some("body")),
            ("error", Some("invalid_value"), Some("/payload/colour")),
            ("created", None, None),
        ]
    );
    assert_eq!(
        (
            answer["created"].as_i64(),
            answer["duplicates"].as_i64(),
            answer["errors"].as_i64()
        ),
        (Some(2), Some(1), Some(6))
    );
    assert_eq!(answer["results"][0]["id"], answer["results"][2]["id"]);
    assert_eq!(api.db.number("SELECT count(*) FROM fleet.job").await, 2);
}

#[tokio::test]
async fn ten_thousand_jobs_are_one_commit_in_their_order() {
    let api = Served::start().await;
    let jobs: Vec<Value> = (0..10_000)
        .map(|n| job(json!({ "payload": { "colour": n.to_string() } })))
        .collect();
    let answer = api
        .post("/v1/jobs/batch", json!({ "jobs": jobs }))
        .await
        .ok();
    assert_eq!(answer["created"], 10_000);
    assert_eq!(
        api.db
            .number("SELECT count(DISTINCT xmin::text) FROM fleet.job")
            .await,
        1
    );
    let last = answer["results"][9_999]["id"].as_str().unwrap();
    let found = api.get(&format!("/v1/jobs/{last}")).await.ok();
    assert_eq!(found["payload"]["colour"], "9999");
}

#[tokio::test]
async fn a_batch_is_bounded_and_not_empty() {
    let api = Served::start().await;
    let many: Vec<Value> = (0..10_001).map(|_| job(json!({}))).collect();
    api.post("/v1/jobs/batch", json!({ "jobs": many }))
        .await
        .refused(422, "invalid_field", Some("jobs"));
    api.post("/v1/jobs/batch", json!({ "jobs": [] }))
        .await
        .refused(422, "invalid_field", Some("jobs"));
    api.post("/v1/jobs/batch", json!({ "job": [] }))
        .await
        .refused(422, "invalid_field", Some("job"));
    assert_eq!(api.db.number("SELECT count(*) FROM fleet.job").await, 0);
}

#[tokio::test]
async fn a_batch_keeps_to_its_keys_tenant_and_to_the_queues_bound() {
    let api = Served::start().await;
    let own = Uuid::new_v4();
    let key = api.key(Some(own), &[Scope::JobsEnqueue]).await;
    let jobs = json!([
        job(json!({ "tenant_id": Uuid::new_v4() })),
        job(json!({})),
        job(json!({ "tenant_id": own }))
    ]);
    let answer = api
        .post_as(&key, "/v1/jobs/batch", json!({ "jobs": jobs }))
        .await
        .ok();
    assert_eq!(
        told(&answer["results"]),
        [
            ("error", Some("other_tenant"), Some("tenant_id")),
            ("created", None, None),
            ("created", None, None)
        ]
    );

    let patch = api
        .request(reqwest::Method::PATCH, "/v1/queues/small")
        .bearer_auth(&api.admin);
    api.send(patch.json(&json!({ "max_depth": 1 }))).await.ok();
    let jobs = json!([
        job(json!({ "queue": "small" })),
        job(json!({ "queue": "small" })),
        job(json!({}))
    ]);
    let answer = api
        .post("/v1/jobs/batch", json!({ "jobs": jobs }))
        .await
        .ok();
    // Both would go over the bound together, so neither goes in; the third has its own queue.
    assert_eq!(
        told(&answer["results"]),
        [
            ("error", Some("queue_full"), Some("queue")),
            ("error", Some("queue_full"), Some("queue")),
            ("created", None, None)
        ]
    );
}
