//! Leaderboards over HTTP: boards are read as each may see them, and people decide.

use fleet_jobs::leaderboard::{self, Period, SubjectKind};
use fleet_jobs::metrics::id_of;
use fleet_queue::TenantId;
use reqwest::StatusCode;
use serde_json::{Value, json};
use uuid::Uuid;

use super::ingest::{TENANT, ingest, market};
use super::served::{Served, pick};

/// A served API whose platform board of partners was computed once.
async fn with_board() -> (Served, Uuid) {
    let api = Served::start_serving(fleet_jobs::registry()).await;
    api.db
        .execute("INSERT INTO fleet.fx_rates (currency, day, rate) VALUES ('USD', '2024-01-01', 1)")
        .await;
    let report = ingest(&api, &api.admin, "text/csv", market()).await.ok();
    assert_eq!(
        (report["accepted"].as_i64(), report["quarantined"].as_i64()),
        (Some(360), Some(0)),
        "{report:#}"
    );
    // Registered by its first row, a partner would be too new to be ranked.
    api.db.execute("UPDATE fleet.partners SET active_since = '2024-01-01'; UPDATE fleet.campaigns SET active_since = '2024-01-01'").await;
    let mut conn = api.db.conn().await;
    let kind = SubjectKind::Partner;
    let board = leaderboard::create(
        &mut conn,
        TenantId::PLATFORM,
        "Partners",
        kind,
        Period::Rolling30d,
        None,
        &json!({}),
    )
    .await
    .unwrap();
    let board = leaderboard::load(&mut conn, TenantId::PLATFORM, board)
        .await
        .unwrap()
        .unwrap();
    let end = "2025-07-01".parse().unwrap();
    leaderboard::refresh(&api.db.pool, &board, Some(end), false)
        .await
        .unwrap();
    (api, board.id)
}

fn places(board: &Value) -> Vec<i64> {
    board["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["place"].as_i64().unwrap())
        .collect()
}

#[tokio::test]
async fn a_board_is_listed_and_read_in_pages_of_one_run() {
    let (api, board) = with_board().await;
    let boards = api.get("/v1/leaderboards").await.ok();
    assert_eq!(
        pick(&boards, ["leaderboards/0/id", "next_cursor"]),
        json!([board, null])
    );

    let at = |query: String| format!("/v1/leaderboards/{board}?{query}");
    let first = api.get(&at("limit=5".into())).await.ok();
    assert_eq!(places(&first), [1, 2, 3, 4, 5]);
    assert_eq!(
        pick(&first, ["entries/0/label", "run/ranked"]),
        json!(["p1", 12])
    );
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = api
        .get(&at(format!("limit=200&cursor={cursor}")))
        .await
        .ok();
    assert_eq!(places(&second), [6, 7, 8, 9, 10, 11, 12]);
    assert_eq!(second["run"]["run_id"], first["run"]["run_id"]);

    let runs = api
        .get(&format!("/v1/leaderboards/{board}/runs"))
        .await
        .ok();
    assert_eq!(
        pick(&runs, ["runs/0/window_end", "runs/1"]),
        json!(["2025-07-01", null])
    );
    let third = id_of("partner", Uuid::nil(), "p3");
    let rank = api
        .get(&format!("/v1/leaderboards/{board}/subjects/{third}"))
        .await
        .ok();
    assert_eq!(pick(&rank, ["entry/rank", "entry/label"]), json!([3, "p3"]));
}

#[tokio::test]
async fn boards_that_are_not_there_and_paths_that_make_no_sense_are_refused() {
    let (api, board) = with_board().await;
    let none = Uuid::new_v4();
    for path in [
        format!("{none}"),
        format!("{none}/runs"),
        format!("{none}/subjects/{none}"),
    ] {
        api.get(&format!("/v1/leaderboards/{path}"))
            .await
            .refused(404, "not_found", None);
    }
    for path in ["x".to_owned(), format!("{board}/subjects/x")] {
        api.get(&format!("/v1/leaderboards/{path}"))
            .await
            .refused(400, "malformed", Some("path"));
    }
    let cursor = api.get(&format!("/v1/leaderboards/{board}?cursor=x")).await;
    cursor.refused(400, "malformed", Some("cursor"));
}

#[tokio::test]
async fn others_are_shown_as_they_wish_to_be_seen() {
    let (api, board) = with_board().await;
    let second = id_of("partner", Uuid::nil(), "p2");
    let seen = api
        .get(&format!("/v1/leaderboards/{board}?partner_id={second}"))
        .await
        .ok();
    let entry = |place: usize| &seen["entries"][place - 1];
    assert_eq!(
        (entry(2)["is_own"].as_bool(), entry(2)["label"].as_str()),
        (Some(true), Some("p2"))
    );
    assert_eq!(
        (entry(1)["is_own"].as_bool(), &entry(1)["subject_id"]),
        (Some(false), &Value::Null)
    );
    assert_ne!(entry(1)["label"], "p1");

    let stranger = api.tenant_key(Uuid::new_v4()).await;
    let seen = api
        .get_as(&stranger, &format!("/v1/leaderboards/{board}"))
        .await
        .ok();
    assert!(
        seen["entries"]
            .as_array()
            .unwrap()
            .iter()
            .all(|entry| entry["is_own"] == false && entry["subject_id"].is_null())
    );
    api.get_as(
        &stranger,
        &format!("/v1/leaderboards/{board}?partner_id={second}"),
    )
    .await
    .refused(403, "platform_only", Some("partner_id"));
}

#[tokio::test]
async fn a_refresh_is_a_job_and_a_second_one_the_same() {
    let (api, board) = with_board().await;
    let path = format!("/v1/leaderboards/{board}/refresh");
    let first = api.post(&path, json!({ "window_end": "2025-07-01" })).await;
    assert_eq!(
        (first.status, first.body["kind"].as_str()),
        (StatusCode::CREATED, Some("leaderboard.refresh"))
    );
    let again = api.post(&path, json!({ "window_end": "2025-07-01" })).await;
    assert_eq!(
        (again.status, &again.body["id"]),
        (StatusCode::OK, &first.body["id"])
    );
    let other = api.post(&path, json!({})).await;
    assert_eq!(other.status, StatusCode::CREATED);
    let tenant = api.tenant_key(TENANT.0).await;
    api.post_as(&tenant, &path, json!({}))
        .await
        .refused(403, "other_tenant", Some("tenant_id"));
    api.post(
        &format!("/v1/leaderboards/{}/refresh", Uuid::new_v4()),
        json!({}),
    )
    .await
    .refused(404, "not_found", None);
}

#[tokio::test]
async fn a_hold_is_seen_by_its_tenant_and_cleared_by_the_platform() {
    let (api, _) = with_board().await;
    api.db
        .execute(
            "INSERT INTO fleet.metric_holds (tenant_id, campaign_id, client_id, day, rule, detail)
             SELECT tenant_id, campaign_id, client_id, '2025-06-01', 'ctr_outlier', '{}' FROM fleet.campaigns LIMIT 1",
        )
        .await;
    let tenant = api.tenant_key(TENANT.0).await;
    let holds = api.get_as(&tenant, "/v1/holds?open=true").await.ok();
    let clear = format!(
        "/v1/holds/{}/clear",
        holds["holds"][0]["hold_id"].as_str().unwrap()
    );
    api.post_as(&tenant, &clear, json!({}))
        .await
        .refused(403, "platform_only", None);
    let cleared = api
        .post(&clear, json!({ "note": "a real sale" }))
        .await
        .ok();
    assert_eq!(
        pick(&cleared, ["cleared_by", "note"]),
        json!(["first admin", "a real sale"])
    );
    api.post(&clear, json!({}))
        .await
        .refused(404, "not_found", None);
    assert_eq!(
        api.get("/v1/holds?open=true").await.ok()["holds"],
        json!([])
    );
    let audited = api
        .db
        .text("SELECT concat_ws(' ', action, reason) FROM fleet.audit ORDER BY id DESC LIMIT 1")
        .await;
    assert_eq!(audited, "holds.clear a real sale");
}

#[tokio::test]
async fn a_promotion_is_decided_once_with_the_change_of_tier() {
    let (api, board) = with_board().await;
    sqlx::query(
        "INSERT INTO fleet.promotion_candidates (tenant_id, board_id, partner_id, direction, evidence)
         SELECT $1, $2, partner_id, 'promotion', '{}' FROM fleet.partners ORDER BY name LIMIT 1",
    )
    .bind(Uuid::nil())
    .bind(board)
    .execute(&api.db.pool)
    .await
    .unwrap();
    let tenant = api.tenant_key(TENANT.0).await;
    api.get_as(&tenant, "/v1/promotions")
        .await
        .refused(403, "platform_only", None);
    let pending = api.get("/v1/promotions?status=pending").await.ok();
    let candidate = pending["promotions"][0]["candidate_id"].as_str().unwrap();
    let approved = api
        .post(&format!("/v1/promotions/{candidate}/approve"), json!({}))
        .await
        .ok();
    assert_eq!(approved["status"], "approved");
    let seniors = "SELECT count(*) FROM fleet.partners WHERE tier = 'senior'";
    assert_eq!(api.db.number(seniors).await, 1);
    let again = api
        .post(&format!("/v1/promotions/{candidate}/reject"), json!({}))
        .await;
    again.refused(404, "not_found", None);
    api.get("/v1/promotions?status=maybe")
        .await
        .refused(400, "malformed", Some("status"));
    let audited = api
        .db
        .text("SELECT action FROM fleet.audit ORDER BY id DESC LIMIT 1")
        .await;
    assert_eq!(audited, "promotions.approve");
}
