//! A job's result, waited for.

use std::time::Duration;

use fleet_control_api::ApiSettings;
use fleet_queue::Outcome;
use fleet_tests::hand::settle_one;
use reqwest::StatusCode;
use serde_json::json;
use tokio::time::Instant;

use super::served::{Served, painter};

#[tokio::test]
async fn a_waiter_is_answered_when_the_job_ends() {
    let api = Served::start().await;
    let mut hand = painter(&api.db).await;
    let id = api.enqueue(json!({})).await;
    let path = format!("/v1/jobs/{id}/result?wait=50s");
    let work = async {
        let claimed = hand.take(&api.db).await;
        settle_one(
            &api.db,
            claimed,
            Outcome::Completed {
                output: Some(json!({ "shade": 3 })),
            },
        )
        .await;
    };
    let begun = Instant::now();
    let (first, second, ()) = tokio::join!(api.get(&path), api.get(&path), work);
    for reply in [first, second] {
        assert_eq!(reply.status, StatusCode::OK);
        assert_eq!(
            (reply.body["state"].as_str(), &reply.body["output"]),
            (Some("completed"), &json!({ "shade": 3 }))
        );
    }
    assert!(
        begun.elapsed() < Duration::from_secs(40),
        "it waited on after the end"
    );
    // Ended already: at once, however long one would wait.
    assert_eq!(api.get(&path).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_wait_that_is_up_says_that_the_job_has_not_ended() {
    let api = Served::start().await;
    let id = api.enqueue(json!({})).await;
    for wait in ["", "?wait=200ms"] {
        let reply = api.get(&format!("/v1/jobs/{id}/result{wait}")).await;
        assert_eq!(
            (reply.status, reply.body["state"].as_str()),
            (StatusCode::ACCEPTED, Some("available"))
        );
    }
}

#[tokio::test]
async fn more_waiters_than_allowed_are_answered_at_once() {
    let settings = ApiSettings {
        waits_max: 0,
        ..ApiSettings::default()
    };
    let api = Served::start_with(settings).await;
    let id = api.enqueue(json!({})).await;
    let begun = Instant::now();
    assert_eq!(
        api.get(&format!("/v1/jobs/{id}/result?wait=60s"))
            .await
            .status,
        StatusCode::ACCEPTED
    );
    assert!(begun.elapsed() < Duration::from_secs(30));
}
