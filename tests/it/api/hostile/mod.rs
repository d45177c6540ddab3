//! Hostile input over the whole API: every operation of the OpenAPI document, every parameter, every field of a body that works.
//!
//! Whatever is sent, the answer is no 5xx; a refusal is a problem with a code, and names what was wrong.

mod bodies;

use reqwest::Method;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use self::bodies::bodies;
use super::served::{Reply, Served, job};

/// What to put into a path or a query, as it stands in the address.
const WORDS: [&str; 16] = [
    "%00",
    "a%00b",
    "%ff",
    "%F0%9F%90%9F",
    "-1",
    "0",
    "99999999999999999999",
    "1e309",
    "NaN",
    "null",
    "true",
    "..%2F..%2Fetc",
    "%27%3B--",
    "2026-02-30T00:00:00Z",
    "%2B999999-01-01T00:00:00Z",
    "00000000-0000-0000-0000-00000000000g",
];

/// What to put into a field.
fn values() -> Vec<Value> {
    let mut deep = json!(1);
    for _ in 0..100 {
        deep = json!([deep]);
    }
    let mut values = vec![
        json!(null),
        json!(true),
        json!([]),
        json!({}),
        json!({ "a\u{0}": 1 }),
        json!(""),
        json!("a\u{0}b"),
        json!(-1),
        json!(0),
        json!(0.5),
        json!(1e300),
        json!(i64::MIN),
        json!(u64::MAX),
        json!(i32::MAX),
        json!("\u{202e}\u{1f41f}"),
        json!("9999-12-31T23:59:59Z"),
        json!("+262000-01-01T00:00:00Z"),
        json!("-0001-01-01"),
        json!("9999-12-31"),
        json!([null, "", "\u{0}"]),
        json!(vec!["x"; 30]),
    ];
    values.extend([
        deep,
        json!("x".repeat(100_000)),
        json!("0 0 30 2 *"),
        json!("Europe/Atlantis"),
    ]);
    values
}

/// Checks an answer: success, or a problem that names what was wrong where it was the input.
fn judge(reply: &Reply, sent: &str) {
    let status = reply.status.as_u16();
    let told = format!("{sent}: {status} {:#}", reply.body);
    assert!(status < 500, "{told}");
    if status < 400 {
        return;
    }
    assert!(
        reply.body["code"].is_string() && reply.body["detail"].is_string(),
        "{told}"
    );
    let about_input = [
        "invalid_field",
        "invalid_value",
        "invalid_payload",
        "malformed",
    ];
    if about_input.iter().any(|code| reply.body["code"] == *code) {
        assert!(reply.body["field"].is_string(), "{told}");
    }
}

fn short(text: &str) -> String {
    text.chars().take(200).collect()
}

#[tokio::test]
async fn no_path_and_no_query_gets_a_5xx() {
    let api = Served::start().await;
    let document = fleet_control_api::document();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let method: Method = method.to_uppercase().parse().unwrap();
            for address in addresses(path, operation) {
                let request = api
                    .request(method.clone(), &address)
                    .bearer_auth(&api.admin);
                judge(&api.send(request).await, &format!("{method} {address}"));
            }
        }
    }
}

/// Every parameter with every word in turn, and one parameter that no route has.
fn addresses(path: &str, operation: &Value) -> Vec<String> {
    let id = Uuid::nil().to_string();
    let filled = |word: &str| -> String {
        let parts = path
            .split('/')
            .map(|part| if part.starts_with('{') { word } else { part });
        parts.collect::<Vec<_>>().join("/")
    };
    let mut addresses: Vec<String> = WORDS.map(filled).to_vec();
    addresses.push(format!("{}?bogus=1", filled(&id)));
    let parameters = operation["parameters"].as_array().into_iter().flatten();
    for parameter in parameters.filter(|parameter| parameter["in"] == "query") {
        let name = parameter["name"].as_str().unwrap();
        // A wait is a wait: a good one only takes time.
        let words = WORDS.iter().filter(|word| name != "wait" || **word != "0");
        addresses.extend(words.map(|word| format!("{}?{name}={word}", filled(&id))));
    }
    addresses
}

#[tokio::test]
async fn a_parameter_that_no_route_has_is_refused_by_its_name() {
    let api = Served::start().await;
    for (path, detail) in [
        ("/v1/pauses?limit=5", "this route has none"),
        ("/v1/jobs?stat=running", "did you mean state?"),
        ("/v1/queues/default?a=1", "this route has none"),
    ] {
        let reply = api.get(path).await;
        let (_, query) = path.split_once('?').unwrap();
        let (name, _) = query.split_once('=').unwrap();
        reply.refused(400, "malformed", Some(name));
        assert!(
            reply.body["detail"].as_str().unwrap().ends_with(detail),
            "{:#}",
            reply.body
        );
    }
    api.get("/v1/jobs?limit=5&state=running").await.ok();
}

/// The body with each of its fields, however deep, replaced by `value`.
fn spoiled(body: &Value, value: &Value) -> Vec<Value> {
    let mut all = vec![value.clone()];
    match body {
        Value::Object(fields) => {
            for (name, field) in fields {
                for worse in spoiled(field, value) {
                    let mut fields: Map<String, Value> = fields.clone();
                    fields.insert(name.clone(), worse);
                    all.push(fields.into());
                }
            }
        }
        Value::Array(items) => {
            for (place, item) in items.iter().enumerate() {
                for worse in spoiled(item, value) {
                    let mut items = items.clone();
                    items[place] = worse;
                    all.push(items.into());
                }
            }
        }
        _ => {}
    }
    all
}

#[tokio::test]
async fn no_field_of_any_body_gets_a_5xx() {
    let api = Served::start().await;
    let id = api
        .enqueue(json!({ "run_at": "2999-01-01T00:00:00Z" }))
        .await;
    for (method, path, body) in bodies(&id) {
        for value in values() {
            for worse in spoiled(&body, &value) {
                let request = api.request(method.clone(), &path).bearer_auth(&api.admin);
                let reply = api.send(request.json(&worse)).await;
                let sent = format!("{method} {path} {}", short(&worse.to_string()));
                judge(&reply, &sent);
                judge_items(&reply, &sent);
            }
        }
    }
}

/// In a batch each job has an answer of its own.
fn judge_items(reply: &Reply, sent: &str) {
    let results = reply.body["results"].as_array().into_iter().flatten();
    for error in results.filter_map(|item| item.get("error")) {
        assert!(
            error["code"].is_string() && error["code"] != "internal",
            "{sent}: {error}"
        );
        assert!(
            error["field"].is_string() || error["code"] == "malformed_json",
            "{sent}: {error}"
        );
    }
}

#[tokio::test]
async fn text_that_is_no_good_json_is_told_as_that() {
    let api = Served::start().await;
    let nested = format!(
        "{{\"kind\": \"toys.paint\", \"payload\": {}{}}}",
        "[".repeat(5_000),
        "]".repeat(5_000)
    );
    for (text, code) in [
        (
            r#"{"kind": "toys.paint", "payload": {"colour": "\ud800"}}"#,
            "malformed_json",
        ),
        (
            r#"{"kind": "toys.paint", "payload": {"colour": "\udc00\ud800"}}"#,
            "malformed_json",
        ),
        (
            r#"{"kind": "toys.paint", "payload": {"coats": 1e999}}"#,
            "malformed_json",
        ),
        (
            r#"{"kind": "toys.paint", "kind": "toys.paint", "payload": {}}"#,
            "invalid_field",
        ),
        (&nested, "malformed_json"),
        ("\u{feff}{}", "malformed_json"),
        ("{\"kind\": \"toys.paint\u{1}\"}", "malformed_json"),
    ] {
        let request = api
            .request(Method::POST, "/v1/jobs")
            .bearer_auth(&api.admin);
        let request = request
            .header("content-type", "application/json")
            .body(text.to_owned());
        let reply = api.send(request).await;
        assert_eq!(
            reply.body["code"],
            code,
            "{}: {:#}",
            short(text),
            reply.body
        );
        assert!(reply.status.is_client_error());
    }
    let batch = format!("{{\"jobs\": [{nested}, {}]}}", job(json!({})));
    let request = api
        .request(Method::POST, "/v1/jobs/batch")
        .bearer_auth(&api.admin);
    let request = request
        .header("content-type", "application/json")
        .body(batch);
    let answer = api.send(request).await.ok();
    assert_eq!(
        (&answer["created"], &answer["errors"]),
        (&json!(1), &json!(1))
    );
}

#[tokio::test]
async fn no_header_gets_a_5xx() {
    let api = Served::start().await;
    for name in [
        "idempotency-key",
        "traceparent",
        "x-request-id",
        "content-type",
        "if-match",
        "if-none-match",
        "authorization",
    ] {
        for value in [
            &b""[..],
            b"\xff\xfe",
            b"\xf0\x9f\x90\x9f",
            &[b'x'; 5_000],
            b"\"-1\"",
            b"00-0-0-0",
        ] {
            let value = reqwest::header::HeaderValue::from_bytes(value).unwrap();
            let post = api
                .request(Method::POST, "/v1/jobs")
                .bearer_auth(&api.admin);
            let post = post.json(&job(json!({}))).header(name, value.clone());
            judge(&api.send(post).await, name);
            let body =
                json!({ "kind": "toys.paint", "payload": { "colour": "red" }, "cron": "@daily" });
            let put = api
                .request(Method::PUT, "/v1/schedules/s")
                .bearer_auth(&api.admin);
            judge(&api.send(put.json(&body).header(name, value)).await, name);
        }
    }
}
