//! Clients over HTTP: in by one, by many and by the file, each with its job; and changed by whose they are.

use fleet_control_api::Scope;
use reqwest::Method;
use serde_json::json;
use uuid::Uuid;

use super::assignments::{OTHER, TENANT, ingest_key, office};
use super::served::pick;

#[tokio::test]
async fn a_client_and_its_job_come_in_together() {
    let api = office().await;
    let key = ingest_key(&api).await;
    let made = api
        .post_as(
            &key,
            "/v1/clients",
            json!({ "name": "Acme", "plan": "enterprise", "zone": "Asia/Tokyo" }),
        )
        .await;
    assert_eq!(made.status, 201);
    let made = made.ok();
    assert_eq!(made["tenant_id"], json!(TENANT));
    let job = api
        .get_as(
            &key,
            &format!("/v1/jobs/{}", made["job_id"].as_str().unwrap()),
        )
        .await
        .ok();
    assert_eq!(
        pick(&job, ["kind", "payload/client_id"]),
        json!(["assignment.auto", made["client_id"]])
    );
    let path = format!("/v1/clients/{}", made["client_id"].as_str().unwrap());
    let seen = api.get_as(&key, &path).await.ok();
    assert_eq!(
        pick(&seen, ["name", "plan", "status", "zone", "partner_id"]),
        json!(["Acme", "enterprise", "active", "Asia/Tokyo", null])
    );
    let again = api
        .post_as(
            &key,
            "/v1/clients",
            json!({ "name": "Acme", "client_id": made["client_id"] }),
        )
        .await;
    again.refused(409, "client_exists", Some("client_id"));
    assert_eq!(
        api.db.number("SELECT count(*) FROM fleet.job").await,
        1,
        "what is refused leaves no job"
    );
}

#[tokio::test]
async fn of_many_the_good_are_taken_in_and_the_bad_named() {
    let api = office().await;
    let key = ingest_key(&api).await;
    let sent = json!([{ "name": "A" }, { "name": "" }, { "name": "B", "plan": "gold" }, { "name": "C", "zone": "Nowhere" }, { "name": "D", "tenant_id": OTHER }, 7, { "name": "E" }]);
    let answer = api.post_as(&key, "/v1/clients", sent).await.ok();
    assert_eq!(pick(&answer, ["created", "errors"]), json!([2, 5]));
    let fields: Vec<_> = answer["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["error"]["field"].clone())
        .collect();
    assert_eq!(
        json!(fields),
        json!([null, "name", "plan", "zone", "tenant_id", "body", null])
    );
    assert_eq!(
        api.db
            .number("SELECT count(*) FROM fleet.job WHERE kind = 'assignment.auto'")
            .await,
        2
    );
    api.post_as(&key, "/v1/clients", json!([]))
        .await
        .refused(422, "invalid_field", Some("body"));
    api.post("/v1/clients", json!({ "name": "whose" }))
        .await
        .refused(422, "invalid_field", Some("tenant_id"));
}

#[tokio::test]
async fn a_file_comes_in_line_by_line_and_sent_again_changes_nothing() {
    let api = office().await;
    let key = ingest_key(&api).await;
    let file = "client_id,name,channels,plan\n00000000-0000-0000-0000-0000000000c1,Acme,search|social,\n,Nameless,,gold\n00000000-0000-0000-0000-0000000000c2,Bolt,,starter\n";
    let send = async || {
        let request = api
            .request(Method::POST, "/v1/ingest/clients")
            .bearer_auth(&key);
        api.send(request.header("content-type", "text/csv").body(file))
            .await
            .ok()
    };
    let first = send().await;
    assert_eq!(
        pick(
            &first,
            ["read", "created", "updated", "refused", "examples/0/line"]
        ),
        json!([3, 2, 0, 1, 3])
    );
    let second = send().await;
    assert_eq!(pick(&second, ["created", "updated"]), json!([0, 2]));
    assert_eq!(
        api.db
            .number("SELECT count(*) FROM fleet.job WHERE kind = 'assignment.auto'")
            .await,
        2
    );
}

#[tokio::test]
async fn two_tenants_may_use_one_id_and_neither_is_changed_for_the_other() {
    let api = office().await;
    let other = api
        .key(Some(OTHER), &[Scope::Ingest, Scope::JobsRead])
        .await;
    let key = ingest_key(&api).await;
    let twin = Uuid::from_u128(0x17);
    for key in [&key, &other] {
        let body = json!({ "client_id": twin, "name": "Twin" });
        assert_eq!(api.post_as(key, "/v1/clients", body).await.status, 201);
    }
    let path = format!("/v1/clients/{twin}");
    let patch = async |key: &str| {
        let request = api.request(Method::PATCH, &path).bearer_auth(key);
        api.send(request.json(&json!({ "name": "Changed" }))).await
    };
    patch(&api.admin)
        .await
        .refused(409, "ambiguous", Some("id"));
    assert_eq!(patch(&other).await.ok()["name"], "Changed");
    let names = "SELECT string_agg(name, ' ' ORDER BY tenant_id) FROM fleet.clients";
    assert_eq!(api.db.text(names).await, "Changed Twin");
}
