//! Commands that look and change, on a database without any process.

use fleet_tests::{database, invariants};

use super::*;

#[tokio::test]
async fn a_job_is_enqueued_shown_moved_cancelled_and_retried() {
    let db = database().await;
    register(&db).await;
    let id = json(
        &db,
        &[
            "enqueue",
            "diagnostics.sleep",
            r#"{"ms": 5}"#,
            "--in",
            "1h",
            "--tag",
            "a",
        ],
    )
    .await["id"]
        .clone();
    let id = id.as_str().unwrap();
    let job = json(&db, &["jobs", "show", id]).await;
    assert_eq!(
        (job["state"].as_str(), job["tags"][0].as_str()),
        (Some("scheduled"), Some("a"))
    );
    let why = json(&db, &["why", id]).await;
    assert_eq!(why["reasons"][0]["code"], "time");

    json(&db, &["jobs", "move", id, "--priority", "0"]).await;
    json(&db, &["jobs", "cancel", id, "--reason", "not wanted"]).await;
    let job = json(&db, &["jobs", "show", id]).await;
    assert_eq!(
        (&job["state"], &job["reason"], &job["priority"]),
        (&"cancelled".into(), &"not wanted".into(), &0.into())
    );
    json(&db, &["jobs", "retry", id]).await;
    assert_eq!(json(&db, &["jobs", "show", id]).await["state"], "available");

    let actions = "SELECT string_agg(action, ' ' ORDER BY id) FROM fleet.audit";
    assert_eq!(
        db.text(actions).await,
        "job.enqueue job.move job.cancel job.retry"
    );
    invariants::assert_hold(&db.pool).await;
}

#[tokio::test]
async fn a_second_job_with_a_unique_key_is_the_first() {
    let db = database().await;
    register(&db).await;
    let first = json(&db, &["enqueue", "diagnostics.noop", "--unique", "k"]).await;
    let second = json(&db, &["enqueue", "diagnostics.noop", "--unique", "k"]).await;
    assert_eq!(
        (&first["id"], second["outcome"].as_str()),
        (&second["id"], Some("duplicate"))
    );
}

#[tokio::test]
async fn jobs_are_listed_by_page_and_filter() {
    let db = database().await;
    register(&db).await;
    for n in 0..5 {
        let tag = if n == 3 { "odd" } else { "even" };
        json(&db, &["enqueue", "diagnostics.noop", "--tag", tag]).await;
    }
    let page = json(&db, &["jobs", "ls", "--limit", "3"]).await;
    let rest = json(
        &db,
        &[
            "jobs",
            "ls",
            "--after",
            page["next_cursor"].as_str().unwrap(),
        ],
    )
    .await;
    let count = |page: &Value| page["jobs"].as_array().unwrap().len();
    assert_eq!((count(&page), count(&rest)), (3, 2));
    assert_eq!(count(&json(&db, &["jobs", "ls", "--tag", "odd"]).await), 1);
    assert_eq!(
        count(&json(&db, &["jobs", "ls", "--state", "running,completed"]).await),
        0
    );
}

#[tokio::test]
async fn queues_limits_keys_and_schedules_are_set_and_unset() {
    let db = database().await;
    register(&db).await;
    json(&db, &["queues", "pause", "default", "--reason", "lunch"]).await;
    assert_eq!(json(&db, &["queues"]).await["pauses"][0]["reason"], "lunch");
    json(&db, &["queues", "resume", "default"]).await;
    json(&db, &["limits", "set", "all", "--rate", "2.5"]).await;
    let limits = json(&db, &["limits"]).await;
    assert_eq!(
        (&limits["limits"][0]["rate"], &limits["limits"][0]["burst"]),
        (&2.5.into(), &3.into())
    );
    json(&db, &["limits", "rm", "all"]).await;

    let key = json(&db, &["keys", "create", "portal", "--scope", "jobs:read"]).await;
    json(&db, &["keys", "revoke", key["id"].as_str().unwrap()]).await;
    let keys = fleet(&db, &["keys"]).await.good().out;
    let secret = key["key"].as_str().unwrap().rsplit('_').next().unwrap();
    assert!(keys.contains("revoked") && !keys.contains(secret), "{keys}");

    let nightly = r#"{"name": "nightly", "kind": "diagnostics.noop", "cron": "0 3 * * *", "zone": "Europe/Berlin"}"#;
    json(&db, &["schedules", "put", nightly]).await;
    let ticks = json(&db, &["schedules", "next", "nightly", "-n", "2"]).await;
    assert_eq!(ticks["next"].as_array().unwrap().len(), 2);
    json(
        &db,
        &["schedules", "pause", "nightly", "--note", "holidays"],
    )
    .await;
    assert_eq!(
        json(&db, &["schedules", "run", "nightly"]).await["fired"],
        true
    );
    json(&db, &["schedules", "rm", "nightly"]).await;
    assert_eq!(db.number("SELECT count(*) FROM fleet.audit").await, 10);
}

#[tokio::test]
async fn a_file_of_metrics_comes_in_and_its_bad_rows_are_named() {
    let db = database().await;
    let folder = tempfile::tempdir().unwrap();
    let rows = "tenant_id,client_id,campaign_id,day,impressions,clicks,conversions,spend_micros,revenue_micros,currency\n\
        09adbcee-987c-409f-ab03-011fd54648b9,11111111-1111-4111-8111-111111111111,22222222-2222-4222-8222-222222222222,2026-01-01,1000,50,5,1000000,5000000,USD\n\
        09adbcee-987c-409f-ab03-011fd54648b9,11111111-1111-4111-8111-111111111111,22222222-2222-4222-8222-222222222222,2026-01-02,1000,5000,5,1000000,5000000,USD\n";
    let file = folder.path().join("metrics.csv");
    std::fs::write(&file, rows).unwrap();
    let report = json(&db, &["ingest", "metrics", file.to_str().unwrap()]).await;
    assert_eq!(
        (&report["accepted"], &report["quarantined"]),
        (&1.into(), &1.into())
    );
    assert_eq!(
        (
            &report["examples"][0]["line"],
            &report["examples"][0]["field"]
        ),
        (&3.into(), &"clicks".into())
    );
}

#[tokio::test]
async fn the_readmes_metrics_come_in_on_a_fresh_database() {
    let db = database().await;
    let readme = concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md");
    let readme = std::fs::read_to_string(readme).unwrap();
    let (_, rows) = readme.split_once("metrics.csv <<END\n").unwrap();
    let (rows, _) = rows.split_once("END").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("metrics.csv");
    std::fs::write(&file, rows).unwrap();
    let report = json(&db, &["ingest", "metrics", file.to_str().unwrap()]).await;
    assert_eq!(
        (&report["accepted"], &report["quarantined"]),
        (&1.into(), &0.into()),
        "{report}"
    );
}

#[tokio::test]
async fn rates_come_in_and_let_money_of_other_currencies_in() {
    let db = database().await;
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let metrics = write(
        "metrics.ndjson",
        r#"{"tenant_id": "09adbcee-987c-409f-ab03-011fd54648b9", "client_id": "c", "campaign_id": "k", "day": "2026-01-03", "impressions": 9, "clicks": 3, "conversions": 1, "spend_micros": 1, "revenue_micros": 2, "currency": "EUR"}"#,
    );
    let refused = json(&db, &["ingest", "metrics", &metrics]).await;
    assert_eq!(refused["by_reason"]["unknown_currency"], 1);

    let rates = write(
        "rates.csv",
        "currency,day,rate\nEUR,2026-01-01,1.0843\nEUR,yesterday,1\nUSD,2026-01-01,2\n",
    );
    let report = json(&db, &["ingest", "rates", &rates]).await;
    assert_eq!(
        (
            &report["reporting"],
            &report["accepted"],
            &report["refused"]
        ),
        (&"USD".into(), &1.into(), &2.into())
    );
    let fields: Vec<_> = [0, 1]
        .map(|n| {
            (
                &report["examples"][n]["line"],
                &report["examples"][n]["field"],
            )
        })
        .into();
    assert_eq!(
        fields,
        [(&3.into(), &"day".into()), (&4.into(), &"rate".into())]
    );
    assert_eq!(
        json(&db, &["ingest", "metrics", &metrics]).await["accepted"],
        1
    );
    assert_eq!(json(&db, &["ingest", "rates", &rates]).await["changed"], 0);

    let rates = write("euro.csv", "day,currency,rate\n2026-01-01,USD,0.92\n");
    let report = json(&db, &["ingest", "rates", &rates, "--reporting", "eur"]).await;
    assert_eq!(report["reporting"], "EUR");
    let stored =
        "SELECT string_agg(currency || ' ' || rate::float8, ', ' ORDER BY day) FROM fleet.fx_rates";
    assert_eq!(db.text(stored).await, "EUR 1, USD 0.92");
    fleet(&db, &["ingest", "rates", &metrics])
        .await
        .refused(1, "currency, day and rate");
}

#[tokio::test]
async fn demo_data_gives_a_leaderboard_that_is_shown() {
    let db = database().await;
    let made = json(&db, &["demo", "--rows", "3000", "--seed", "7"]).await;
    assert!(made["made"]["rows"].as_i64() > Some(1_000), "{made}");
    let board = json(&db, &["leaderboard"]).await;
    assert_eq!(board["page"]["run"]["status"], "published");
    let runs = json(
        &db,
        &["leaderboard", "partners", "--period", "week", "--runs"],
    )
    .await;
    assert_eq!(runs["runs"].as_array().unwrap().len(), 5);
    let text = fleet(&db, &["leaderboard"]).await.good().out;
    assert!(
        text.contains("RANK") && !text.contains('\x1b'),
        "a table without colours in a pipe: {text}"
    );
}

#[tokio::test]
async fn demo_partners_have_a_capacity_that_is_shown() {
    let db = database().await;
    json(&db, &["demo", "--rows", "3000", "--seed", "7"]).await;
    let listed = json(&db, &["partners", "ls", "--limit", "500"]).await;
    let partners = listed["partners"].as_array().unwrap();
    assert!(
        partners.iter().all(|partner| partner["score"].is_number()),
        "{listed}"
    );
    let id = partners[0]["partner_id"].as_str().unwrap();
    let shown = json(&db, &["partners", "capacity", id]).await;
    assert_eq!(shown["score"], partners[0]["score"]);
    let name = shown["name"].as_str().unwrap();
    let text = fleet(&db, &["partners", "capacity", name]).await.good().out;
    for word in ["score", "headroom", "confidence", "COMPUTED"] {
        assert!(text.contains(word), "{word}: {text}");
    }
    db.execute("DELETE FROM fleet.partner_capacity").await;
    let unscored = fleet(&db, &["partners", "capacity", id]).await;
    unscored.refused(1, "--score");
}

#[tokio::test]
async fn migrate_fills_an_empty_database_once_and_shows_the_first_key_once() {
    let db = database().await;
    db.execute("DROP SCHEMA fleet CASCADE").await;
    db.execute("DROP TABLE _sqlx_migrations").await;
    fleet(&db, &["jobs", "ls"])
        .await
        .refused(1, "fleet migrate");
    let plan = json(&db, &["migrate", "--dry-run"]).await;
    assert_eq!(
        (&plan["from"], plan["steps"].as_array().unwrap().len() > 10),
        (&0.into(), true)
    );
    let first = json(&db, &["migrate"]).await;
    assert!(
        first["admin_key"]
            .as_str()
            .is_some_and(|key| key.starts_with("fleet_")),
        "{first}"
    );
    let second = json(&db, &["migrate"]).await;
    assert_eq!(
        (&second["from"], &second["admin_key"]),
        (&first["to"], &Value::Null)
    );
}
