//! Tickets over HTTP: taken in one by one, by the array and by the file, answered, decided about, kept from other tenants.

use fleet_control_api::Scope;
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use super::served::{Reply, Served, pick};

pub(super) const TENANT: Uuid = Uuid::from_u128(0x7e7a);
pub(super) const CLIENT: &str = "00000000-0000-0000-0000-0000000000c1";

/// A served API with a tenant's client; and a key that may do all a tenant's key can.
pub(super) async fn office() -> (Served, String) {
    let api = Served::start_serving(fleet_jobs::registry()).await;
    api.db.execute("INSERT INTO fleet.clients (tenant_id, client_id, name, active_since) VALUES ('00000000-0000-0000-0000-000000007e7a', '00000000-0000-0000-0000-0000000000c1', 'Acme', '2024-01-01')").await;
    let scopes = [
        Scope::JobsEnqueue,
        Scope::JobsRead,
        Scope::JobsManage,
        Scope::Ingest,
    ];
    let key = api.key(Some(TENANT), &scopes).await;
    (api, key)
}

pub(super) async fn send(
    api: &Served,
    key: &str,
    method: Method,
    path: &str,
    body: Value,
) -> Reply {
    let request = api.request(method, path).bearer_auth(key);
    api.send(request.json(&body)).await
}

/// A ticket's path.
pub(super) async fn ticket(api: &Served, key: &str) -> String {
    let made = api
        .post_as(
            key,
            "/v1/tickets",
            json!({ "client_id": CLIENT, "body": "help" }),
        )
        .await;
    assert_eq!(made.status, 201, "{:#}", made.body);
    format!("/v1/tickets/{}", made.body["ticket_id"].as_str().unwrap())
}

#[tokio::test]
async fn a_ticket_comes_in_once_with_its_job() {
    let (api, key) = office().await;
    let body = json!({ "client_id": CLIENT, "subject": "s", "body": "b", "external_id": "T-1" });
    let made = api.post_as(&key, "/v1/tickets", body.clone()).await;
    assert_eq!(
        (made.status.as_u16(), &made.body["duplicate"]),
        (201, &json!(false))
    );
    let again = api.post_as(&key, "/v1/tickets", body).await;
    assert_eq!(
        (again.status.as_u16(), &again.body["duplicate"]),
        (200, &json!(true))
    );
    assert_eq!(made.body["ticket_id"], again.body["ticket_id"]);
    let job = api
        .get_as(
            &key,
            &format!("/v1/jobs/{}", made.body["job_id"].as_str().unwrap()),
        )
        .await
        .ok();
    assert_eq!(
        pick(&job, ["kind", "payload/revision"]),
        json!(["triage.ticket", 1])
    );
    let audited = "SELECT count(*) FROM fleet.audit WHERE action = 'tickets.create'";
    assert_eq!(api.db.number(audited).await, 1);
}

#[tokio::test]
async fn of_an_array_the_bad_are_named_and_the_good_made() {
    let (api, key) = office().await;
    let items = json!([
        { "client_id": CLIENT, "body": "one", "external_id": "A" },
        { "client_id": CLIENT, "bodi": "two" },
        { "client_id": Uuid::nil(), "body": "three" },
        { "client_id": CLIENT, "body": "four", "tenant_id": Uuid::from_u128(9) },
        { "client_id": CLIENT, "body": "five", "external_id": "A" },
        7,
    ]);
    let answer = api.post_as(&key, "/v1/tickets", items).await.ok();
    assert_eq!(
        pick(&answer, ["created", "duplicates", "errors"]),
        json!([1, 1, 4])
    );
    let told: Vec<_> = answer["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| pick(it, ["index", "status", "error/code", "error/field"]))
        .collect();
    assert_eq!(told[1], json!([1, "error", "invalid_field", "bodi"]));
    assert_eq!(told[2], json!([2, "error", "invalid_field", "client_id"]));
    assert_eq!(told[3], json!([3, "error", "other_tenant", "tenant_id"]));
    assert_eq!(told[5][1], "error");
    assert_eq!(api.db.number("SELECT count(*) FROM fleet.tickets").await, 1);
    api.post_as(&key, "/v1/tickets", json!([]))
        .await
        .refused(422, "invalid_field", Some("body"));
}

#[tokio::test]
async fn a_ticket_is_answered_decided_about_and_shown() {
    let (api, key) = office().await;
    let path = ticket(&api, &key).await;
    let answer =
        json!({ "author": "staff", "body": "we look", "message_id": "<1>", "waiting": true });
    let said = api
        .post_as(&key, &format!("{path}/messages"), answer.clone())
        .await;
    assert_eq!(said.status, 201);
    assert_eq!(
        api.post_as(&key, &format!("{path}/messages"), answer)
            .await
            .status,
        200
    );
    let shown = api.get_as(&key, &path).await.ok();
    assert_eq!(
        pick(&shown, ["status", "waiting", "messages/1/body"]),
        json!(["in_progress", true, "we look"])
    );
    let version = shown["version"].as_i64().unwrap();
    let change = json!({ "version": version, "category": "billing", "priority": "high", "assigned_to": "admin" });
    let edited = send(&api, &key, Method::PATCH, &path, change.clone())
        .await
        .ok();
    assert_eq!(
        pick(
            &edited,
            ["category", "priority", "assigned_to", "escalation_level"]
        ),
        json!(["billing", "high", "admin", 3])
    );
    let late = send(&api, &key, Method::PATCH, &path, change).await;
    late.refused(409, "changed", Some("version"));
    let done = send(
        &api,
        &key,
        Method::PATCH,
        &path,
        json!({ "resolved": true }),
    )
    .await
    .ok();
    assert_eq!(
        pick(&done, ["status", "waiting"]),
        json!(["resolved", false])
    );
    let clocks: Vec<_> = done["clocks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["state"].clone())
        .collect();
    assert_eq!(clocks, ["met", "met"]);
    let audited = "SELECT string_agg(action, ' ' ORDER BY id) FROM fleet.audit";
    assert_eq!(
        api.db.text(audited).await,
        "tickets.create tickets.say tickets.edit tickets.edit"
    );
}

/// A tenant's key brings the clocks up to now, whatever follows from that: outcomes and escalations, of partners that it may not read.
#[tokio::test]
async fn an_edit_of_an_overdue_ticket_escalates_it() {
    let (api, key) = office().await;
    let path = ticket(&api, &key).await;
    api.db.execute("
        INSERT INTO fleet.partners (tenant_id, partner_id, name, tier, active_since) VALUES ('00000000-0000-0000-0000-000000000000', '00000000-0000-0000-0000-0000000000a1', 'Ann', 'standard', '2024-01-01');
        UPDATE fleet.tickets SET opened_at = '2024-01-08', partner_id = '00000000-0000-0000-0000-0000000000a1', escalation_level = 1").await;
    let edited = send(
        &api,
        &key,
        Method::PATCH,
        &path,
        json!({ "priority": "low" }),
    )
    .await;
    let edited = edited.ok();
    assert_eq!(
        pick(&edited, ["status", "assigned_to", "clocks/0/state"]),
        json!(["escalated", "admin", "breached"])
    );
    for (barred, resolved) in [(1, true), (0, false)] {
        let open = "SELECT count(*) FROM fleet.partner_escalations WHERE closed_at IS NULL";
        assert_eq!(api.db.number(open).await, barred);
        let change = json!({ "resolved": resolved });
        send(&api, &key, Method::PATCH, &path, change).await.ok();
    }
    let outcomes = "SELECT count(*) FROM fleet.sla_outcomes WHERE NOT met";
    assert_eq!(api.db.number(outcomes).await, 1);
}

#[tokio::test]
async fn tickets_are_listed_by_page_and_filter() {
    let (api, key) = office().await;
    for _ in 0..5 {
        ticket(&api, &key).await;
    }
    let path = ticket(&api, &key).await;
    send(
        &api,
        &key,
        Method::PATCH,
        &path,
        json!({ "priority": "high" }),
    )
    .await
    .ok();
    let first = api
        .get_as(&key, "/v1/tickets?limit=4&status=live")
        .await
        .ok();
    assert_eq!(first["tickets"].as_array().unwrap().len(), 4);
    let next = format!(
        "/v1/tickets?limit=4&cursor={}",
        first["next_cursor"].as_str().unwrap()
    );
    let second = api.get_as(&key, &next).await.ok();
    assert_eq!(
        (
            second["tickets"].as_array().unwrap().len(),
            &second["next_cursor"]
        ),
        (2, &Value::Null)
    );
    for (query, count) in [
        ("priority=high", 1),
        ("assigned_to=tier1", 6),
        ("status=resolved", 0),
        ("needs_review=false", 6),
        ("category=none", 0),
    ] {
        let page = api.get_as(&key, &format!("/v1/tickets?{query}")).await.ok();
        assert_eq!(page["tickets"].as_array().unwrap().len(), count, "{query}");
    }
    api.get_as(&key, "/v1/tickets?priority=urgent")
        .await
        .refused(400, "malformed", Some("priority"));
}

#[tokio::test]
async fn another_tenant_finds_nothing_and_changes_nothing() {
    let (api, key) = office().await;
    let path = ticket(&api, &key).await;
    let theirs = api
        .key(
            Some(Uuid::from_u128(9)),
            &[
                Scope::JobsEnqueue,
                Scope::JobsRead,
                Scope::JobsManage,
                Scope::Ingest,
            ],
        )
        .await;
    api.get_as(&theirs, &path)
        .await
        .refused(404, "not_found", None);
    send(
        &api,
        &theirs,
        Method::PATCH,
        &path,
        json!({ "resolved": true }),
    )
    .await
    .refused(404, "not_found", None);
    let said = api
        .post_as(
            &theirs,
            &format!("{path}/messages"),
            json!({ "author": "customer", "body": "x" }),
        )
        .await;
    said.refused(404, "not_found", None);
    let taken = api
        .post_as(
            &theirs,
            "/v1/tickets",
            json!({ "client_id": CLIENT, "body": "x" }),
        )
        .await;
    taken.refused(422, "invalid_field", Some("client_id"));
    assert_eq!(
        api.get_as(&theirs, "/v1/tickets").await.ok()["tickets"],
        json!([])
    );
    for path in [
        "/v1/business-hours",
        "/v1/holidays",
        "/v1/kb/articles",
        "/v1/triage/settings",
    ] {
        let foreign = format!("{path}?tenant_id={TENANT}");
        api.get_as(&theirs, &foreign)
            .await
            .refused(403, "other_tenant", Some("tenant_id"));
    }
    let reader = api.key(Some(TENANT), &[Scope::JobsRead]).await;
    let refused = send(
        &api,
        &reader,
        Method::PATCH,
        &path,
        json!({ "resolved": true }),
    )
    .await;
    assert_eq!(refused.body["code"], "missing_scope");
    let unchanged = "SELECT count(*) FROM fleet.tickets WHERE status = 'open' AND version = 1";
    assert_eq!(api.db.number(unchanged).await, 1);
}

#[tokio::test]
async fn tickets_come_in_by_the_file() {
    let (api, key) = office().await;
    let lines = [
        format!(r#"{{"client_id": "{CLIENT}", "body": "one", "external_id": "1"}}"#),
        "gibberish".into(),
        format!(
            r#"{{"client_id": "{CLIENT}", "body": "two", "tenant_id": "{}"}}"#,
            Uuid::from_u128(9)
        ),
    ];
    let request = api
        .request(Method::POST, "/v1/ingest/tickets")
        .bearer_auth(&key);
    let reply = api
        .send(
            request
                .header("content-type", "application/x-ndjson")
                .body(lines.join("\n")),
        )
        .await
        .ok();
    assert_eq!(
        pick(
            &reply,
            [
                "read",
                "created",
                "refused",
                "refusals/0/line",
                "refusals/1/field"
            ]
        ),
        json!([3, 1, 2, 2, "tenant_id"])
    );
    let jobs = "SELECT count(*) FROM fleet.job WHERE kind = 'triage.ticket'";
    assert_eq!(api.db.number(jobs).await, 1);
    let request = api
        .request(Method::POST, "/v1/ingest/tickets")
        .bearer_auth(&key);
    let reply = api
        .send(
            request
                .header("content-type", "text/csv")
                .body("client_id\nx"),
        )
        .await;
    reply.refused(422, "invalid_header", Some("header"));
}
