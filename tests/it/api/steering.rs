//! What people do to jobs, queues and workers, seen to have its effect.

use fleet_queue::Outcome;
use fleet_tests::hand::settle_one;
use reqwest::{Method, StatusCode};
use serde_json::json;
use uuid::Uuid;

use super::served::{Served, painter};

#[tokio::test]
async fn a_cancelled_job_may_be_retried_and_a_completed_one_not() {
    let api = Served::start().await;
    let mut hand = painter(&api.db).await;
    let id = api.enqueue(json!({})).await;
    let to = |verb: &str| format!("/v1/jobs/{id}/{verb}");
    let cancelled = api
        .post(&to("cancel"), json!({ "reason": "no" }))
        .await
        .ok();
    assert_eq!(
        (cancelled["state"].as_str(), cancelled["reason"].as_str()),
        (Some("cancelled"), Some("no"))
    );
    assert_eq!(
        api.post(&to("cancel"), json!({})).await.ok()["state"],
        "cancelled",
        "asking twice is no mistake"
    );
    assert_eq!(
        api.post(&to("retry"), json!({})).await.ok()["state"],
        "available"
    );

    let claimed = hand.take(&api.db).await;
    api.post(&to("retry"), json!({}))
        .await
        .refused(409, "wrong_state", Some("state"));
    api.post(
        &to("reschedule"),
        json!({ "run_at": "2999-01-01T00:00:00Z" }),
    )
    .await
    .refused(409, "wrong_state", Some("state"));
    settle_one(&api.db, claimed, Outcome::Completed { output: None }).await;
    for verb in ["retry", "cancel"] {
        api.post(&to(verb), json!({}))
            .await
            .refused(409, "wrong_state", Some("state"));
    }
}

#[tokio::test]
async fn a_running_job_is_told_to_stop() {
    let api = Served::start().await;
    let mut hand = painter(&api.db).await;
    let id = api.enqueue(json!({})).await;
    hand.take(&api.db).await;
    let told = api
        .post(&format!("/v1/jobs/{id}/cancel"), json!({}))
        .await
        .ok();
    assert_eq!(told["state"], "running");
    assert!(told["cancel_requested_at"].is_string());
    assert_eq!(
        api.db
            .number("SELECT count(*) FROM fleet.cancel_signal")
            .await,
        1
    );
}

#[tokio::test]
async fn a_waiting_job_is_moved_in_time_and_in_rank() {
    let api = Served::start().await;
    let id = api.enqueue(json!({})).await;
    let moved = api
        .post(
            &format!("/v1/jobs/{id}/reschedule"),
            json!({ "run_at": "2999-01-01T00:00:00Z" }),
        )
        .await
        .ok();
    assert_eq!(
        (moved["state"].as_str(), moved["run_at"].as_str()),
        (Some("scheduled"), Some("2999-01-01T00:00:00Z"))
    );
    let raised = api
        .post(
            &format!("/v1/jobs/{id}/reprioritize"),
            json!({ "priority": 0 }),
        )
        .await
        .ok();
    assert_eq!(raised["priority"], 0);
    assert_eq!(
        api.post(&format!("/v1/jobs/{id}/retry"), json!({}))
            .await
            .ok()["state"],
        "available"
    );
}

#[tokio::test]
async fn a_pause_stops_claims_until_it_is_lifted() {
    let api = Served::start().await;
    let mut hand = painter(&api.db).await;
    let tenant = Uuid::new_v4();
    api.enqueue(json!({ "tenant_id": tenant })).await;
    for thing in [
        "queues/default".to_owned(),
        "kinds/toys.paint".into(),
        format!("tenants/{tenant}"),
    ] {
        let paused = api
            .post(&format!("/v1/{thing}/pause"), json!({ "reason": "rain" }))
            .await
            .ok();
        assert_eq!(
            (paused["reason"].as_str(), paused["paused_by"].as_str()),
            (Some("rain"), Some("first admin"))
        );
        assert_eq!(hand.claim(&api.db, 1).await.len(), 0, "{thing} is paused");
        let lifted = api.post(&format!("/v1/{thing}/resume"), json!({})).await;
        assert_eq!(lifted.status, StatusCode::NO_CONTENT);
        api.post(&format!("/v1/{thing}/resume"), json!({}))
            .await
            .refused(404, "not_found", None);
    }
    assert_eq!(hand.claim(&api.db, 1).await.len(), 1);
    api.post("/v1/queues/default/pause", json!({}))
        .await
        .refused(422, "invalid_field", Some("reason"));
    api.post("/v1/queues/default/pause", json!({ "reason": "" }))
        .await
        .refused(422, "invalid_field", Some("reason"));
    api.post("/v1/kinds/toys.pant/pause", json!({ "reason": "x" }))
        .await
        .refused(422, "unknown_kind", Some("kind"));
}

#[tokio::test]
async fn queues_tell_what_waits_runs_and_how_fast() {
    let api = Served::start().await;
    let mut hand = painter(&api.db).await;
    for _ in 0..4 {
        api.enqueue(json!({})).await;
    }
    let mut claimed = hand.claim(&api.db, 3).await;
    settle_one(
        &api.db,
        claimed.pop().unwrap(),
        Outcome::Completed { output: None },
    )
    .await;
    let waiting = api
        .enqueue(json!({ "run_at": "2999-01-01T00:00:00Z" }))
        .await;
    api.post(&format!("/v1/jobs/{waiting}/cancel"), json!({}))
        .await
        .ok();
    let check = async || {
        let queue = api.get("/v1/queues/default").await.ok();
        assert_eq!(
            (
                queue["depth"].as_i64(),
                queue["running"].as_i64(),
                queue["workers"].as_i64()
            ),
            (Some(3), Some(2), Some(1)),
            "{queue:#}"
        );
        assert!(queue["oldest_due_s"].as_f64().unwrap() >= 0.0);
        assert!((queue["rates"]["completed_per_min"].as_f64().unwrap() - 0.2).abs() < 1e-9);
        let minutes = api.get("/v1/throughput?minutes=2&queue=default").await.ok();
        let sum = |event: &str| {
            minutes["minutes"]
                .as_array()
                .unwrap()
                .iter()
                .map(|minute| minute[event].as_i64().unwrap())
                .sum::<i64>()
        };
        assert_eq!(
            (
                sum("enqueued"),
                sum("started"),
                sum("completed"),
                sum("cancelled")
            ),
            (5, 3, 1, 1)
        );
    };
    check().await;
    // The same after the counters were folded.
    fleet_queue::upkeep::fold_counters(&mut *api.db.conn().await, 1_000)
        .await
        .unwrap();
    check().await;
}

#[tokio::test]
async fn a_queues_settings_are_changed_one_by_one() {
    let api = Served::start().await;
    let patch = async |body| {
        api.send(
            api.request(Method::PATCH, "/v1/queues/q")
                .bearer_auth(&api.admin)
                .json(&body),
        )
        .await
    };
    let set = patch(json!({ "max_depth": 5 })).await.ok();
    assert_eq!(
        (set["max_depth"].as_i64(), set["age_step_s"].as_i64()),
        (Some(5), Some(60))
    );
    let set = patch(json!({ "age_step_s": 10 })).await.ok();
    assert_eq!(
        (set["max_depth"].as_i64(), set["age_step_s"].as_i64()),
        (Some(5), Some(10))
    );
    let set = patch(json!({ "max_depth": null })).await.ok();
    assert_eq!(
        (set["max_depth"].as_i64(), set["age_step_s"].as_i64()),
        (None, Some(10))
    );
    patch(json!({ "max_depth": 0 }))
        .await
        .refused(422, "invalid_field", Some("max_depth"));
    patch(json!({ "depth": 0 }))
        .await
        .refused(422, "invalid_field", Some("depth"));
}

#[tokio::test]
async fn limits_hold_from_their_answer_on() {
    let api = Served::start().await;
    let mut hand = painter(&api.db).await;
    for _ in 0..3 {
        api.enqueue(json!({})).await;
    }
    let set = api.put("/v1/limits/two", json!({ "cap": 2 })).await.ok();
    assert_eq!(
        (set["name"].as_str(), set["running"].as_i64()),
        (Some("two"), Some(0))
    );
    assert_eq!(hand.claim(&api.db, 10).await.len(), 2);
    assert_eq!(api.get("/v1/limits").await.ok()["limits"][0]["running"], 2);
    let delete = || {
        api.request(Method::DELETE, "/v1/limits/two")
            .bearer_auth(&api.admin)
    };
    assert_eq!(api.send(delete()).await.status, StatusCode::NO_CONTENT);
    api.send(delete()).await.refused(404, "not_found", None);
    assert_eq!(hand.claim(&api.db, 10).await.len(), 1);
    for (body, field) in [
        (json!({}), "cap"),
        (json!({ "cap": -1 }), "cap"),
        (json!({ "rate": 0.0, "burst": 1 }), "rate"),
        (json!({ "rate": 1.0 }), "burst"),
        (
            json!({ "cap": 1, "per_tenant": true, "tenant_id": Uuid::nil() }),
            "per_tenant",
        ),
        (json!({ "cap": 1, "name": "x" }), "name"),
    ] {
        api.put("/v1/limits/bad", body)
            .await
            .refused(422, "invalid_field", Some(field));
    }
}

#[tokio::test]
async fn workers_are_listed_and_sent_home() {
    let api = Served::start().await;
    let hand = painter(&api.db).await;
    let state = async || {
        api.get("/v1/workers").await.ok()["workers"][0]["state"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert_eq!(state().await, "living");
    let drain = format!("/v1/workers/{}/drain", hand.id);
    assert_eq!(
        api.post(&drain, json!({})).await.status,
        StatusCode::NO_CONTENT
    );
    assert_eq!(state().await, "draining");
    api.post(&drain, json!({ "draining": false })).await;
    assert_eq!(state().await, "living");
    api.db
        .execute("UPDATE fleet.worker SET lease_until = now() - interval '1 second'")
        .await;
    assert_eq!(state().await, "dead");
    api.post(&format!("/v1/workers/{}/drain", Uuid::new_v4()), json!({}))
        .await
        .refused(404, "not_found", None);
}

#[tokio::test]
async fn a_tenants_weight_is_bounded() {
    let api = Served::start().await;
    let path = format!("/v1/tenants/{}/weight", Uuid::new_v4());
    assert_eq!(
        api.put(&path, json!({ "weight": 5 })).await.ok()["weight"],
        5
    );
    api.put(&path, json!({ "weight": 101 }))
        .await
        .refused(422, "invalid_field", Some("weight"));
}
