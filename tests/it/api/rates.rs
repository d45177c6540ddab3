//! How many requests a key may make.

use fleet_control_api::{ApiSettings, Scope};
use serde_json::json;
use uuid::Uuid;

use super::served::{Served, job};

async fn slow() -> Served {
    let settings = ApiSettings {
        rate_per_second: 1,
        rate_burst: 3,
        ..ApiSettings::default()
    };
    Served::start_with(settings).await
}

#[tokio::test]
async fn a_tenants_key_over_its_rate_is_told_when_to_come_back() {
    let api = slow().await;
    let (acme, other) = (
        api.tenant_key(Uuid::from_u128(1)).await,
        api.tenant_key(Uuid::from_u128(2)).await,
    );
    let mut refused = None;
    for _ in 0..10 {
        let reply = api.get_as(&acme, "/v1/jobs").await;
        assert_eq!(reply.header("ratelimit-limit"), Some("3"));
        if !reply.status.is_success() {
            refused = Some(reply);
            break;
        }
    }
    let refused = refused.expect("ten requests at once are over a burst of three");
    refused.refused(429, "rate_limited", Some("authorization"));
    assert_eq!(refused.header("retry-after"), Some("1"));
    assert_eq!(refused.header("ratelimit-remaining"), Some("0"));

    let reply = api.get_as(&other, "/v1/jobs").await;
    assert!(reply.status.is_success(), "a rate is a key's own");
}

#[tokio::test]
async fn over_the_rate_nothing_is_done() {
    let api = slow().await;
    let key = api
        .key(Some(Uuid::from_u128(1)), &[Scope::JobsEnqueue])
        .await;
    let mut made = 0;
    for _ in 0..10 {
        let reply = api.post_as(&key, "/v1/jobs", job(json!({}))).await;
        made += i64::from(reply.status.is_success());
    }
    assert!(made < 10, "some of ten at once are over a burst of three");
    assert_eq!(api.db.number("SELECT count(*) FROM fleet.job").await, made);
}

#[tokio::test]
async fn the_platforms_own_keys_are_not_counted() {
    let api = slow().await;
    for _ in 0..10 {
        let reply = api.get("/v1/jobs").await;
        assert!(reply.status.is_success() && reply.header("ratelimit-limit").is_none());
    }
}
