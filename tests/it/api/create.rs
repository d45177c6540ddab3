//! Enqueue one job: what comes back, defaults, duplicates, dependencies.

use fleet_tests::hand::settle_one;
use reqwest::StatusCode;
use serde_json::json;
use uuid::Uuid;

use super::served::{Served, job, painter};
use fleet_queue::Outcome;

#[tokio::test]
async fn a_job_is_made_with_its_kinds_defaults_and_found_again() {
    let api = Served::start().await;
    let tenant = Uuid::new_v4();
    let options = json!({
        "tenant_id": tenant, "tags": ["toy"], "metadata": { "order": 7 }, "max_attempts": 3,
        "timeout_ms": 5000, "run_at": "2999-01-01T00:00:00Z", "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    });
    let reply = api.post("/v1/jobs", job(options)).await;
    assert_eq!(reply.status, StatusCode::CREATED);
    let made = reply.ok();
    assert_eq!(
        (made["state"].as_str(), made["duplicate"].as_bool()),
        (Some("scheduled"), Some(false))
    );

    let found = api
        .get(&format!("/v1/jobs/{}", made["id"].as_str().unwrap()))
        .await
        .ok();
    for (field, value) in [
        ("kind", json!("toys.paint")),
        ("queue", json!("default")),
        ("priority", json!(2)),
        ("tenant_id", json!(tenant)),
        ("max_attempts", json!(3)),
        ("timeout_ms", json!(5000)),
        ("tags", json!(["toy"])),
        ("metadata", json!({ "order": 7 })),
        ("payload", json!({ "colour": "red" })),
        ("run_at", json!("2999-01-01T00:00:00Z")),
        ("attempt", json!(0)),
        ("crashes", json!(0)),
        ("error", json!(null)),
        ("output", json!(null)),
    ] {
        assert_eq!(found[field], value, "{field}");
    }
}

#[tokio::test]
async fn a_requests_trace_reaches_the_job() {
    let api = Served::start().await;
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let request = api
        .request(reqwest::Method::POST, "/v1/jobs")
        .bearer_auth(&api.admin);
    let made = api
        .send(request.header("traceparent", trace).json(&job(json!({}))))
        .await
        .ok();
    let found = api
        .get(&format!("/v1/jobs/{}", made["id"].as_str().unwrap()))
        .await
        .ok();
    assert_eq!(found["traceparent"], trace);
}

#[tokio::test]
async fn a_duplicate_is_answered_with_the_existing_job() {
    let api = Served::start().await;
    let unique = |more: serde_json::Value| {
        let mut unique = json!({ "key": "k" });
        unique
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        unique
    };
    let first = api
        .enqueue(json!({ "unique": unique(json!({})), "run_at": "2999-01-01T00:00:00Z" }))
        .await;

    let again = api
        .post("/v1/jobs", job(json!({ "unique": unique(json!({})) })))
        .await;
    assert_eq!(again.status, StatusCode::OK);
    assert_eq!(
        (again.body["id"].as_str(), again.body["outcome"].as_str()),
        (Some(first.as_str()), Some("duplicate"))
    );
    assert_eq!(again.body["state"], "scheduled");

    let replacing = json!({ "unique": unique(json!({ "on_duplicate": "replace" })), "payload": { "colour": "blue" } });
    let replaced = api.post("/v1/jobs", job(replacing)).await;
    assert_eq!(
        (
            replaced.body["outcome"].as_str(),
            &replaced.body["payload"]["colour"]
        ),
        (Some("replaced"), &json!("blue"))
    );

    let pushing = json!({ "unique": unique(json!({ "on_duplicate": "push" })), "run_at": "2998-01-01T00:00:00Z" });
    let pushed = api.post("/v1/jobs", job(pushing)).await;
    assert_eq!(
        (
            pushed.body["outcome"].as_str(),
            pushed.body["run_at"].as_str()
        ),
        (Some("pushed"), Some("2998-01-01T00:00:00Z"))
    );
    assert_eq!(api.db.number("SELECT count(*) FROM fleet.job").await, 1);
}

#[tokio::test]
async fn a_job_waits_for_those_it_depends_on() {
    let api = Served::start().await;
    let mut hand = painter(&api.db).await;
    let first = api.enqueue(json!({})).await;
    let second = api
        .post("/v1/jobs", job(json!({ "depends_on": [first] })))
        .await
        .ok();
    assert_eq!(second["state"], "blocked");
    let claimed = hand.take(&api.db).await;
    settle_one(&api.db, claimed, Outcome::Completed { output: None }).await;
    let second = api
        .get(&format!("/v1/jobs/{}", second["id"].as_str().unwrap()))
        .await
        .ok();
    assert_eq!(second["state"], "available");
}

#[tokio::test]
async fn a_job_tells_of_its_attempts_log_and_steps() {
    let api = Served::start().await;
    let mut hand = painter(&api.db).await;
    let id = api.enqueue(json!({})).await;
    let (claim, claimed) = hand.take(&api.db).await;
    let line = fleet_queue::transitions::progress::LogLine {
        seq: 0,
        level: "info",
        message: "primed".into(),
    };
    let mut conn = api.db.conn().await;
    fleet_queue::transitions::progress::log(&mut conn, &claim, &[line])
        .await
        .unwrap();
    fleet_queue::transitions::progress::finish_step(&mut conn, &claim, "prime", &json!(1))
        .await
        .unwrap();
    let failure = fleet_queue::Failure {
        how: fleet_queue::transitions::settle::FailureKind::Failed,
        error: "out of paint".into(),
    };
    let discard = Outcome::Discard {
        reason: "no paint".into(),
        failure,
    };
    settle_one(&api.db, (claim, claimed), discard).await;

    let found = api.get(&format!("/v1/jobs/{id}")).await.ok();
    assert_eq!(
        (
            found["state"].as_str(),
            found["reason"].as_str(),
            found["error"].as_str()
        ),
        (Some("discarded"), Some("no paint"), Some("out of paint"))
    );
    let attempts = api.get(&format!("/v1/jobs/{id}/attempts")).await.ok();
    assert_eq!(attempts["attempts"][0]["error"], "out of paint");
    let logs = api.get(&format!("/v1/jobs/{id}/logs")).await.ok();
    assert_eq!(logs["lines"][0]["message"], "primed");
    let steps = api.get(&format!("/v1/jobs/{id}/steps")).await.ok();
    assert_eq!(
        steps["steps"][0],
        json!({ "name": "prime", "result": 1, "at": steps["steps"][0]["at"] })
    );
}
