//! Partners put and read over HTTP, and when they are away.

use fleet_queue::kinds::register_kinds;
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use super::served::{Reply, Served, pick};

const ANN: Uuid = Uuid::from_u128(0xa1);
const TENANT: Uuid = Uuid::from_u128(0x7e7a);
const SCORES: &str = "SELECT count(*) FROM fleet.job WHERE kind = 'capacity.score'";

async fn office() -> Served {
    let api = Served::start_serving(fleet_jobs::registry()).await;
    let kinds: Vec<_> = fleet_jobs::registry().infos().cloned().collect();
    register_kinds(&mut *api.db.conn().await, &kinds)
        .await
        .unwrap();
    api
}

fn at(partner: Uuid, rest: &str) -> String {
    format!("/v1/partners/{partner}{rest}")
}

async fn put(api: &Served, key: &str, partner: Uuid, body: Value) -> Reply {
    let request = api.request(Method::PUT, &at(partner, "")).bearer_auth(key);
    api.send(request.json(&body)).await
}

#[tokio::test]
async fn a_partner_is_made_replaced_and_read() {
    let api = office().await;
    let made = put(&api, &api.admin, ANN, json!({ "name": "Ann" })).await;
    assert_eq!(made.status, 201);
    assert_eq!(
        pick(&made.body, ["name", "status", "tier", "zone", "languages"]),
        json!(["Ann", "active", "standard", "UTC", ["en"]])
    );
    assert_eq!(
        api.db.number(SCORES).await,
        1,
        "a new one is scored at once"
    );
    let other = json!({ "name": "Anna", "industries": ["retail"], "zone": "Asia/Tokyo", "opens": "08:30:00" });
    let replaced = put(&api, &api.admin, ANN, other).await;
    assert_eq!(replaced.status, 200);
    let read = api.get(&at(ANN, "")).await.ok();
    assert_eq!(read, replaced.body);
    assert_eq!(
        pick(&read, ["name", "industries", "zone", "opens"]),
        json!(["Anna", ["retail"], "Asia/Tokyo", "08:30:00"])
    );
    assert_eq!(read["active_since"], made.body["active_since"]);
    let told = "SELECT string_agg(kind, ', ' ORDER BY id) FROM fleet.event";
    assert_eq!(api.db.text(told).await, "partner.added, partner.changed");
    let audited = "SELECT count(*) FROM fleet.audit WHERE action = 'partners.put'";
    assert_eq!(api.db.number(audited).await, 2);
    let list = api.get("/v1/partners").await.ok();
    assert_eq!(list["partners"], json!([read]));
}

#[tokio::test]
async fn what_no_partner_can_be_is_refused_with_the_field() {
    let api = office().await;
    for (body, field) in [
        (json!({ "name": "" }), "name"),
        (json!({ "name": "Ann", "tier": "gold" }), "tier"),
        (json!({ "name": "Ann", "zone": "Mars/Olympus" }), "zone"),
        (json!({ "name": "Ann", "work_days": [8] }), "work_days"),
        (json!({ "name": "Ann", "opens": "17:00:00" }), "closes"),
        (json!({ "name": "Ann", "languages": [] }), "languages"),
    ] {
        let refused = put(&api, &api.admin, ANN, body).await;
        refused.refused(422, "invalid_field", Some(field));
    }
    assert_eq!(
        api.db.number("SELECT count(*) FROM fleet.partners").await,
        0
    );
}

#[tokio::test]
async fn i12_a_tenant_puts_its_own_partners_and_touches_no_others() {
    let api = office().await;
    put(&api, &api.admin, ANN, json!({ "name": "Ann" }))
        .await
        .ok();
    let ours = api.tenant_key(TENANT).await;
    let taken = put(&api, &ours, ANN, json!({ "name": "mine" })).await;
    taken.refused(409, "taken", Some("id"));
    let read = api.get_as(&ours, &at(ANN, "")).await;
    read.refused(404, "not_found", None);
    let leave = json!({ "starts_at": "2030-01-01T00:00:00Z", "ends_at": "2030-01-02T00:00:00Z" });
    let away = api.post_as(&ours, &at(ANN, "/leaves"), leave).await;
    away.refused(404, "not_found", None);
    let own = Uuid::from_u128(0xb2);
    put(&api, &ours, own, json!({ "name": "Bob" })).await.ok();
    let whose = "SELECT string_agg(name || ' ' || right(tenant_id::text, 4), ', ' ORDER BY name) FROM fleet.partners";
    assert_eq!(api.db.text(whose).await, "Ann 0000, Bob 7e7a");
}

#[tokio::test]
async fn a_leave_is_added_asks_for_the_score_and_is_taken_back() {
    let api = office().await;
    put(&api, &api.admin, ANN, json!({ "name": "Ann" }))
        .await
        .ok();
    let leave = json!({ "starts_at": "2030-01-01T00:00:00Z", "ends_at": "2030-01-08T00:00:00Z" });
    let added = api.post(&at(ANN, "/leaves"), leave).await.ok();
    let list = api.get(&at(ANN, "/leaves")).await.ok();
    assert_eq!(list["leaves"], json!([added]));
    let path = at(
        ANN,
        &format!("/leaves/{}", added["leave_id"].as_str().unwrap()),
    );
    for expected in [204, 404] {
        let request = api.request(Method::DELETE, &path).bearer_auth(&api.admin);
        assert_eq!(api.send(request).await.status, expected);
    }
    let told = "SELECT string_agg(kind, ', ' ORDER BY id) FROM fleet.event WHERE kind LIKE 'partner.leave%'";
    assert_eq!(
        api.db.text(told).await,
        "partner.leave_added, partner.leave_removed"
    );
}

#[tokio::test]
async fn leaves_that_make_no_sense_are_refused() {
    let api = office().await;
    put(&api, &api.admin, ANN, json!({ "name": "Ann" }))
        .await
        .ok();
    for (starts, ends) in [("2030-01-02", "2030-01-01"), ("2030-01-01", "2040-01-01")] {
        let body = json!({ "starts_at": format!("{starts}T00:00:00Z"), "ends_at": format!("{ends}T00:00:00Z") });
        let refused = api.post(&at(ANN, "/leaves"), body).await;
        refused.refused(422, "invalid_field", Some("ends_at"));
    }
}
