//! Schedules over HTTP: made, changed, run, previewed, and each tenant's own.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use uuid::Uuid;

use super::served::{Reply, Served};

fn nightly() -> Value {
    json!({ "kind": "toys.paint", "payload": { "colour": "red" }, "cron": "30 2 * * *", "zone": "Europe/Berlin" })
}

async fn put_if(api: &Served, name: &str, header: (&str, &str), body: Value) -> Reply {
    let request = api
        .request(Method::PUT, &format!("/v1/schedules/{name}"))
        .bearer_auth(&api.admin);
    api.send(request.header(header.0, header.1).json(&body))
        .await
}

#[tokio::test]
async fn a_schedule_is_made_and_changed_by_who_read_it_last() {
    let api = Served::start().await;
    let made = api.put("/v1/schedules/nightly", nightly()).await;
    assert_eq!(
        (made.status, made.header("etag")),
        (StatusCode::CREATED, Some("\"1\""))
    );
    assert_eq!(
        (made.body["name"].as_str(), made.body["zone"].as_str()),
        (Some("nightly"), Some("Europe/Berlin"))
    );
    assert!(made.body["next_at"].is_string());

    let mut changed = nightly();
    changed["cron"] = json!("0 3 * * *");
    let stale = put_if(&api, "nightly", ("if-match", "\"7\""), changed.clone()).await;
    stale.refused(412, "precondition_failed", Some("if-match"));
    let again = put_if(&api, "nightly", ("if-match", "\"1\""), changed.clone()).await;
    assert_eq!(
        (again.status, again.header("etag")),
        (StatusCode::OK, Some("\"2\""))
    );
    put_if(&api, "nightly", ("if-none-match", "*"), changed)
        .await
        .refused(422, "invalid_field", Some("name"));
}

#[tokio::test]
async fn a_schedule_is_run_paused_resumed_and_removed() {
    let api = Served::start().await;
    api.put("/v1/schedules/nightly", nightly()).await.ok();
    let ran = api.post("/v1/schedules/nightly/run", json!({})).await.ok();
    let job = api
        .get(&format!("/v1/jobs/{}", ran["job_id"].as_str().unwrap()))
        .await
        .ok();
    assert_eq!(
        (
            ran["fired"].as_bool(),
            job["metadata"]["schedule"]["cause"].as_str()
        ),
        (Some(true), Some("hand"))
    );
    let ticks = api.get("/v1/schedules/nightly/ticks").await.ok();
    assert_eq!(ticks["ticks"][0]["job_id"], ran["job_id"]);

    let paused = api
        .post(
            "/v1/schedules/nightly/pause",
            json!({ "reason": "holidays" }),
        )
        .await
        .ok();
    assert_eq!(
        (
            paused["paused"]["note"].as_str(),
            paused["paused"]["by"].as_str()
        ),
        (Some("holidays"), Some("first admin"))
    );
    assert_eq!(
        api.post("/v1/schedules/nightly/resume", json!({}))
            .await
            .ok()["paused"],
        Value::Null
    );
    let changes = api.get("/v1/schedules/nightly/history").await.ok();
    let actions: Vec<&str> = changes["changes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|change| change["action"].as_str().unwrap())
        .collect();
    assert_eq!(actions, ["resumed", "paused", "created"]);

    let delete = || {
        api.request(Method::DELETE, "/v1/schedules/nightly")
            .bearer_auth(&api.admin)
    };
    assert_eq!(api.send(delete()).await.status, StatusCode::NO_CONTENT);
    api.send(delete()).await.refused(404, "not_found", None);
    let audited = api
        .db
        .text("SELECT string_agg(action, ' ' ORDER BY id) FROM fleet.audit")
        .await;
    assert_eq!(
        audited,
        "schedules.put schedules.run schedules.pause schedules.resume schedules.delete"
    );
}

#[tokio::test]
async fn what_could_not_fire_is_refused_by_field() {
    let api = Served::start().await;
    for (field, value, code, told) in [
        ("cron", json!("61 * * * *"), "invalid_field", "cron"),
        ("cron", json!("0 0 30 2 *"), "invalid_field", "cron"),
        ("zone", json!("Europe/Atlantis"), "invalid_field", "zone"),
        ("kind", json!("toys.none"), "unknown_kind", "kind"),
        (
            "payload",
            json!({ "colour": 3 }),
            "invalid_payload",
            "/payload/colour",
        ),
        ("jitter_s", json!(-1), "invalid_field", "jitter_s"),
        ("overlap", json!("perhaps"), "invalid_field", "overlap"),
        ("name", json!("other"), "invalid_field", "name"),
        ("colour", json!(1), "invalid_field", "colour"),
    ] {
        let mut body = nightly();
        body[field] = value;
        api.put("/v1/schedules/nightly", body)
            .await
            .refused(422, code, Some(told));
    }
    api.put("/v1/schedules/nul%00", nightly())
        .await
        .refused(422, "invalid_value", Some("path"));
    put_if(&api, "nightly", ("if-match", "new"), nightly())
        .await
        .refused(400, "malformed", Some("if-match"));
    api.put("/v1/schedules/nightly", nightly()).await.ok();
    api.post("/v1/schedules/nightly/pause", json!({ "reason": "" }))
        .await
        .refused(422, "invalid_field", Some("reason"));
}

#[tokio::test]
async fn a_preview_shows_ticks_in_their_zone() {
    let api = Served::start().await;
    let body = json!({ "cron": "30 2 * * *", "zone": "America/New_York", "from": "2026-03-07T12:00:00Z", "n": 2 });
    let preview = api.post("/v1/schedule-previews", body).await.ok();
    let local: Vec<&str> = preview["next"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tick| tick["local"].as_str().unwrap())
        .collect();
    // The clocks jump over 02:30 on the 8th; it fires at the jump.
    assert_eq!(
        local,
        ["2026-03-08T03:00:00-04:00", "2026-03-09T02:30:00-04:00"]
    );
    api.put("/v1/schedules/nightly", nightly()).await.ok();
    let preview = api.get("/v1/schedules/nightly/preview?n=3").await.ok();
    assert_eq!(preview["next"].as_array().unwrap().len(), 3);
    api.get("/v1/schedules/nightly/preview?n=0")
        .await
        .refused(400, "malformed", Some("n"));
    api.post("/v1/schedule-previews", json!({ "cron": "x" }))
        .await
        .refused(422, "invalid_field", Some("cron"));
}

#[tokio::test]
async fn schedules_are_each_tenants_own() {
    let api = Served::start().await;
    let (own, other) = (Uuid::new_v4(), Uuid::new_v4());
    let (key, others_key) = (api.tenant_key(own).await, api.tenant_key(other).await);
    let put = api
        .request(Method::PUT, "/v1/schedules/nightly")
        .bearer_auth(&key)
        .json(&nightly());
    assert_eq!(api.send(put).await.ok()["tenant_id"], json!(own));
    for path in ["", "/preview", "/ticks", "/history"] {
        api.get_as(&others_key, &format!("/v1/schedules/nightly{path}"))
            .await
            .refused(404, "not_found", None);
    }
    for verb in ["run", "resume"] {
        api.post_as(
            &others_key,
            &format!("/v1/schedules/nightly/{verb}"),
            json!({}),
        )
        .await
        .refused(404, "not_found", None);
    }
    api.get_as(
        &others_key,
        &format!("/v1/schedules/nightly?tenant_id={own}"),
    )
    .await
    .refused(403, "other_tenant", Some("tenant_id"));
    assert_eq!(
        api.get_as(&others_key, "/v1/schedules").await.ok()["schedules"],
        json!([])
    );
    assert_eq!(
        api.get("/v1/schedules").await.ok()["schedules"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    api.get(&format!("/v1/schedules/nightly?tenant_id={own}"))
        .await
        .ok();
    let ran = api
        .post_as(&key, "/v1/schedules/nightly/run", json!({}))
        .await
        .ok();
    let job = api
        .get_as(
            &key,
            &format!("/v1/jobs/{}", ran["job_id"].as_str().unwrap()),
        )
        .await
        .ok();
    assert_eq!(job["tenant_id"], json!(own));
}

#[tokio::test]
async fn schedules_come_in_pages() {
    let api = Served::start().await;
    for name in ["c", "a", "b"] {
        api.put(&format!("/v1/schedules/{name}"), nightly())
            .await
            .ok();
    }
    let first = api.get("/v1/schedules?limit=2").await.ok();
    let second = api
        .get(&format!(
            "/v1/schedules?limit=2&cursor={}",
            first["next_cursor"].as_str().unwrap()
        ))
        .await
        .ok();
    let names: Vec<&str> = [&first, &second]
        .iter()
        .flat_map(|page| page["schedules"].as_array().unwrap())
        .map(|one| one["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        (names, &second["next_cursor"]),
        (vec!["a", "b", "c"], &Value::Null)
    );
    api.get("/v1/schedules?cursor=abc")
        .await
        .refused(400, "malformed", Some("cursor"));
}
