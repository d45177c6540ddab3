//! Keys and the audit over HTTP: admins make and revoke, and everybody reads what concerns them.

use fleet_control_api::Scope;
use fleet_tests::eventually;
use reqwest::Method;
use serde_json::json;
use uuid::Uuid;

use super::served::{Served, job};

const ACME: Uuid = Uuid::from_u128(0xac_3e);

#[tokio::test]
async fn an_admin_makes_a_tenants_key_lists_it_and_takes_it_back() {
    let api = Served::start().await;
    let body = json!({ "name": "portal", "tenant_id": ACME, "scopes": ["jobs:enqueue", "jobs:read"], "kinds": ["toys.paint"] });
    let made = api.post("/v1/api-keys", body).await;
    assert_eq!(made.status.as_u16(), 201);
    let (id, key) = (
        made.body["id"].as_str().unwrap(),
        made.body["key"].as_str().unwrap(),
    );
    let id_of_job = api.enqueue_as(key, json!({})).await;
    let job = api.get(&format!("/v1/jobs/{id_of_job}")).await.ok();
    assert_eq!(job["tenant_id"], json!(ACME));

    let listed = api
        .get(&format!("/v1/api-keys?tenant_id={ACME}"))
        .await
        .ok();
    let keys = listed["api_keys"].as_array().unwrap();
    assert_eq!(
        (keys.len(), &keys[0]["id"], &keys[0]["name"]),
        (1, &json!(id), &json!("portal"))
    );
    assert!(
        !listed.to_string().contains(key.rsplit('_').next().unwrap()),
        "the secret is shown once"
    );

    let revoke = || {
        api.request(Method::DELETE, &format!("/v1/api-keys/{id}"))
            .bearer_auth(&api.admin)
    };
    assert_eq!(api.send(revoke()).await.status.as_u16(), 204);
    eventually("the key works no more", || async {
        let reply = api.get_as(key, "/v1/jobs").await;
        (reply.status.as_u16() == 401).then_some(())
    })
    .await;
    api.send(revoke()).await.refused(404, "not_found", None);
    let told = "SELECT string_agg(action || ' ' || subject, ', ' ORDER BY id) FROM fleet.audit WHERE action LIKE 'keys.%'";
    assert_eq!(
        api.db.text(told).await,
        format!("keys.create {id}, keys.revoke {id}")
    );
}

#[tokio::test]
async fn a_key_that_cannot_be_is_refused_by_its_field() {
    let api = Served::start().await;
    for (change, field) in [
        (json!({ "name": "" }), "name"),
        (json!({ "name": "n\u{0}" }), "name"),
        (json!({ "scopes": [] }), "scopes"),
        (json!({ "scopes": ["everything"] }), "scopes"),
        (json!({ "scopes": ["admin"] }), "scopes"),
        (json!({ "kinds": [] }), "kinds"),
        (
            json!({ "expires_at": "2020-01-01T00:00:00Z" }),
            "expires_at",
        ),
        (json!({ "tenant_id": "acme" }), "tenant_id"),
        (json!({ "hash": "00" }), "hash"),
    ] {
        let mut body = json!({ "name": "n", "tenant_id": ACME, "scopes": ["jobs:read"] });
        body.as_object_mut()
            .unwrap()
            .extend(change.as_object().unwrap().clone());
        let reply = api.post("/v1/api-keys", body).await;
        assert_eq!(
            (reply.status.as_u16(), reply.body["field"].as_str()),
            (422, Some(field)),
            "{change}: {:#}",
            reply.body
        );
    }
    assert_eq!(api.db.number("SELECT count(*) FROM fleet.api_key").await, 1);
}

#[tokio::test]
async fn only_an_admin_touches_keys() {
    let api = Served::start().await;
    let tenant = api.tenant_key(ACME).await;
    let every = [Scope::JobsManage, Scope::SchedulesManage, Scope::JobsRead];
    let steward = api.key(None, &every).await;
    for key in [&tenant, &steward] {
        api.get_as(key, "/v1/api-keys")
            .await
            .refused(403, "missing_scope", None);
        let body = json!({ "name": "mine", "scopes": ["admin"] });
        api.post_as(key, "/v1/api-keys", body)
            .await
            .refused(403, "missing_scope", None);
    }
}

#[tokio::test]
async fn keys_and_the_audit_come_by_page() {
    let api = Served::start().await;
    for n in 0..5 {
        let body =
            json!({ "name": format!("key {n}"), "tenant_id": ACME, "scopes": ["jobs:read"] });
        api.post("/v1/api-keys", body).await.ok();
    }
    for (path, list, of, expected) in [
        (
            "/v1/api-keys",
            "api_keys",
            "name",
            vec!["key 4", "key 3", "key 2", "key 1", "key 0", "first admin"],
        ),
        ("/v1/audit", "audit", "action", vec!["keys.create"; 5]),
    ] {
        let (mut found, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = api.get(&format!("{path}?limit=2{cursor}")).await.ok();
            let rows = page[list].as_array().unwrap();
            assert!(rows.len() <= 2);
            found.extend(rows.iter().map(|row| row[of].as_str().unwrap().to_owned()));
            match &page["next_cursor"] {
                serde_json::Value::Null => break,
                next => cursor = format!("&cursor={}", next.to_string().trim_matches('"')),
            }
        }
        assert_eq!(found, expected, "{path}");
    }
}

#[tokio::test]
async fn i12_a_tenant_reads_the_audit_of_its_own_rows_only() {
    let api = Served::start().await;
    let (own, other) = (
        api.tenant_key(ACME).await,
        api.tenant_key(Uuid::from_u128(2)).await,
    );
    let id = api.enqueue_as(&own, json!({})).await;
    let cancel = json!({ "reason": "changed our mind" });
    api.post_as(&own, &format!("/v1/jobs/{id}/cancel"), cancel)
        .await
        .ok();
    api.post_as(&other, "/v1/jobs", job(json!({}))).await.ok();

    let seen = api.get_as(&own, "/v1/audit").await.ok();
    let actions: Vec<_> = seen["audit"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["action"].as_str().unwrap())
        .collect();
    assert_eq!(actions, ["jobs.cancel", "jobs.enqueue"]);
    assert_eq!(seen["audit"][0]["reason"], "changed our mind");
    let one = api.get_as(&own, "/v1/audit?action=jobs.enqueue").await.ok();
    assert_eq!(one["audit"].as_array().unwrap().len(), 1);
    let asked = format!("/v1/audit?tenant_id={}", Uuid::from_u128(2));
    api.get_as(&own, &asked)
        .await
        .refused(403, "other_tenant", Some("tenant_id"));
    let all = api
        .get("/v1/audit?from=2020-01-01T00:00:00Z&to=2999-01-01T00:00:00Z")
        .await
        .ok();
    assert_eq!(all["audit"].as_array().unwrap().len(), 3);
}
