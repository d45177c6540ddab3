//! A body that works for every operation that takes one, to be spoiled.

use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use super::super::served::job;

/// Bodies that are right, or would be for a thing that is there.
pub(super) fn bodies(id: &str) -> Vec<(Method, String, Value)> {
    let tenant = Uuid::from_u128(7);
    let whole = json!({
        "queue": "q", "priority": 1, "run_at": "2999-01-01T00:00:00Z", "expires_at": "2999-01-02T00:00:00Z", "timeout_ms": 1000,
        "max_attempts": 3, "unique": { "key": "k", "scope": "window", "window_s": 60, "on_duplicate": "return" },
        "concurrency": { "key": "c", "limit": 2 }, "tenant_id": tenant, "tags": ["t"], "metadata": { "m": 1 },
        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "parent_id": id, "step": "s", "depends_on": [],
    });
    let schedule = json!({
        "kind": "toys.paint", "payload": { "colour": "red" }, "cron": "*/5 * * * *", "zone": "Europe/Berlin",
        "starts_at": "2026-01-01T00:00:00Z", "ends_at": "2999-01-01T00:00:00Z", "jitter_s": 5, "expires_after_s": 60,
        "missed": { "window": { "within_s": 60, "cap": 2 } }, "overlap": "skip", "nonexistent": "next", "ambiguous": "first",
        "options": { "priority": 1, "queue": "q", "tags": ["t"], "timeout_ms": 1000, "max_attempts": 2 },
    });
    let limit = json!({ "queue": "q", "kind": "toys.paint", "tenant_id": tenant, "per_tenant": false, "cap": 3, "rate": 1.5, "burst": 4 });
    let times = json!({ "cron": "0 6 * * *", "zone": "UTC", "starts_at": "2026-01-01T00:00:00Z", "ends_at": "2999-01-01T00:00:00Z", "from": "2026-06-01T00:00:00Z", "n": 3 });
    let key = json!({ "name": "k", "tenant_id": tenant, "scopes": ["jobs:read"], "kinds": ["toys.paint"], "expires_at": "2999-01-01T00:00:00Z" });
    let pause = json!({ "reason": "rain", "until": "2999-01-01T00:00:00Z" });
    let nil = Uuid::nil();
    [
        (Method::POST, "/v1/jobs".to_owned(), job(whole.clone())),
        (
            Method::POST,
            "/v1/jobs/batch".to_owned(),
            json!({ "jobs": [job(whole)] }),
        ),
        (
            Method::POST,
            format!("/v1/jobs/{id}/reschedule"),
            json!({ "run_at": "2999-01-01T00:00:00Z" }),
        ),
        (
            Method::POST,
            format!("/v1/jobs/{id}/reprioritize"),
            json!({ "priority": 1 }),
        ),
        (
            Method::POST,
            format!("/v1/jobs/{id}/cancel"),
            json!({ "reason": "r" }),
        ),
        (
            Method::POST,
            format!("/v1/jobs/{id}/retry"),
            json!({ "reason": "r" }),
        ),
        (
            Method::PATCH,
            "/v1/queues/q".to_owned(),
            json!({ "max_depth": 100, "age_step_s": 60 }),
        ),
        (Method::POST, "/v1/queues/q/pause".to_owned(), pause.clone()),
        (
            Method::POST,
            "/v1/kinds/toys.paint/pause".to_owned(),
            pause.clone(),
        ),
        (Method::POST, format!("/v1/tenants/{tenant}/pause"), pause),
        (
            Method::PUT,
            format!("/v1/tenants/{tenant}/weight"),
            json!({ "weight": 2 }),
        ),
        (Method::PUT, "/v1/limits/l".to_owned(), limit),
        (Method::PUT, "/v1/schedules/s".to_owned(), schedule),
        (
            Method::POST,
            "/v1/schedules/s/pause".to_owned(),
            json!({ "reason": "n" }),
        ),
        (Method::POST, "/v1/schedule-previews".to_owned(), times),
        (
            Method::POST,
            format!("/v1/workers/{nil}/drain"),
            json!({ "draining": true }),
        ),
        (Method::POST, "/v1/api-keys".to_owned(), key),
        (
            Method::POST,
            format!("/v1/leaderboards/{nil}/refresh"),
            json!({ "window_end": "2026-01-01", "dry_run": true }),
        ),
        (
            Method::PATCH,
            format!("/v1/partners/{nil}/capacity"),
            json!({ "max_load": 20, "paused": true, "reason": "n" }),
        ),
        (
            Method::POST,
            "/v1/tickets".to_owned(),
            json!({ "tenant_id": tenant, "client_id": nil, "subject": "s", "body": "b", "external_id": "e", "message_id": "m", "opened_at": "2026-01-01T00:00:00Z" }),
        ),
        (
            Method::POST,
            "/v1/tickets".to_owned(),
            json!([{ "client_id": nil, "body": "b" }]),
        ),
        (
            Method::PATCH,
            format!("/v1/tickets/{nil}"),
            json!({ "version": 1, "category": "c", "priority": "low", "assigned_to": "admin", "resolved": true, "waiting": false }),
        ),
        (
            Method::POST,
            format!("/v1/tickets/{nil}/messages"),
            json!({ "author": "staff", "body": "b", "message_id": "m", "waiting": true }),
        ),
        (
            Method::PUT,
            "/v1/business-hours".to_owned(),
            json!({ "zone": "Europe/Berlin", "work_days": [1, 2], "opens": "09:00", "closes": "17:00" }),
        ),
        (
            Method::PUT,
            "/v1/holidays".to_owned(),
            json!({ "holidays": [{ "day": "2026-12-25", "name": "n" }] }),
        ),
        (
            Method::PUT,
            format!("/v1/kb/articles/{nil}"),
            json!({ "title": "t", "body": "b", "published": true }),
        ),
        (
            Method::PUT,
            "/v1/triage/settings".to_owned(),
            json!({
                "sla": { "high": { "first_response": 1, "next_response": 2, "resolution": 3 } }, "priority": { "priors": { "bug": "low" }, "angry_below": -0.5, "repeated": 3, "repeated_days": 7, "valued_micros": 5 },
                "duplicate_bits": 3, "duplicate_hours": 24, "backlog_days": 30, "auto_reply": false,
                "second_opinion": { "url": "http://127.0.0.1:9/v1", "model": "m", "token_file": "/nowhere", "timeout_ms": 100 },
            }),
        ),
        (
            Method::POST,
            format!("/v1/promotions/{nil}/approve"),
            json!({ "note": "n" }),
        ),
    ]
    .into()
}
