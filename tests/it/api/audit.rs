//! I13: whatever changes something leaves a row that nobody can alter.

use fleet_control_api::Scope;
use fleet_queue::WorkerId;
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use super::served::{Served, job, painter};

/// What can be done that changes something, in an order that works.
fn every_action(id: &str, tenant: Uuid, worker: WorkerId) -> Vec<(Method, String, Value)> {
    vec![
        (
            Method::POST,
            format!("/v1/jobs/{id}/reschedule"),
            json!({ "run_at": "2998-01-01T00:00:00Z" }),
        ),
        (
            Method::POST,
            format!("/v1/jobs/{id}/reprioritize"),
            json!({ "priority": 1 }),
        ),
        (
            Method::POST,
            format!("/v1/jobs/{id}/cancel"),
            json!({ "reason": "wrong colour" }),
        ),
        (
            Method::POST,
            format!("/v1/jobs/{id}/retry"),
            json!({ "reason": "right after all" }),
        ),
        (
            Method::POST,
            "/v1/jobs/batch".into(),
            json!({ "jobs": [job(json!({}))] }),
        ),
        (
            Method::PATCH,
            "/v1/queues/default".into(),
            json!({ "max_depth": 9 }),
        ),
        (
            Method::POST,
            "/v1/queues/default/pause".into(),
            json!({ "reason": "rain" }),
        ),
        (Method::POST, "/v1/queues/default/resume".into(), json!({})),
        (Method::PUT, "/v1/limits/l".into(), json!({ "cap": 1 })),
        (Method::DELETE, "/v1/limits/l".into(), json!({})),
        (
            Method::PUT,
            format!("/v1/tenants/{tenant}/weight"),
            json!({ "weight": 3 }),
        ),
        (
            Method::POST,
            format!("/v1/workers/{}/drain", worker),
            json!({}),
        ),
    ]
}

#[tokio::test]
async fn every_changing_action_leaves_a_row_with_who_what_and_why() {
    let api = Served::start().await;
    let hand = painter(&api.db).await;
    let tenant = Uuid::new_v4();
    let id = api
        .enqueue(json!({ "tenant_id": tenant, "run_at": "2999-01-01T00:00:00Z" }))
        .await;
    for (method, path, body) in every_action(&id, tenant, hand.id) {
        let request = api.request(method, &path).bearer_auth(&api.admin);
        api.send(request.json(&body)).await.ok();
    }

    let told = api.db.text("SELECT string_agg(concat_ws(' ', action, subject, reason), E'\\n' ORDER BY id) FROM fleet.audit").await;
    let expected = format!(
        "jobs.enqueue\njobs.reschedule\njobs.reprioritize\njobs.cancel wrong colour\njobs.retry right after all\njobs.enqueue\nqueues.change default\n\
         pauses.pause default rain\npauses.resume default\nlimits.set l\nlimits.remove l\ntenants.weigh {tenant}\nworkers.drain {}",
        hand.id
    );
    assert_eq!(told, expected);
    let whole = "SELECT count(*) FROM fleet.audit WHERE key_name = 'first admin' AND request_ids[1] <> '' AND at IS NOT NULL";
    assert_eq!(api.db.number(whole).await, 13);
    let of_job = "SELECT count(*) FROM fleet.audit WHERE $1 = ANY (jobs) AND tenant_id = $2";
    let of_job = sqlx::query_scalar::<_, i64>(of_job).bind(id.parse::<Uuid>().unwrap());
    assert_eq!(
        of_job.bind(tenant).fetch_one(&api.db.pool).await.unwrap(),
        5
    );
}

#[tokio::test]
async fn what_was_refused_leaves_no_row_and_the_request_id_is_the_callers() {
    let api = Served::start().await;
    let id = api.enqueue(json!({})).await;
    let reader = api.key(None, &[Scope::JobsRead]).await;
    api.post_as(&reader, &format!("/v1/jobs/{id}/cancel"), json!({}))
        .await
        .refused(403, "missing_scope", None);
    api.post(
        &format!("/v1/jobs/{id}/reprioritize"),
        json!({ "priority": 7 }),
    )
    .await
    .refused(422, "invalid_field", Some("priority"));
    assert_eq!(api.db.number("SELECT count(*) FROM fleet.audit").await, 1);

    let request = api
        .request(Method::POST, &format!("/v1/jobs/{id}/cancel"))
        .bearer_auth(&api.admin);
    let reply = api.send(request.header("x-request-id", "portal-77")).await;
    assert_eq!(reply.header("x-request-id"), Some("portal-77"));
    assert_eq!(
        api.db
            .text("SELECT request_ids[1] FROM fleet.audit ORDER BY id DESC LIMIT 1")
            .await,
        "portal-77"
    );
}

#[tokio::test]
async fn nobody_alters_the_audit_not_even_the_owner() {
    let api = Served::start().await;
    api.enqueue(json!({})).await;
    for sql in [
        "UPDATE fleet.audit SET reason = 'nothing'",
        "DELETE FROM fleet.audit",
        "TRUNCATE fleet.audit",
    ] {
        let error = sqlx::query(sql).execute(&api.db.pool).await.expect_err(sql);
        assert_eq!(
            error.as_database_error().unwrap().code().as_deref(),
            Some("FL013")
        );
    }
    assert_eq!(api.db.number("SELECT count(*) FROM fleet.audit").await, 1);
}
