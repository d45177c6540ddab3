//! Partners' capacity over HTTP: read by whom it concerns, turned by who may, computed anew on demand.

use fleet_control_api::Scope;
use fleet_jobs::capacity::score_all;
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use super::served::{Reply, Served, pick};

const OURS: Uuid = Uuid::from_u128(0xa1);
const OWN: Uuid = Uuid::from_u128(0xb2);
const TENANT: Uuid = Uuid::from_u128(0x7e7a);

const PEOPLE: &str = "
    INSERT INTO fleet.partners (tenant_id, partner_id, name, active_since) VALUES
        ('00000000-0000-0000-0000-000000000000', '00000000-0000-0000-0000-0000000000a1', 'Ann', '2024-01-01'),
        ('00000000-0000-0000-0000-000000007e7a', '00000000-0000-0000-0000-0000000000b2', 'Bob', '2024-01-01');
    INSERT INTO fleet.client_assignments (tenant_id, client_id, partner_id)
    VALUES ('00000000-0000-0000-0000-000000007e7a', md5('c')::uuid, '00000000-0000-0000-0000-0000000000a1')";

/// A served API with a partner of the platform and one of a tenant, both scored.
async fn office() -> Served {
    let api = Served::start_serving(fleet_jobs::registry()).await;
    api.db.execute(PEOPLE).await;
    let now = sqlx::query_scalar("SELECT fleet.clock()");
    let now = now.fetch_one(&api.db.pool).await.unwrap();
    score_all(&api.db.pool, now).await.unwrap();
    api
}

fn at(partner: Uuid) -> String {
    format!("/v1/partners/{partner}/capacity")
}

async fn patch(api: &Served, key: &str, partner: Uuid, body: Value) -> Reply {
    let request = api.request(Method::PATCH, &at(partner)).bearer_auth(key);
    api.send(request.json(&body)).await
}

#[tokio::test]
async fn a_capacity_is_read_with_what_it_is_made_of() {
    let api = office().await;
    let ann = api.get(&at(OURS)).await.ok();
    assert_eq!(
        pick(&ann, ["name", "load", "cap", "level", "history/0/load"]),
        json!(["Ann", 1.0, 15.0, "open", 1.0])
    );
    assert!(ann["score"].as_f64() > Some(0.0), "{ann:#}");
    assert_eq!(ann["components"]["from"]["clients_weight"], 1.0);
    let bare = api.get(&format!("{}?history=0", at(OURS))).await.ok();
    assert_eq!(bare["history"], json!([]));
    api.get(&format!("{}?history=201", at(OURS)))
        .await
        .refused(400, "malformed", Some("history"));
    api.get(&at(Uuid::new_v4()))
        .await
        .refused(404, "not_found", None);
    api.get("/v1/partners/x/capacity")
        .await
        .refused(400, "malformed", Some("path"));
}

#[tokio::test]
async fn a_tenant_sees_and_turns_its_own_partners_and_no_others() {
    let api = office().await;
    let ours = api.tenant_key(TENANT).await;
    let theirs = api.tenant_key(Uuid::from_u128(9)).await;
    assert_eq!(api.get_as(&ours, &at(OWN)).await.ok()["name"], "Bob");
    let body = json!({ "max_load": 3 });
    for (key, partner) in [(&ours, OURS), (&theirs, OURS), (&theirs, OWN)] {
        let read = api.get_as(key, &at(partner)).await;
        read.refused(404, "not_found", None);
        let turned = patch(&api, key, partner, body.clone()).await;
        turned.refused(404, "not_found", None);
        let path = format!("{}/score", at(partner));
        let scored = api.post_as(key, &path, Value::Null).await;
        scored.refused(404, "not_found", None);
    }
    patch(&api, &ours, OWN, body).await.ok();
    let caps = "SELECT string_agg(name || ' ' || COALESCE(max_load::text, '-'), ', ' ORDER BY name) FROM fleet.partners";
    assert_eq!(api.db.text(caps).await, "Ann -, Bob 3.00");
}

#[tokio::test]
async fn a_cap_is_turned_audited_and_asks_for_the_score() {
    let api = office().await;
    let body = json!({ "max_load": 20, "paused": true, "reason": "agreed" });
    let turned = patch(&api, &api.admin, OURS, body).await.ok();
    assert_eq!(
        pick(&turned, ["max_load", "status", "cap"]),
        json!([20.0, "paused", 15.0]),
        "the score follows by its job"
    );
    let asked = "SELECT string_agg(kind || ' ' || state, ', ') FROM fleet.job";
    assert_eq!(api.db.text(asked).await, "capacity.score scheduled");
    let audited =
        "SELECT count(*) FROM fleet.audit WHERE action = 'partners.limits' AND reason = 'agreed'";
    assert_eq!(api.db.number(audited).await, 1);
    let told = "SELECT count(*) FROM fleet.event WHERE kind = 'capacity.limits_changed'";
    assert_eq!(api.db.number(told).await, 1);
    let body = json!({ "max_load": null, "paused": false });
    let back = patch(&api, &api.admin, OURS, body).await.ok();
    assert_eq!(pick(&back, ["max_load", "status"]), json!([null, "active"]));
}

#[tokio::test]
async fn caps_that_make_no_sense_are_refused() {
    let api = office().await;
    for (body, field) in [
        (json!({ "max_load": -1 }), "max_load"),
        (json!({ "max_load": 1e9 }), "max_load"),
        (json!({}), "max_load"),
        (
            json!({ "paused": true, "reason": "x".repeat(1001) }),
            "reason",
        ),
    ] {
        let refusal = patch(&api, &api.admin, OURS, body).await;
        refusal.refused(422, "invalid_field", Some(field));
    }
    let reader = api.key(None, &[Scope::JobsRead]).await;
    let refusal = patch(&api, &reader, OURS, json!({ "paused": true })).await;
    assert_eq!(refusal.body["code"], "missing_scope");
    let unchanged =
        "SELECT count(*) FROM fleet.partners WHERE max_load IS NULL AND status = 'active'";
    assert_eq!(api.db.number(unchanged).await, 2);
}

#[tokio::test]
async fn a_score_is_asked_for_once_while_it_waits() {
    let api = office().await;
    let path = format!("{}/score", at(OURS));
    let first = api.post(&path, Value::Null).await;
    assert_eq!(first.status, 201);
    let second = api.post(&path, Value::Null).await;
    assert_eq!(second.status, 200);
    assert_eq!(first.body["id"], second.body["id"]);
}

#[tokio::test]
async fn what_capacities_are_weighed_by_is_the_platforms_and_has_versions() {
    let api = office().await;
    let path = "/v1/capacity/settings";
    let theirs = api
        .key(Some(TENANT), &[Scope::JobsRead, Scope::JobsManage])
        .await;
    api.get_as(&theirs, path)
        .await
        .refused(403, "platform_only", None);
    let change = json!({ "settings": { "caps": { "standard": 2 } }, "reason": "fewer at once" });
    let changed = api.put(path, change).await.ok();
    assert_eq!(
        pick(
            &changed,
            [
                "version",
                "settings/caps/standard",
                "settings/caps/senior",
                "reason"
            ]
        ),
        json!([2, 2.0, 30.0, "fewer at once"])
    );
    let bad = json!({ "settings": { "weights": { "sla": 0.5 } } });
    api.put(path, bad)
        .await
        .refused(422, "invalid_field", Some("settings.weights"));
    let held = api.get(path).await.ok();
    let versions = held["versions"].as_array().map(Vec::len);
    assert_eq!(versions, Some(2), "what was refused is none");
    let asked = "SELECT count(*) FROM fleet.job WHERE kind = 'capacity.score_all'";
    assert_eq!(api.db.number(asked).await, 1);
    let now = sqlx::query_scalar("SELECT fleet.clock()");
    let now = now.fetch_one(&api.db.pool).await.unwrap();
    score_all(&api.db.pool, now).await.unwrap();
    let ann = api.get(&at(OURS)).await.ok();
    assert_eq!(pick(&ann, ["cap", "settings_version"]), json!([2.0, 2]));
}
