//! Assignments over HTTP: looked at with the reasons, chosen by hand, weighed by settings; and closed to others.

use fleet_control_api::Scope;
use fleet_jobs::capacity::score_all;
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use super::served::{Reply, Served, pick};

pub(super) const TENANT: Uuid = Uuid::from_u128(0x7e7a);
pub(super) const OTHER: Uuid = Uuid::from_u128(9);
const ANN: Uuid = Uuid::from_u128(0xa1);
const BOB: Uuid = Uuid::from_u128(0xb2);

const PARTNERS: &str = "
    INSERT INTO fleet.partners (tenant_id, partner_id, name, active_since, max_load) VALUES
        ('00000000-0000-0000-0000-000000000000', '00000000-0000-0000-0000-0000000000a1', 'Ann', '2024-01-01', 5),
        ('00000000-0000-0000-0000-000000000000', '00000000-0000-0000-0000-0000000000b2', 'Bob', '2024-01-01', 1)";

pub(super) async fn office() -> Served {
    let api = Served::start_serving(fleet_jobs::registry()).await;
    api.db.execute(PARTNERS).await;
    let now = sqlx::query_scalar("SELECT fleet.clock()")
        .fetch_one(&api.db.pool)
        .await
        .unwrap();
    score_all(&api.db.pool, now).await.unwrap();
    api
}

pub(super) async fn ingest_key(api: &Served) -> String {
    api.key(
        Some(TENANT),
        &[
            Scope::Ingest,
            Scope::JobsRead,
            Scope::JobsManage,
            Scope::ApprovalsDecide,
        ],
    )
    .await
}

async fn assign(api: &Served, body: Value) -> Reply {
    api.post("/v1/assignments", body).await
}

#[tokio::test]
async fn a_person_chooses_and_everybody_concerned_can_read_why() {
    let api = office().await;
    let key = ingest_key(&api).await;
    let made = api
        .post_as(&key, "/v1/clients", json!({ "name": "Acme" }))
        .await
        .ok();
    let client = made["client_id"].clone();
    let wish = |partner: Uuid, more: Value| {
        let mut body =
            json!({ "client_id": client, "partner_id": partner, "reason": "they know each other" });
        body.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        body
    };
    let given = assign(&api, wish(BOB, json!({}))).await;
    assert_eq!(given.status, 201);
    assert_eq!(
        pick(&given.ok(), ["load", "cap", "from", "manual_overload"]),
        json!([1.0, 1.0, null, false])
    );
    assign(&api, wish(BOB, json!({})))
        .await
        .refused(409, "needless", Some("client_id"));
    assign(&api, wish(ANN, json!({ "reason": "" })))
        .await
        .refused(422, "invalid_field", Some("reason"));
    assign(&api, wish(Uuid::from_u128(7), json!({})))
        .await
        .refused(422, "invalid_field", Some("partner_id"));
    let second = api
        .post_as(&key, "/v1/clients", json!({ "name": "Bolt" }))
        .await
        .ok();
    let full = json!({ "client_id": second["client_id"], "manual_overload": false });
    assign(&api, wish(BOB, full))
        .await
        .refused(409, "partner_full", Some("partner_id"));
    let beyond = json!({ "client_id": second["client_id"], "manual_overload": true });
    assert_eq!(
        assign(&api, wish(BOB, beyond)).await.ok()["manual_overload"],
        true
    );
    let list = api
        .get_as(
            &key,
            &format!("/v1/assignments?client_id={}", client.as_str().unwrap()),
        )
        .await
        .ok();
    assert_eq!(list["assignments"].as_array().map(Vec::len), Some(1));
    assert_eq!(
        pick(
            &list,
            [
                "assignments/0/partner_id",
                "assignments/0/mode",
                "assignments/0/reason"
            ]
        ),
        json!([BOB, "manual", "they know each other"])
    );
    assert!(
        list["assignments"][0]["rationale"]["summary"]
            .as_str()
            .unwrap()
            .contains("they know each other")
    );
    let of_bob = api
        .get(&format!("/v1/assignments?partner_id={BOB}&limit=1"))
        .await
        .ok();
    let next = of_bob["next_cursor"]
        .as_str()
        .expect("there are two")
        .to_owned();
    let rest = api
        .get(&format!(
            "/v1/assignments?partner_id={BOB}&limit=1&cursor={next}"
        ))
        .await
        .ok();
    assert_eq!(
        (
            rest["assignments"].as_array().map(Vec::len),
            &rest["next_cursor"]
        ),
        (Some(1), &Value::Null)
    );
    api.get("/v1/assignments?cursor=x")
        .await
        .refused(400, "malformed", Some("cursor"));
    let audited = api
        .db
        .text(
            "SELECT string_agg(reason, ', ') FROM fleet.audit WHERE action = 'assignments.assign'",
        )
        .await;
    assert_eq!(audited, "they know each other, they know each other");
}

#[tokio::test]
async fn another_tenant_finds_nothing_and_a_tenants_key_does_not_choose() {
    let api = office().await;
    let (ours, theirs) = (
        ingest_key(&api).await,
        api.key(
            Some(OTHER),
            &[Scope::Ingest, Scope::JobsRead, Scope::JobsManage],
        )
        .await,
    );
    let made = api
        .post_as(&ours, "/v1/clients", json!({ "name": "Acme" }))
        .await
        .ok();
    let client = made["client_id"].as_str().unwrap().to_owned();
    let wish = json!({ "client_id": client, "partner_id": ANN, "reason": "mine" });
    assign(&api, wish.clone()).await.ok();
    for path in [
        format!("/v1/clients/{client}"),
        format!("/v1/clients/{client}/decisions"),
    ] {
        api.get_as(&ours, &path).await.ok();
        api.get_as(&theirs, &path)
            .await
            .refused(404, "not_found", None);
    }
    let request = api
        .request(Method::PATCH, &format!("/v1/clients/{client}"))
        .bearer_auth(&theirs);
    api.send(request.json(&json!({ "plan": "starter" })))
        .await
        .refused(404, "not_found", None);
    for path in [
        "/v1/assignments",
        "/v1/clients",
        &format!("/v1/assignments?client_id={client}"),
    ] {
        let seen = api.get_as(&theirs, path).await.ok();
        let list = seen["assignments"]
            .as_array()
            .or(seen["clients"].as_array());
        assert_eq!(list.map(Vec::len), Some(0), "{path}");
    }
    for key in [&ours, &theirs] {
        api.post_as(key, "/v1/assignments", wish.clone())
            .await
            .refused(403, "platform_only", None);
        api.get_as(key, "/v1/assignments/settings")
            .await
            .refused(403, "platform_only", None);
    }
    let reader = api.key(Some(TENANT), &[Scope::JobsRead]).await;
    api.post_as(&reader, "/v1/clients", json!({ "name": "x" }))
        .await
        .refused(403, "missing_scope", None);
}

#[tokio::test]
async fn a_change_is_looked_at_anew_and_settings_are_versions() {
    let api = office().await;
    let key = ingest_key(&api).await;
    let made = api
        .post_as(&key, "/v1/clients", json!({ "name": "Acme" }))
        .await
        .ok();
    let path = format!("/v1/clients/{}", made["client_id"].as_str().unwrap());
    let patch = async |body: Value| {
        api.send(
            api.request(Method::PATCH, &path)
                .bearer_auth(&key)
                .json(&body),
        )
        .await
    };
    assert_eq!(
        patch(json!({ "plan": "enterprise", "channels": ["search"] }))
            .await
            .ok()["plan"],
        "enterprise"
    );
    patch(json!({}))
        .await
        .refused(422, "invalid_field", Some("body"));
    patch(json!({ "zone": "Nowhere" }))
        .await
        .refused(422, "invalid_field", Some("zone"));
    patch(json!({ "partner_id": ANN }))
        .await
        .refused(422, "invalid_field", Some("partner_id"));
    let held = api.get("/v1/assignments/settings").await.ok();
    assert_eq!(
        pick(
            &held,
            ["versions/0/version", "versions/0/settings/weights/capacity"]
        ),
        json!([1, 0.45])
    );
    let changed = api
        .put(
            "/v1/assignments/settings",
            json!({ "settings": { "alert_hours": 12 }, "reason": "sooner" }),
        )
        .await
        .ok();
    assert_eq!(
        pick(&changed, ["version", "settings/alert_hours", "reason"]),
        json!([2, 12, "sooner"])
    );
    let bad = json!({ "settings": { "top_share": 2.0 } });
    api.put("/v1/assignments/settings", bad).await.refused(
        422,
        "invalid_field",
        Some("settings.top_share"),
    );
    let waiting = api.get("/v1/assignments/waitlist").await.ok();
    assert_eq!(waiting["waiting"], json!([]));
}
