//! `why` says in words and as data what a job waits for.

use fleet_queue::Outcome;
use fleet_queue::transitions::settle::{Failure, FailureKind};
use fleet_tests::hand::settle_one;
use serde_json::{Value, json};
use std::time::Duration;
use uuid::Uuid;

use super::served::{Served, job, painter};

async fn why(api: &Served, id: &str) -> Value {
    api.get(&format!("/v1/jobs/{id}/why")).await.ok()
}

fn codes(why: &Value) -> Vec<&str> {
    why["reasons"]
        .as_array()
        .unwrap()
        .iter()
        .map(|reason| reason["code"].as_str().unwrap())
        .collect()
}

#[track_caller]
fn says(why: &Value, part: &str) {
    let summary = why["summary"].as_str().unwrap();
    assert!(summary.contains(part), "\"{part}\" is not in: {summary}");
}

#[tokio::test]
async fn a_job_nobody_can_run_says_who_is_missing() {
    let api = Served::start().await;
    let id = api.enqueue(json!({})).await;
    let answer = why(&api, &id).await;
    assert_eq!(codes(&answer), ["no_worker", "behind"]);
    says(&answer, "No worker is alive.");

    let hand = painter(&api.db).await;
    says(
        &why(&api, &id).await,
        "It is due and nothing holds it back.",
    );
    let elsewhere = api.enqueue(json!({ "queue": "elsewhere" })).await;
    says(
        &why(&api, &elsewhere).await,
        "No living worker serves the queue \"elsewhere\".",
    );
    api.db
        .execute(
            "INSERT INTO fleet.kind VALUES ('toys.new', 1, 'default', 2, 3, 1000, 'true', '{}')",
        )
        .await;
    let unserved = fleet_tests::eventually("the API hears of the kind", async || {
        let reply = api
            .post("/v1/jobs", job(json!({ "kind": "toys.new" })))
            .await;
        reply.body["id"].as_str().map(str::to_owned)
    })
    .await;
    says(&why(&api, &unserved).await, "serves the kind \"toys.new\".");
    api.post(&format!("/v1/workers/{}/drain", hand.id), json!({}))
        .await;
    says(
        &why(&api, &id).await,
        "Every worker that serves it is draining.",
    );
}

#[tokio::test]
async fn a_scheduled_a_failed_and_a_blocked_job_say_what_they_wait_for() {
    let api = Served::start().await;
    let mut hand = painter(&api.db).await;
    let first = api.enqueue(json!({ "max_attempts": 5 })).await;
    let blocked = api.enqueue(json!({ "depends_on": [first] })).await;
    let scheduled = api
        .enqueue(json!({ "run_at": "2999-01-01T00:00:00Z" }))
        .await;

    let answer = why(&api, &scheduled).await;
    assert_eq!(codes(&answer), ["time"]);
    says(&answer, "It is scheduled for 2999-01-01T00:00:00+00:00");

    let claimed = hand.take(&api.db).await;
    let failure = Failure {
        how: FailureKind::Failed,
        error: "gateway said 503\nat line 1".into(),
    };
    settle_one(
        &api.db,
        claimed,
        Outcome::Retry {
            after: Duration::from_secs(90),
            failure,
        },
    )
    .await;
    let answer = why(&api, &first).await;
    assert_eq!(codes(&answer), ["time"]);
    says(
        &answer,
        "Attempt 1 of 5 did not succeed (gateway said 503); it is tried again in 1 min 29 s",
    );

    let answer = why(&api, &blocked).await;
    assert_eq!(codes(&answer), ["dependencies"]);
    says(
        &answer,
        &format!("It waits for another job to complete: {first} (toys.paint, scheduled)."),
    );
}

#[tokio::test]
async fn pauses_limits_and_keys_are_named_with_their_use() {
    let api = Served::start().await;
    let mut hand = painter(&api.db).await;
    let tenant = Uuid::new_v4();
    let options = json!({ "tenant_id": tenant, "concurrency": { "key": "bench", "limit": 1 } });
    api.put(
        "/v1/limits/paint",
        json!({ "kind": "toys.paint", "per_tenant": true, "cap": 1 }),
    )
    .await
    .ok();
    api.enqueue(options.clone()).await;
    let id = api.enqueue(options).await;
    let running = hand.take(&api.db).await;

    let answer = why(&api, &id).await;
    assert_eq!(codes(&answer), ["cap", "concurrency_key", "behind"]);
    says(
        &answer,
        "The limit \"paint\" (kind toys.paint, each tenant for itself) lets 1 run, and 1 do.",
    );
    says(
        &answer,
        "At most 1 with the concurrency key \"bench\" may run, and 1 do.",
    );

    api.post(
        "/v1/queues/default/pause",
        json!({ "reason": "the wall is wet", "until": "2999-01-01T00:00:00Z" }),
    )
    .await
    .ok();
    api.post(
        "/v1/kinds/toys.paint/pause",
        json!({ "reason": "no brushes" }),
    )
    .await
    .ok();
    api.post(
        &format!("/v1/tenants/{tenant}/pause"),
        json!({ "reason": "unpaid" }),
    )
    .await
    .ok();
    let answer = why(&api, &id).await;
    assert_eq!(codes(&answer)[..3], ["paused", "paused", "paused"]);
    says(
        &answer,
        "The queue \"default\" is paused by first admin since ",
    );
    says(&answer, "until 2999-01-01T00:00:00+00:00: the wall is wet.");
    says(&answer, "Its tenant is paused by first admin");

    settle_one(&api.db, running, Outcome::Completed { output: None }).await;
}

/// What concerns a tenant it is told like an admin; another tenant's pause or limit it is not told of.
#[tokio::test]
async fn a_tenant_is_told_of_what_holds_its_own_job_back_and_of_nothing_else() {
    let api = Served::start().await;
    let (own, other) = (Uuid::new_v4(), Uuid::new_v4());
    let id = api.enqueue(json!({ "tenant_id": own })).await;
    for thing in [
        "queues/default".to_owned(),
        format!("tenants/{own}"),
        format!("tenants/{other}"),
    ] {
        let reason = json!({ "reason": "for a reason" });
        api.post(&format!("/v1/{thing}/pause"), reason).await.ok();
    }
    for (name, tenant) in [("ours", own), ("theirs", other)] {
        let rule = json!({ "tenant_id": tenant, "cap": 0 });
        api.put(&format!("/v1/limits/{name}"), rule).await.ok();
    }
    let key = api.tenant_key(own).await;
    let told = api.get_as(&key, &format!("/v1/jobs/{id}/why")).await.ok();
    assert_eq!(
        codes(&told),
        ["paused", "paused", "no_worker", "cap", "behind"]
    );
    assert_eq!(codes(&told), codes(&why(&api, &id).await));
    let pauses = api.get_as(&key, "/v1/pauses").await.ok();
    assert_eq!(pauses["pauses"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_rate_says_when_the_next_start_is_free() {
    let api = Served::start().await;
    let mut hand = painter(&api.db).await;
    api.put("/v1/limits/slow", json!({ "rate": 0.01, "burst": 1 }))
        .await
        .ok();
    api.enqueue(json!({})).await;
    let id = api.enqueue(json!({})).await;
    assert_eq!(hand.claim(&api.db, 10).await.len(), 1);
    let answer = why(&api, &id).await;
    assert_eq!(codes(&answer), ["rate", "behind"]);
    let wait = answer["reasons"][0]["next_in_s"].as_f64().unwrap();
    assert!((80.0..=100.0).contains(&wait), "{wait}");
}

#[tokio::test]
async fn a_job_in_line_says_how_many_are_before_it() {
    let api = Served::start().await;
    let mut hand = painter(&api.db).await;
    let (own, other) = (Uuid::new_v4(), Uuid::new_v4());
    for tenant in [other, own, own, other] {
        api.enqueue(json!({ "tenant_id": tenant })).await;
    }
    let id = api.enqueue(json!({ "tenant_id": own })).await;
    // A claim has seen the lanes, and says how fast it goes.
    assert_eq!(hand.claim(&api.db, 1).await.len(), 1);
    let answer = why(&api, &id).await;
    let ahead = &answer["reasons"][0];
    assert_eq!(
        (
            ahead["code"].as_str(),
            ahead["of_queue"].as_i64(),
            ahead["over"].as_bool()
        ),
        (Some("behind"), Some(3), Some(false))
    );
    says(
        &answer,
        "of the queue in all are before it; tenants take turns.",
    );

    let key = api.tenant_key(own).await;
    let told = api.get_as(&key, &format!("/v1/jobs/{id}/why")).await.ok();
    assert_eq!(
        told["reasons"][0]["of_tenant"], told["reasons"][0]["of_queue"],
        "a tenant counts its own only"
    );
}

#[tokio::test]
async fn counting_those_before_it_stops_at_ten_thousand() {
    let api = Served::start().await;
    let mut hand = painter(&api.db).await;
    let jobs: Vec<Value> = (0..10_000).map(|_| job(json!({}))).collect();
    api.post("/v1/jobs/batch", json!({ "jobs": jobs }))
        .await
        .ok();
    api.enqueue(json!({})).await;
    api.enqueue(json!({})).await;
    let id = api.enqueue(json!({})).await;
    assert_eq!(hand.claim(&api.db, 1).await.len(), 1);
    let answer = why(&api, &id).await;
    assert_eq!(
        (
            answer["reasons"][0]["of_queue"].as_i64(),
            answer["reasons"][0]["over"].as_bool()
        ),
        (Some(10_000), Some(true))
    );
    says(&answer, "over 10,000 of the queue in all are before it");
}

#[tokio::test]
async fn a_running_and_an_ended_job_say_where_and_how() {
    let api = Served::start().await;
    let mut hand = painter(&api.db).await;
    let id = api.enqueue(json!({})).await;
    let claimed = hand.take(&api.db).await;
    let answer = why(&api, &id).await;
    assert_eq!(codes(&answer), ["running"]);
    says(
        &answer,
        &format!("It runs on workshop (worker {}) since ", hand.id),
    );

    api.post(
        &format!("/v1/jobs/{id}/cancel"),
        json!({ "reason": "wrong colour" }),
    )
    .await
    .ok();
    says(&why(&api, &id).await, "Its cancellation was asked for");
    settle_one(
        &api.db,
        claimed,
        Outcome::Cancelled {
            reason: Some("wrong colour".into()),
        },
    )
    .await;
    let answer = why(&api, &id).await;
    assert_eq!(codes(&answer), ["ended"]);
    says(&answer, "It was cancelled at ");
    says(&answer, ": wrong colour.");
}
