//! Campaign metrics over HTTP: bad rows named, tenants kept apart, a stream that breaks off.

use fleet_control_api::Scope as KeyScope;
use fleet_jobs::acting::Acting;
use fleet_jobs::metrics::{self, Format, Options, Scope};
use fleet_queue::TenantId;
use reqwest::{Method, StatusCode};
use serde_json::json;
use uuid::Uuid;

use super::served::{Reply, Served};

pub(super) const TENANT: TenantId = TenantId(Uuid::from_u128(0x7e7a));
const HEADER: &str = "tenant_id,client_id,partner_id,campaign_id,day,impressions,clicks,conversions,spend_micros,revenue_micros,currency,industry,channel";

pub(super) async fn ingest(
    api: &Served,
    key: &str,
    content_type: &str,
    body: impl Into<reqwest::Body>,
) -> Reply {
    let request = api
        .request(Method::POST, "/v1/ingest/metrics")
        .bearer_auth(key);
    api.send(request.header("content-type", content_type).body(body))
        .await
}

/// Twelve partners over thirty days, the first earning most, as CSV.
pub(super) fn market() -> String {
    let days = (1..=30).map(|day| format!("2025-06-{day:02}"));
    let rows = days.flat_map(|day| {
        (1..=12).map(move |n| {
            format!(
                "{},c{n},p{n},k{n},{day},1000,50,5,100000000,{}000000,USD,retail,search",
                TENANT.0,
                1_000 - n
            )
        })
    });
    let mut lines = vec![HEADER.to_owned()];
    lines.extend(rows);
    lines.join("\n")
}

#[tokio::test]
async fn bad_rows_are_named_and_cost_no_good_one() {
    let api = Served::start().await;
    api.db
        .execute("INSERT INTO fleet.fx_rates (currency, day, rate) VALUES ('USD', '2024-01-01', 1)")
        .await;
    let line = |clicks: i64, day: &str| {
        format!(
            "{},c,p,k,{day},100,{clicks},1,1,1,USD,retail,search",
            TENANT.0
        )
    };
    let csv = [
        HEADER.to_owned(),
        line(5, "2025-06-01"),
        line(500, "2025-06-02"),
        "gibberish".into(),
        line(5, "2025-06-03"),
    ]
    .join("\n");
    let report = ingest(&api, &api.admin, "text/csv; charset=utf-8", csv.clone())
        .await
        .ok();
    assert_eq!(
        (
            report["read"].as_i64(),
            report["accepted"].as_i64(),
            report["quarantined"].as_i64()
        ),
        (Some(4), Some(2), Some(2))
    );
    assert_eq!(report["examples"][0]["line"], 3);
    assert_eq!(
        api.db
            .number("SELECT count(*) FROM fleet.metric_quarantine")
            .await,
        2
    );
    let again = ingest(&api, &api.admin, "text/csv", csv).await.ok();
    assert_eq!(
        (again["accepted"].as_i64(), again["replaced"].as_i64()),
        (Some(2), Some(2))
    );
    assert_eq!(
        api.db
            .number("SELECT count(*) FROM fleet.campaign_metrics")
            .await,
        2
    );

    ingest(&api, &api.admin, "text/csv", "nonsense\n1")
        .await
        .refused(422, "invalid_header", Some("header"));
    ingest(&api, &api.admin, "application/json", "{}")
        .await
        .refused(415, "unsupported_media_type", Some("content-type"));
    let reader = api.key(None, &[KeyScope::JobsRead]).await;
    ingest(&api, &reader, "text/csv", HEADER)
        .await
        .refused(403, "missing_scope", None);
}

#[tokio::test]
async fn a_tenants_stream_brings_its_own_rows_only() {
    let api = Served::start().await;
    api.db
        .execute("INSERT INTO fleet.fx_rates (currency, day, rate) VALUES ('USD', '2024-01-01', 1)")
        .await;
    ingest(&api, &api.admin, "text/csv", market()).await.ok();
    let other = Uuid::new_v4();
    let key = api.key(Some(other), &[KeyScope::Ingest]).await;
    let row = |tenant: Option<Uuid>| {
        json!({ "tenant_id": tenant, "client_id": "c", "campaign_id": "k", "day": "2025-06-01", "impressions": 10, "clicks": 1, "conversions": 0, "spend_micros": 1, "revenue_micros": 1, "currency": "USD", "industry": "retail", "channel": "search" }).to_string()
    };
    let lines = [row(None), row(Some(other)), row(Some(TENANT.0))].join("\n");
    let report = ingest(&api, &key, "application/x-ndjson", lines).await.ok();
    assert_eq!(
        (report["read"].as_i64(), report["quarantined"].as_i64()),
        (Some(3), Some(1)),
        "{report:#}"
    );
    let kept = sqlx::query_scalar::<_, i64>(
        "SELECT count(*) FROM fleet.campaign_metrics WHERE tenant_id = $1",
    );
    assert_eq!(kept.bind(other).fetch_one(&api.db.pool).await.unwrap(), 1);
    assert_eq!(api.db.number("SELECT count(*) FROM fleet.campaign_metrics WHERE tenant_id = '00000000-0000-0000-0000-000000007e7a'").await, 360);
}

#[tokio::test]
async fn a_stream_that_breaks_off_keeps_what_came_before() {
    let api = Served::start().await;
    api.db
        .execute("INSERT INTO fleet.fx_rates (currency, day, rate) VALUES ('USD', '2024-01-01', 1)")
        .await;
    let rows: Vec<String> = (0..20_000)
        .map(|n| {
            format!(
                "{},c{n},p,k{n},2025-06-01,10,1,0,1,1,USD,retail,search\n",
                TENANT.0
            )
        })
        .collect();
    let chunks = std::iter::once(Ok(format!("{HEADER}\n")))
        .chain(rows.into_iter().map(Ok))
        .chain(std::iter::once(Err(std::io::Error::other("gone"))));
    let body = reqwest::Body::wrap_stream(futures::stream::iter(chunks));
    let request = api
        .request(Method::POST, "/v1/ingest/metrics")
        .bearer_auth(&api.admin);
    let broken = request
        .header("content-type", "text/csv")
        .body(body)
        .send()
        .await;
    assert!(broken.is_err());
    fleet_tests::eventually("the batches before the break are kept", async || {
        let kept = api
            .db
            .number("SELECT count(*) FROM fleet.campaign_metrics")
            .await;
        (kept > 0 && kept < 20_001).then_some(())
    })
    .await;
    // The connection that served it is gone, and no other carries its role.
    assert_eq!(api.get("/v1/jobs").await.status, StatusCode::OK);
    assert_eq!(
        api.db.text("SELECT current_user::text").await,
        api.db.text("SELECT session_user::text").await
    );
}

/// Behind a pooler the next transaction on this session may be somebody else's.
#[tokio::test]
async fn i12_the_rights_of_a_stream_end_with_each_of_its_transactions() {
    let db = fleet_tests::database().await;
    let mut conn = db.conn().await;
    let whose = "SELECT current_user || ' ' || COALESCE(current_setting('fleet.tenant', true), '')";
    let before: String = sqlx::query_scalar(whose)
        .fetch_one(&mut *conn)
        .await
        .unwrap();
    let options = Options {
        format: Format::Csv,
        scope: Scope::Tenant(TENANT),
        source: "a stream".into(),
    };
    let mut acting = Acting::narrowed(&mut conn, TENANT.to_string());
    let report = metrics::ingest(&mut acting, market().as_bytes(), &options, |_| ()).await;
    assert_eq!(report.unwrap().read, 360);
    let within: String = sqlx::query_scalar(whose)
        .fetch_one(&mut *acting.begin().await.unwrap())
        .await
        .unwrap();
    assert_eq!(within, format!("fleet_api {TENANT}"));
    let after: String = sqlx::query_scalar(whose)
        .fetch_one(&mut *conn)
        .await
        .unwrap();
    assert_eq!(after, before);
}
