//! Bounds, clocks and the process's own state.

use std::time::Duration;

use fleet_control_api::{ApiSettings, Scope};
use reqwest::{Method, StatusCode};
use serde_json::json;
use std::sync::Arc;

use super::served::{Served, job};

#[tokio::test]
async fn too_much_at_once_is_refused_at_once() {
    let settings = ApiSettings {
        in_flight_max: 0,
        ..ApiSettings::default()
    };
    let api = Served::start_with(settings).await;
    let reply = api.get("/v1/jobs").await;
    reply.refused(503, "overloaded", None);
    assert_eq!(reply.header("retry-after"), Some("1"));
    api.get("/healthz").await.ok();
}

#[tokio::test]
async fn a_request_that_takes_too_long_is_given_up_and_rolled_back() {
    let settings = ApiSettings {
        request_timeout: Duration::from_secs(2),
        ..ApiSettings::default()
    };
    let api = Served::start_with(settings).await;
    let id = api.enqueue(json!({})).await;
    let mut holder = api.db.pool.begin().await.unwrap();
    sqlx::query("LOCK TABLE fleet.job IN ACCESS EXCLUSIVE MODE")
        .execute(&mut *holder)
        .await
        .unwrap();
    api.post(&format!("/v1/jobs/{id}/cancel"), json!({}))
        .await
        .refused(503, "timeout", None);
    holder.rollback().await.unwrap();
    assert_eq!(
        api.get(&format!("/v1/jobs/{id}")).await.ok()["state"],
        "available"
    );
}

#[tokio::test]
async fn readiness_follows_the_schema_and_liveness_does_not() {
    let api = Served::start().await;
    api.send(api.request(Method::GET, "/readyz")).await.ok();
    api.db.execute("DELETE FROM _sqlx_migrations WHERE version = (SELECT max(version) FROM _sqlx_migrations)").await;
    api.send(api.request(Method::GET, "/readyz"))
        .await
        .refused(503, "not_ready", None);
    api.send(api.request(Method::GET, "/healthz")).await.ok();
}

#[tokio::test]
async fn metrics_take_a_key_of_their_own_unless_opened() {
    let settings = || ApiSettings {
        render_metrics: Arc::new(|| "fleet_up 1\n".to_owned()),
        ..ApiSettings::default()
    };
    let api = Served::start_with(settings()).await;
    let reader = api.key(None, &[Scope::JobsRead]).await;
    api.get_as(&reader, "/metrics")
        .await
        .refused(403, "missing_scope", None);
    let scraper = api.key(None, &[Scope::Metrics]).await;
    let text = api
        .request(Method::GET, "/metrics")
        .bearer_auth(&scraper)
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    assert_eq!(text, "fleet_up 1\n");

    let open = Served::start_with(ApiSettings {
        metrics_open: true,
        ..settings()
    })
    .await;
    let reply = open.request(Method::GET, "/metrics").send().await.unwrap();
    assert_eq!(
        (reply.status(), reply.text().await.unwrap().as_str()),
        (StatusCode::OK, "fleet_up 1\n")
    );
}

#[tokio::test]
async fn the_documents_may_be_closed_too() {
    let api = Served::start_with(ApiSettings {
        docs_open: false,
        ..ApiSettings::default()
    })
    .await;
    api.send(api.request(Method::GET, "/openapi.json"))
        .await
        .refused(401, "unauthorized", Some("authorization"));
    api.get("/openapi.json").await.ok();
}

#[tokio::test]
async fn the_systems_figures_are_measured_over_an_interval() {
    let api = Served::start().await;
    let system = api.get("/v1/system").await.ok();
    assert!(system["interval_ms"].as_u64().unwrap() >= 200, "{system:#}");
    let used = system["cpu"]["used_percent"].as_f64().unwrap();
    assert!((0.0..=100.0).contains(&used) && system["cpu"]["cores"].as_u64().unwrap() > 0);
    assert_eq!(
        system["process"]["pid"].as_u64(),
        Some(std::process::id().into())
    );
    assert!(system["process"]["memory_bytes"].as_u64().unwrap() > 1 << 20);
}

#[tokio::test]
async fn an_outage_is_told_as_one_and_loses_nothing() {
    let api = Served::start().await;
    api.enqueue(json!({})).await;
    api.db
        .execute("ALTER TABLE fleet.job RENAME TO job_away")
        .await;
    let reply = api.post("/v1/jobs", job(json!({}))).await;
    reply.refused(500, "internal", None);
    assert!(
        !reply.body.to_string().contains("job_away")
            && !reply.body.to_string().contains("relation"),
        "{}",
        reply.body
    );
    api.db
        .execute("ALTER TABLE fleet.job_away RENAME TO job")
        .await;
    api.enqueue(json!({})).await;
    assert_eq!(api.db.number("SELECT count(*) FROM fleet.job").await, 2);
}
