//! Labelled texts and models over HTTP: bad rows named, tenants kept apart, predictions downloaded.

use fleet_control_api::Scope;
use reqwest::{Method, StatusCode};
use serde_json::json;
use uuid::Uuid;

use super::served::{Reply, Served, pick};

const TENANT: Uuid = Uuid::from_u128(0x7e7a);
const DATASETS: &str = "/v1/triage/datasets";

async fn bring(api: &Served, key: &str, query: &str, csv: impl Into<reqwest::Body>) -> Reply {
    let path = format!("{DATASETS}{query}");
    let request = api.request(Method::POST, &path).bearer_auth(key);
    api.send(request.header("content-type", "text/csv").body(csv))
        .await
}

#[tokio::test]
async fn labelled_texts_come_in_and_bad_rows_are_named() {
    let api = Served::start().await;
    let csv = "label,text,source\nrefund,\"money, back\",a\nbug,,b\n__oos__,hello,c\nbug\n";
    let reply = bring(&api, &api.admin, "?name=spring", csv).await;
    assert_eq!(reply.status, StatusCode::CREATED, "{}", reply.body);
    assert_eq!(
        pick(
            &reply.body,
            [
                "name",
                "rows",
                "labels",
                "refused",
                "bad/0/line",
                "bad/0/field"
            ]
        ),
        json!(["spring", 2, 2, 2, 3, "text"])
    );
    let id = reply.body["id"].as_str().unwrap().to_owned();
    let listed = api.get(DATASETS).await.ok();
    assert_eq!(listed["datasets"][0]["dataset_id"], id.as_str());
    let one = api.get(&format!("{DATASETS}/{id}")).await.ok();
    assert_eq!(pick(&one, ["name", "rows"]), json!(["spring", 2]));
    let kept = "SELECT string_agg(position || ' ' || label || ' ' || text, '; ' ORDER BY position) FROM fleet.triage_examples";
    assert_eq!(
        api.db.text(kept).await,
        "1 refund money, back; 2 __oos__ hello"
    );
    let audited = "SELECT count(*) FROM fleet.audit WHERE action = 'triage.dataset_create' AND detail->>'rows' = '2'";
    assert_eq!(api.db.number(audited).await, 1);

    let gone = api.request(Method::DELETE, &format!("{DATASETS}/{id}"));
    let gone = api.send(gone.bearer_auth(&api.admin)).await;
    assert_eq!(gone.status, StatusCode::NO_CONTENT);
    assert_eq!(
        api.db
            .number("SELECT count(*) FROM fleet.triage_examples")
            .await,
        0
    );
    api.get(&format!("{DATASETS}/{id}"))
        .await
        .refused(404, "not_found", None);
}

#[tokio::test]
async fn what_is_no_dataset_is_refused_by_what_is_wrong() {
    let api = Served::start().await;
    let refused = async |query, csv: &'static str| bring(&api, &api.admin, query, csv).await;
    refused("", "")
        .await
        .refused(422, "invalid_header", Some("header"));
    refused("", "a,b\n1,2\n")
        .await
        .refused(422, "invalid_header", Some("header"));
    refused("", "text,label\n,\n")
        .await
        .refused(422, "invalid_field", Some("body"));
    refused("?name=", "text,label\na,b\n")
        .await
        .refused(422, "invalid_field", Some("name"));
    refused("?nmae=x", "text,label\na,b\n")
        .await
        .refused(400, "malformed", Some("nmae"));
    let rows = "text,label\n".to_owned() + &"a,b\n".repeat(100_001);
    bring(&api, &api.admin, "", rows)
        .await
        .refused(413, "payload_too_large", None);
    let json = api.request(Method::POST, DATASETS).bearer_auth(&api.admin);
    let json = api.send(json.json(&json!({ "text": "a" }))).await;
    json.refused(415, "unsupported_media_type", Some("content-type"));
    assert_eq!(
        api.db
            .number("SELECT count(*) FROM fleet.triage_datasets")
            .await,
        0
    );
}

#[tokio::test]
async fn tenants_see_only_their_own_texts_models_and_evaluations() {
    let api = Served::start().await;
    let mine = api
        .key(Some(TENANT), &[Scope::Ingest, Scope::JobsRead])
        .await;
    let reply = bring(&api, &mine, "", "text,label\na,b\n").await;
    let id = reply.body["id"].as_str().unwrap().to_owned();
    let owner = "SELECT tenant_id::text FROM fleet.triage_datasets";
    assert_eq!(api.db.text(owner).await, TENANT.to_string());
    let other = Uuid::from_u128(9);
    let theirs = api
        .key(Some(other), &[Scope::Ingest, Scope::JobsRead])
        .await;
    bring(
        &api,
        &theirs,
        &format!("?tenant_id={TENANT}"),
        "text,label\na,b\n",
    )
    .await
    .refused(403, "other_tenant", Some("tenant_id"));
    for path in [DATASETS, "/v1/triage/models", "/v1/triage/evaluations"] {
        let listed = api.get_as(&theirs, path).await.ok();
        let rows: Vec<_> = listed.as_object().unwrap().values().collect();
        assert_eq!(rows, [&json!([])], "{path}");
    }
    let one = format!("{DATASETS}/{id}");
    api.get_as(&theirs, &one)
        .await
        .refused(404, "not_found", None);
    let gone = api.request(Method::DELETE, &one).bearer_auth(&theirs);
    api.send(gone).await.refused(404, "not_found", None);
    let reader = api.key(Some(TENANT), &[Scope::JobsRead]).await;
    bring(&api, &reader, "", "text,label\na,b\n")
        .await
        .refused(403, "missing_scope", None);
}

#[tokio::test]
async fn what_people_said_becomes_a_dataset_of_their_tenant() {
    let api = Served::start().await;
    let ingest = [Scope::Ingest];
    let key = api.key(Some(TENANT), &ingest).await;
    let ask = async |key: &str, body| {
        let path = format!("{DATASETS}/reviewed");
        let request = api.request(Method::POST, &path).bearer_auth(key);
        api.send(request.json(&body)).await
    };
    let body = json!({ "name": "answers" });
    ask(&key, body.clone())
        .await
        .refused(409, "nothing_reviewed", None);
    let said = "INSERT INTO fleet.triage_labels (tenant_id, ticket_id, revision, text, label, source) VALUES
        ('00000000-0000-0000-0000-000000007e7a', gen_random_uuid(), 1, 'pay me back', 'refund', 'approved'),
        ('00000000-0000-0000-0000-000000007e7a', gen_random_uuid(), 3, 'it crashes', 'bug', 'edited')";
    api.db.execute(said).await;
    let made = ask(&key, body.clone()).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
    assert_eq!(
        pick(&made.body, ["name", "rows", "labels"]),
        json!(["answers", 2, 2])
    );
    let owner = "SELECT tenant_id::text FROM fleet.triage_datasets";
    assert_eq!(api.db.text(owner).await, TENANT.to_string());
    let later = json!({ "name": "answers", "since": "2200-01-01T00:00:00Z" });
    ask(&key, later)
        .await
        .refused(409, "nothing_reviewed", None);
    let shipped = json!({ "name": "more", "with_shipped": true });
    assert_eq!(ask(&key, shipped).await.body["labels"], 12);
    let theirs = api.key(Some(Uuid::from_u128(9)), &ingest).await;
    ask(&theirs, body)
        .await
        .refused(409, "nothing_reviewed", None);
    ask(&theirs, json!({ "name": "x", "tenant_id": TENANT }))
        .await
        .refused(403, "other_tenant", Some("tenant_id"));
    ask(&key, json!({ "name": "" }))
        .await
        .refused(422, "invalid_field", Some("name"));
}

const EVALUATED: &str = "
    INSERT INTO fleet.triage_datasets (tenant_id, dataset_id, name, rows, labels, refused, created_by)
    VALUES ('00000000-0000-0000-0000-000000007e7a', md5('d')::uuid, 'd', 12000, 1, 0, 't');
    INSERT INTO fleet.triage_examples SELECT '00000000-0000-0000-0000-000000007e7a', md5('d')::uuid, n, 'say \"' || n || '\", please', 'refund' FROM generate_series(1, 12000) n;
    INSERT INTO fleet.triage_evaluations (tenant_id, evaluation_id, model_version, dataset_id, metrics)
    VALUES ('00000000-0000-0000-0000-000000007e7a', md5('e')::uuid, md5('m')::uuid, md5('d')::uuid, '{\"accuracy\": 0.5}');
    INSERT INTO fleet.triage_predictions SELECT '00000000-0000-0000-0000-000000007e7a', md5('e')::uuid, n, 'bug', 0.25 FROM generate_series(1, 12000) n";

#[tokio::test]
async fn predictions_are_downloaded_whole_and_in_order() {
    let api = Served::start().await;
    api.db.execute(EVALUATED).await;
    let id = api.db.text("SELECT md5('e')::uuid::text").await;
    let path = format!("/v1/triage/evaluations/{id}");
    assert_eq!(api.get(&path).await.ok()["metrics"]["accuracy"], 0.5);
    let request = api.request(Method::GET, &format!("{path}.csv"));
    let answer = request.bearer_auth(&api.admin).send().await.unwrap();
    assert_eq!(answer.headers()["content-type"], "text/csv; charset=utf-8");
    let text = answer.text().await.unwrap();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 12_001);
    assert_eq!(lines[0], "text,label,predicted,confidence");
    assert_eq!(
        lines[12_000],
        r#""say ""12000"", please",refund,bug,0.250000"#
    );
    let theirs = api.key(Some(Uuid::from_u128(9)), &[Scope::JobsRead]).await;
    for path in [
        path.clone(),
        format!("{path}.csv"),
        "/v1/triage/evaluations/x".to_owned(),
    ] {
        api.get_as(&theirs, &path)
            .await
            .refused(404, "not_found", None);
    }
}
