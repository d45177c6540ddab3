//! The OpenAPI document: whole, true, and its page needs nothing from elsewhere.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::Value;

use super::served::Served;

fn references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            if let Some(target) = fields.get("$ref").and_then(Value::as_str) {
                found.insert(target.to_owned());
            }
            fields.values().for_each(|field| references(field, found));
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

fn operations(document: &Value) -> Vec<(Method, String, &Value)> {
    let paths = document["paths"].as_object().unwrap();
    let methods = paths.iter().flat_map(|(path, item)| {
        item.as_object()
            .unwrap()
            .iter()
            .map(move |(method, operation)| (method, path, operation))
    });
    methods
        .map(|(method, path, operation)| {
            (
                method.to_uppercase().parse().unwrap(),
                path.clone(),
                operation,
            )
        })
        .collect()
}

#[tokio::test]
async fn every_reference_leads_somewhere_and_every_operation_is_described() {
    let api = Served::start().await;
    let document = api.get("/openapi.json").await.ok();
    assert_eq!(document["openapi"], "3.1.0");
    assert_eq!(document, fleet_control_api::document());
    let mut found = BTreeSet::new();
    references(&document, &mut found);
    assert!(found.len() > 20);
    for target in found {
        let pointer = target
            .strip_prefix('#')
            .expect("no reference leads elsewhere");
        assert!(
            document.pointer(pointer).is_some(),
            "{target} leads nowhere"
        );
    }
    let mut ids = BTreeSet::new();
    for (method, path, operation) in operations(&document) {
        let id = operation["operationId"].as_str().unwrap_or_default();
        assert!(
            ids.insert(id.to_owned()) && !id.is_empty(),
            "{method} {path} needs an id of its own"
        );
        assert!(
            operation["summary"].is_string(),
            "{method} {path} has no summary"
        );
        assert!(
            operation["responses"]["default"].is_object(),
            "{method} {path} tells of no problem"
        );
    }
}

/// Nothing is open by mistake: every documented operation refuses who has no key, but for the two that watch the process.
#[tokio::test]
async fn every_operation_is_closed_without_a_key() {
    let api = Served::start().await;
    let document = fleet_control_api::document();
    let operations = operations(&document);
    assert!(operations.len() >= 35, "{} operations", operations.len());
    let mut open = Vec::new();
    for (method, path, _) in operations {
        let filled = path
            .replace("{id}", "0191a0a0-0000-7000-8000-000000000000")
            .replace(['{', '}'], "");
        let reply = api.send(api.request(method, &filled)).await;
        if reply.status.as_u16() == 401 {
            continue;
        }
        open.push(path);
    }
    assert_eq!(open, ["/healthz", "/readyz"]);
    api.send(api.request(Method::GET, "/metrics"))
        .await
        .refused(401, "unauthorized", Some("authorization"));
}

/// Where an operation's path leads in a test: to a job that is there, else to something that may be.
fn fill(path: &str, job: &str) -> String {
    let id = if path.starts_with("/v1/jobs/") {
        job
    } else {
        "0191a0a0-0000-7000-8000-000000000000"
    };
    path.replace("{id}", id)
        .replace("{board}", "0191a0a0-0000-7000-8000-000000000000")
        .replace("{kind}", "leaderboard.refresh")
        .replace("{name}", "example")
}

#[tokio::test]
async fn every_body_has_an_example_that_is_taken_as_it_stands() {
    let api = Served::start_serving(fleet_jobs::registry()).await;
    let waiting = serde_json::json!({ "kind": "leaderboard.prune", "payload": {}, "run_at": "2999-01-01T00:00:00Z" });
    let job = api.post("/v1/jobs", waiting).await.ok()["id"].clone();
    // The client whose ticket the example is.
    api.db.execute("INSERT INTO fleet.clients (tenant_id, client_id, name, active_since) VALUES ('00000000-0000-0000-0000-000000000000', '6f1c7a52-93b0-4f0e-8a57-2f4c1d3be901', 'Acme', '2024-01-01')").await;
    let document = fleet_control_api::document();
    let mut sent = 0;
    for (method, path, operation) in operations(&document) {
        let Some(content) = operation["requestBody"]["content"].get("application/json") else {
            continue;
        };
        let example = content.get("example");
        let example = example.unwrap_or_else(|| panic!("{method} {path} has no example"));
        let filled = fill(&path, job.as_str().unwrap());
        let request = api.request(method, &filled).bearer_auth(&api.admin);
        let reply = api.send(request.json(example)).await;
        let status = reply.status.as_u16();
        assert!(
            ![400, 415, 422].contains(&status) && status < 500,
            "{path}: {:#}",
            reply.body
        );
        assert!(
            reply.body["errors"]
                .as_u64()
                .is_none_or(|errors| errors == 0),
            "{path}: {:#}",
            reply.body
        );
        sent += 1;
    }
    assert!(sent >= 20, "{sent} bodies");
}

#[tokio::test]
async fn the_page_fetches_nothing_from_elsewhere() {
    let api = Served::start().await;
    let page = reqwest::Client::builder()
        .build()
        .unwrap()
        .get(format!("{}/docs/", api.base))
        .send()
        .await
        .unwrap();
    assert!(page.status().is_success());
    let html = page.text().await.unwrap();
    assert!(html.contains("swagger-ui"));
    let fetched: Vec<_> = html
        .split(['"', '\''])
        .filter(|text| text.starts_with("http") || text.starts_with("//"))
        .collect();
    assert!(fetched.is_empty(), "the page fetches {fetched:?}");
}

#[tokio::test]
async fn kinds_come_with_a_schema_that_their_example_fits() {
    let api = Served::start().await;
    let kinds = api.get("/v1/kinds").await.ok();
    let kind = &kinds["kinds"][0];
    assert_eq!(
        (
            kind["kind"].as_str(),
            kind["queue"].as_str(),
            kind["max_attempts"].as_i64()
        ),
        (Some("toys.paint"), Some("default"), Some(20))
    );
    assert_eq!(kind["schema"]["properties"]["colour"]["type"], "string");
    let body = serde_json::json!({ "kind": kind["kind"], "payload": kind["example"] });
    api.post("/v1/jobs", body).await.ok();
    assert_eq!(&api.get("/v1/kinds/toys.paint").await.ok(), kind);
}
