//! Bad input of every kind: a clear word naming the field, no 5xx, and nothing enqueued.

use fleet_control_api::Scope;
use reqwest::{Method, StatusCode};
use serde_json::json;

use super::served::{Served, job};

/// Bodies that are refused: the code, the field, and the body; `+` adds to a job that is right.
const WRONG: &str = r#"
invalid_field      kind                       {}
invalid_field      payload                    {"kind": "toys.paint"}
invalid_field      kind                       {"kind": 7, "payload": {}}
invalid_field      body                       ["toys.paint", {}]
invalid_field      body                       "text"
invalid_field      colour                     + {"colour": "red"}
unknown_kind       kind                       + {"kind": "toys.pain"}
invalid_payload    /payload/colour            + {"payload": {}}
invalid_payload    /payload/colour            + {"payload": {"colour": 1}}
invalid_payload    /payload/coats             + {"payload": {"colour": "red", "coats": 256}}
invalid_payload    /payload/parts/1/nam~1e    + {"payload": {"colour": "red", "parts": [{"name": "a"}, {"nam/e": "b"}]}}
invalid_value      /payload/colour            + {"payload": {"colour": "zero \u0000"}}
invalid_field      queue                      + {"queue": ""}
invalid_value      queue                      + {"queue": "nul\u0000"}
invalid_field      priority                   + {"priority": 4}
invalid_field      priority                   + {"priority": 99999}
invalid_field      priority                   + {"priority": "high"}
invalid_field      run_at                     + {"run_at": "tomorrow"}
invalid_field      run_at                     + {"run_at": "2026-01-01"}
invalid_field      run_at                     + {"run_at": "+200000-01-01T00:00:00Z"}
invalid_field      expires_at                 + {"expires_at": "0001-01-01T00:00:00Z"}
invalid_field      timeout_ms                 + {"timeout_ms": 0}
invalid_field      timeout_ms                 + {"timeout_ms": -5}
invalid_field      max_attempts               + {"max_attempts": 0}
invalid_field      unique.key                 + {"unique": {"key": ""}}
invalid_field      unique.scope               + {"unique": {"key": "a", "scope": "ever"}}
invalid_field      unique.window_s            + {"unique": {"key": "a", "scope": "window"}}
invalid_field      unique.kye                 + {"unique": {"kye": "a"}}
invalid_field      concurrency.limit          + {"concurrency": {"key": "a", "limit": 0}}
invalid_field      tags                       + {"tags": [""]}
invalid_value      tags.0                     + {"tags": ["a\u0000b"]}
invalid_field      tenant_id                  + {"tenant_id": "acme"}
invalid_field      parent_id                  + {"parent_id": 3}
invalid_field      step                       + {"step": ""}
invalid_dependency depends_on                 + {"depends_on": ["0191a0a0-0000-7000-8000-000000000000"]}
"#;

#[tokio::test]
async fn a_body_that_does_not_fit_names_its_field_and_enqueues_nothing() {
    let api = Served::start().await;
    for case in WRONG.trim().lines() {
        let (code, rest) = case.split_once(' ').unwrap();
        let (field, text) = rest.trim_start().split_once(' ').unwrap();
        let body = match text.trim_start().strip_prefix('+') {
            Some(options) => job(serde_json::from_str(options).unwrap()),
            None => serde_json::from_str(text).unwrap(),
        };
        let reply = api.post("/v1/jobs", body).await;
        reply.refused(422, code, Some(field));
    }
    assert_eq!(api.db.number("SELECT count(*) FROM fleet.job").await, 0);
}

#[tokio::test]
async fn what_is_too_large_or_too_many_is_refused_by_name() {
    let api = Served::start().await;
    for (field, options) in [
        (
            "unique.key",
            json!({ "unique": { "key": "k".repeat(301) } }),
        ),
        ("tags", json!({ "tags": vec!["t"; 21] })),
        ("metadata", json!({ "metadata": "m".repeat(40_000) })),
        (
            "payload",
            json!({ "payload": { "colour": "c".repeat(1_100_000) } }),
        ),
        (
            "depends_on",
            json!({ "depends_on": vec![uuid::Uuid::nil(); 1_001] }),
        ),
    ] {
        let reply = api.post("/v1/jobs", job(options)).await;
        reply.refused(422, "invalid_field", Some(field));
    }
    assert_eq!(api.db.number("SELECT count(*) FROM fleet.job").await, 0);
}

#[tokio::test]
async fn an_unknown_kind_is_met_with_the_nearest_one() {
    let api = Served::start().await;
    let reply = api
        .post("/v1/jobs", job(json!({ "kind": "toy.paint" })))
        .await;
    assert_eq!(
        reply.body["detail"],
        "no kind \"toy.paint\" is registered; did you mean \"toys.paint\"?"
    );
}

#[tokio::test]
async fn what_is_no_json_or_too_large_is_told_apart() {
    let api = Served::start().await;
    let post = || {
        api.request(Method::POST, "/v1/jobs")
            .bearer_auth(&api.admin)
    };
    let json = |text: &'static str| post().header("content-type", "application/json").body(text);
    for text in [
        "",
        "{",
        "{\"kind\": \"toys.paint\", \"payload\": {}} trailing",
        "\u{feff}{}",
    ] {
        api.send(json(text))
            .await
            .refused(400, "malformed_json", None);
    }
    api.send(
        post()
            .body("kind=toys.paint")
            .header("content-type", "application/x-www-form-urlencoded"),
    )
    .await
    .refused(415, "unsupported_media_type", Some("content-type"));
    api.send(post().json(&job(json!({ "metadata": "m".repeat(3 << 20) }))))
        .await
        .refused(413, "body_too_large", None);
}

#[tokio::test]
async fn paths_and_queries_that_make_no_sense_are_refused_by_name() {
    let api = Served::start().await;
    let cases = [
        ("/v1/jobs/42", 400, "malformed", Some("path")),
        (
            "/v1/jobs/0191a0a0-0000-7000-8000-000000000000",
            404,
            "not_found",
            None,
        ),
        (
            "/v1/jobs/0191a0a0-0000-7000-8000-000000000000/why",
            404,
            "not_found",
            None,
        ),
        (
            "/v1/jobs/0191a0a0-0000-7000-8000-000000000000/result?wait=30s",
            404,
            "not_found",
            None,
        ),
        ("/v1/jobs?limit=0", 400, "malformed", Some("limit")),
        ("/v1/jobs?limit=201", 400, "malformed", Some("limit")),
        ("/v1/jobs?limit=many", 400, "malformed", Some("limit")),
        ("/v1/jobs?cursor=abc", 400, "malformed", Some("cursor")),
        ("/v1/jobs?state=lost", 400, "malformed", Some("state")),
        (
            "/v1/jobs?created_from=yesterday",
            400,
            "malformed",
            Some("created_from"),
        ),
        ("/v1/jobs?colour=red", 400, "malformed", Some("colour")),
        ("/v1/jobs?kind=nul%00", 422, "invalid_value", Some("kind")),
        ("/v1/kinds/none", 404, "not_found", None),
        ("/v1/queues/none", 404, "not_found", None),
        (
            "/v1/throughput?minutes=0",
            400,
            "malformed",
            Some("minutes"),
        ),
        ("/v1/nothing", 404, "no_route", None),
        ("/", 404, "no_route", None),
    ];
    for (path, status, code, field) in cases {
        api.get(path).await.refused(status, code, field);
    }
    api.send(
        api.request(Method::DELETE, "/v1/jobs")
            .bearer_auth(&api.admin),
    )
    .await
    .refused(405, "method_not_allowed", None);
}

#[tokio::test]
async fn a_wait_is_bounded() {
    let api = Served::start().await;
    let id = api.enqueue(json!({})).await;
    for wait in ["61s", "soon", ""] {
        api.get(&format!("/v1/jobs/{id}/result?wait={wait}"))
            .await
            .refused(400, "malformed", Some("wait"));
    }
}

#[tokio::test]
async fn a_full_queue_says_when_to_come_back() {
    let api = Served::start().await;
    let patch = api
        .request(Method::PATCH, "/v1/queues/default")
        .bearer_auth(&api.admin);
    api.send(patch.json(&json!({ "max_depth": 2 }))).await.ok();
    api.enqueue(json!({})).await;
    api.enqueue(json!({})).await;
    let reply = api.post("/v1/jobs", job(json!({}))).await;
    reply.refused(429, "queue_full", Some("queue"));
    assert_eq!(reply.header("retry-after"), Some("5"));
    // The bound is over all tenants: another tenant meets it too, though it sees none of these jobs.
    let other = api
        .key(Some(uuid::Uuid::new_v4()), &[Scope::JobsEnqueue])
        .await;
    api.post_as(&other, "/v1/jobs", job(json!({})))
        .await
        .refused(429, "queue_full", Some("queue"));
    assert_eq!(
        api.post("/v1/jobs", job(json!({ "queue": "other" })))
            .await
            .status,
        StatusCode::CREATED
    );
}
