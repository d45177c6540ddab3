//! I12: no tenant sees or touches another's rows, by any route, nor by SQL as the API's role.

use fleet_control_api::Scope;
use fleet_tests::hand::settle_one;
use reqwest::Method;
use serde_json::json;
use sqlx::Row;
use uuid::Uuid;

use super::served::{Served, job, painter};
use fleet_queue::Outcome;

#[tokio::test]
async fn another_tenants_job_is_as_if_it_were_not_there() {
    let api = Served::start().await;
    let (one, two) = (
        api.tenant_key(Uuid::new_v4()).await,
        api.tenant_key(Uuid::new_v4()).await,
    );
    let mut hand = painter(&api.db).await;
    let ended = api.enqueue_as(&two, json!({})).await;
    let claimed = hand.take(&api.db).await;
    settle_one(&api.db, claimed, Outcome::Cancelled { reason: None }).await;
    let waiting = api.enqueue_as(&two, json!({})).await;

    for id in [&waiting, &ended] {
        for part in [
            "",
            "/attempts",
            "/logs",
            "/steps",
            "/why",
            "/result",
            "/result?wait=1s",
        ] {
            api.get_as(&one, &format!("/v1/jobs/{id}{part}"))
                .await
                .refused(404, "not_found", None);
            api.get_as(&two, &format!("/v1/jobs/{id}{part}")).await.ok();
        }
        for (verb, body) in [
            ("cancel", json!({})),
            ("retry", json!({})),
            ("reschedule", json!({ "run_at": "2999-01-01T00:00:00Z" })),
            ("reprioritize", json!({ "priority": 0 })),
        ] {
            api.post_as(&one, &format!("/v1/jobs/{id}/{verb}"), body)
                .await
                .refused(404, "not_found", None);
        }
    }
    assert_eq!(api.get_as(&one, "/v1/jobs").await.ok()["jobs"], json!([]));
    assert_eq!(
        api.get_as(&two, "/v1/jobs").await.ok()["jobs"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    let state = api.get_as(&two, &format!("/v1/jobs/{waiting}")).await.ok();
    assert_eq!(
        (state["state"].as_str(), state["priority"].as_i64()),
        (Some("available"), Some(2))
    );
}

#[tokio::test]
async fn a_tenants_key_makes_and_names_only_its_own() {
    let api = Served::start().await;
    let (own, other) = (Uuid::new_v4(), Uuid::new_v4());
    let key = api.tenant_key(own).await;
    api.post_as(&key, "/v1/jobs", job(json!({ "tenant_id": other })))
        .await
        .refused(403, "other_tenant", Some("tenant_id"));
    api.get_as(&key, &format!("/v1/jobs?tenant_id={other}"))
        .await
        .refused(403, "other_tenant", Some("tenant_id"));
    let made = api.post_as(&key, "/v1/jobs", job(json!({}))).await.ok();
    assert_eq!(made["tenant_id"], json!(own));
    // A dependency on another tenant's job is told like one on a job that does not exist.
    let foreign = api.enqueue(json!({ "tenant_id": other })).await;
    let reply = api
        .post_as(&key, "/v1/jobs", job(json!({ "depends_on": [foreign] })))
        .await;
    reply.refused(422, "invalid_dependency", Some("depends_on"));
    assert!(
        reply.body["detail"]
            .as_str()
            .unwrap()
            .contains("does not exist")
    );
    // The same unique key of two tenants is two keys.
    let unique = json!({ "unique": { "key": "same" } });
    api.enqueue(json!({ "tenant_id": other, "unique": { "key": "same" } }))
        .await;
    api.enqueue_as(&key, unique).await;
}

#[tokio::test]
async fn what_concerns_all_tenants_takes_a_key_of_the_platform() {
    let api = Served::start().await;
    let key = api.tenant_key(Uuid::new_v4()).await;
    let id = Uuid::new_v4();
    let cases = [
        (Method::GET, "/v1/workers".to_owned(), json!(null)),
        (Method::GET, "/v1/limits".into(), json!(null)),
        (Method::GET, "/v1/system".into(), json!(null)),
        (Method::GET, "/v1/health".into(), json!(null)),
        (
            Method::PATCH,
            "/v1/queues/default".into(),
            json!({ "max_depth": 1 }),
        ),
        (
            Method::POST,
            "/v1/queues/default/pause".into(),
            json!({ "reason": "x" }),
        ),
        (
            Method::POST,
            "/v1/queues/default/resume".into(),
            json!(null),
        ),
        (
            Method::POST,
            "/v1/kinds/toys.paint/pause".into(),
            json!({ "reason": "x" }),
        ),
        (
            Method::POST,
            format!("/v1/tenants/{id}/pause"),
            json!({ "reason": "x" }),
        ),
        (
            Method::PUT,
            format!("/v1/tenants/{id}/weight"),
            json!({ "weight": 2 }),
        ),
        (Method::PUT, "/v1/limits/all".into(), json!({ "cap": 1 })),
        (Method::DELETE, "/v1/limits/all".into(), json!(null)),
        (Method::POST, format!("/v1/workers/{id}/drain"), json!({})),
    ];
    for (method, path, body) in cases {
        let request = api.request(method, &path).bearer_auth(&key).json(&body);
        api.send(request).await.refused(403, "platform_only", None);
    }
}

#[tokio::test]
async fn a_tenant_counts_only_its_own_jobs() {
    let api = Served::start().await;
    let key = api.tenant_key(Uuid::new_v4()).await;
    api.enqueue(json!({ "tenant_id": Uuid::new_v4() })).await;
    api.enqueue_as(&key, json!({})).await;
    api.enqueue_as(&key, json!({})).await;
    let depth = |reply: serde_json::Value| reply["depth"].as_i64();
    assert_eq!(
        depth(api.get_as(&key, "/v1/queues/default").await.ok()),
        Some(2)
    );
    assert_eq!(depth(api.get("/v1/queues/default").await.ok()), Some(3));
}

/// Gives each tenant a row in as many tables as a few requests can.
async fn live_a_little(api: &Served, tenants: [Uuid; 2]) {
    let mut hand = painter(&api.db).await;
    for tenant in tenants {
        let unique = json!({ "key": "w", "scope": "window", "window_s": 60 });
        api.enqueue(json!({ "tenant_id": tenant, "unique": unique }))
            .await;
        let claimed = hand.take(&api.db).await;
        let output = Some(json!(1));
        settle_one(&api.db, claimed, Outcome::Completed { output }).await;
        api.enqueue(json!({ "tenant_id": tenant })).await;
    }
}

/// Every table with a tenant that the API's role may read.
async fn readable_tables(api: &Served) -> Vec<String> {
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped
         WHERE c.relnamespace = 'fleet'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
           AND has_table_privilege('fleet_api', c.oid, 'SELECT') ORDER BY 1",
    )
    .fetch_all(&api.db.pool)
    .await
    .unwrap();
    assert!(
        tables.iter().any(|table| table == "job") && tables.iter().any(|table| table == "audit")
    );
    tables
}

/// By SQL, as the role that the API takes: whatever table has a tenant shows that tenant's rows only, and changes none of the others.
#[tokio::test]
async fn the_database_itself_refuses_other_tenants_rows() {
    let api = Served::start().await;
    let (own, other) = (Uuid::new_v4(), Uuid::new_v4());
    live_a_little(&api, [own, other]).await;
    let tables = readable_tables(&api).await;
    let mut tx = api.db.pool.begin().await.unwrap();
    sqlx::query(
        "SELECT set_config('role', 'fleet_api', true), set_config('fleet.tenant', $1, true)",
    )
    .bind(own.to_string())
    .execute(&mut *tx)
    .await
    .unwrap();
    for table in &tables {
        // The platform's exchange rates are nobody's secret: every tenant's money is compared by them. Nor are its policies: they hold for all.
        let foreign = match table.as_str() {
            "fx_rates" | "approval_policies" => {
                "tenant_id NOT IN ($1, '00000000-0000-0000-0000-000000000000')"
            }
            _ => "tenant_id <> $1",
        };
        let sql = format!("SELECT count(*) FILTER (WHERE {foreign}) FROM fleet.{table}");
        let foreign: i64 = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(own)
            .fetch_one(&mut *tx)
            .await
            .unwrap()
            .get(0);
        assert_eq!(foreign, 0, "{table} shows other tenants' rows");
    }
    let seen: i64 = sqlx::query_scalar("SELECT count(*) FROM fleet.job")
        .fetch_one(&mut *tx)
        .await
        .unwrap();
    assert_eq!(seen, 1, "its own rows it sees");
    for change in [
        "UPDATE fleet.job SET priority = 0 WHERE tenant_id = $1",
        "DELETE FROM fleet.job_history WHERE tenant_id = $1",
    ] {
        let touched = sqlx::query(change)
            .bind(other)
            .execute(&mut *tx)
            .await
            .unwrap()
            .rows_affected();
        assert_eq!(touched, 0, "{change}");
    }
    let stolen = sqlx::query("UPDATE fleet.job SET tenant_id = $1")
        .bind(other)
        .execute(&mut *tx)
        .await;
    assert!(stolen.is_err(), "a row was given to another tenant");
}

#[tokio::test]
async fn the_apis_role_reaches_no_partition_no_key_and_nobody_elses_controls() {
    let api = Served::start().await;
    let reachable: Vec<String> = sqlx::query_scalar(
        "SELECT c.oid::regclass::text FROM pg_class c
         WHERE c.relnamespace = 'fleet'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm') AND has_table_privilege('fleet_api', c.oid, 'SELECT')
           AND (c.relispartition OR c.relname IN ('api_key', 'cancel_signal'))",
    )
    .fetch_all(&api.db.pool)
    .await
    .unwrap();
    assert_eq!(reachable, Vec::<String>::new());

    // A tenant's session changes no queue, worker, pause, limit or weight.
    api.db
        .execute("INSERT INTO fleet.queue (name) VALUES ('q')")
        .await;
    let mut tx = api.db.pool.begin().await.unwrap();
    sqlx::query("SELECT set_config('role', 'fleet_api', true), set_config('fleet.tenant', gen_random_uuid()::text, true)").execute(&mut *tx).await.unwrap();
    let touched = sqlx::query("UPDATE fleet.queue SET max_depth = 1")
        .execute(&mut *tx)
        .await
        .unwrap()
        .rows_affected();
    assert_eq!(touched, 0);
    for refused in [
        "INSERT INTO fleet.queue (name) VALUES ('mine')",
        "INSERT INTO fleet.pause (scope, name, reason, paused_by, since) VALUES ('queue', 'q', 'r', 'me', now())",
        "INSERT INTO fleet.tenant_weight (tenant_id, weight) VALUES (current_setting('fleet.tenant')::uuid, 100)",
        "INSERT INTO fleet.limit_rule (name, cap) VALUES ('l', 1)",
    ] {
        let mut savepoint = sqlx::Acquire::begin(&mut tx).await.unwrap();
        assert!(
            sqlx::query(refused).execute(&mut *savepoint).await.is_err(),
            "{refused}"
        );
        savepoint.rollback().await.unwrap();
    }
}

#[tokio::test]
async fn a_key_without_the_scope_is_told_which_one_it_lacks() {
    let api = Served::start().await;
    let reader = api.key(None, &[Scope::JobsRead]).await;
    let reply = api.post_as(&reader, "/v1/jobs", job(json!({}))).await;
    reply.refused(403, "missing_scope", None);
    assert!(
        reply.body["detail"]
            .as_str()
            .unwrap()
            .contains("jobs:enqueue")
    );
    let enqueuer = api.key(None, &[Scope::JobsEnqueue]).await;
    let id = api.enqueue_as(&enqueuer, json!({})).await;
    api.get_as(&enqueuer, "/v1/jobs")
        .await
        .refused(403, "missing_scope", None);
    api.post_as(&reader, &format!("/v1/jobs/{id}/cancel"), json!({}))
        .await
        .refused(403, "missing_scope", None);
}
