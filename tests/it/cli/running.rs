//! Commands beside running processes.

use fleet_tests::process::Process;
use fleet_tests::{database, eventually};

use super::*;

#[tokio::test]
async fn a_job_is_waited_for_and_its_end_is_the_exit_code() {
    let db = database().await;
    let _worker = Process::start(FLEET, &db.url, &["worker", "--diagnostics"], &[]);
    living(&db).await;
    let done = json(
        &db,
        &["enqueue", "diagnostics.sleep", r#"{"ms": 30}"#, "--wait"],
    )
    .await;
    assert_eq!(
        (&done["state"], &done["output"]["slept_ms"]),
        (&"completed".into(), &30.into())
    );

    let failing = r#"{"times": 9, "error": "no luck"}"#;
    let failed = fleet(
        &db,
        &[
            "enqueue",
            "diagnostics.fail",
            failing,
            "--max-attempts",
            "1",
            "--wait",
            "--json",
        ],
    )
    .await;
    assert_eq!(
        (failed.code, &failed.json()["state"]),
        (Some(1), &"discarded".into())
    );
    assert!(
        failed.json()["error"].as_str().unwrap().contains("no luck"),
        "{}",
        failed.out
    );
}

#[tokio::test]
async fn a_watched_job_tells_each_change_to_a_program() {
    let db = database().await;
    let _worker = Process::start(FLEET, &db.url, &["worker", "--diagnostics"], &[]);
    living(&db).await;
    let id = json(&db, &["enqueue", "diagnostics.sleep", r#"{"ms": 4000}"#]).await["id"].clone();
    let said = fleet(&db, &["jobs", "watch", id.as_str().unwrap(), "--json"])
        .await
        .good();
    let lines: Vec<Value> = said
        .out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!(
        lines.iter().any(|line| line["state"] == "running"),
        "{}",
        said.out
    );
    assert_eq!(lines.last().unwrap()["state"], "completed");
}

#[tokio::test]
async fn a_worker_is_listed_and_drained() {
    let db = database().await;
    let _worker = Process::start(
        FLEET,
        &db.url,
        &["worker", "--diagnostics", "--queue", "default=3"],
        &[],
    );
    living(&db).await;
    let workers = json(&db, &["workers"]).await;
    let worker = &workers["workers"][0];
    assert_eq!(
        (&worker["state"], &worker["queues"]["default"]),
        (&"living".into(), &3.into())
    );
    json(&db, &["workers", "drain", worker["id"].as_str().unwrap()]).await;
    assert_eq!(
        json(&db, &["workers"]).await["workers"][0]["state"],
        "draining"
    );
}

#[tokio::test]
async fn doctor_is_content_with_a_whole_fleet_and_says_what_is_missing_of_a_broken_one() {
    let db = database().await;
    let found = |said: &Value, check: &str| -> String {
        let checks = said["checks"].as_array().unwrap();
        let one = checks.iter().find(|found| found["check"] == check).unwrap();
        one["verdict"].as_str().unwrap().to_owned()
    };
    let alone = fleet(&db, &["doctor", "--json"]).await;
    assert_eq!(alone.code, Some(1));
    assert_eq!(
        (
            found(&alone.json(), "schedulers"),
            found(&alone.json(), "workers")
        ),
        ("fail".into(), "warn".into())
    );

    let _worker = Process::start(FLEET, &db.url, &["worker"], &[]);
    let _scheduler = Process::start(FLEET, &db.url, &["scheduler"], &[]);
    eventually("the roles are seen", || async {
        let said = fleet(&db, &["doctor", "--json"]).await.json();
        // The test server is not durable, which doctor rightly refuses.
        let rest = [
            "schedulers",
            "workers",
            "schedules",
            "partitions",
            "API role",
            "I10 limits count what runs",
        ];
        rest.iter()
            .all(|check| found(&said, check) == "pass")
            .then_some(())
    })
    .await;

    db.execute("INSERT INTO fleet.limit_rule (name, cap) VALUES ('x', 1)")
        .await;
    db.execute("INSERT INTO fleet.bucket (scope, rule_id, running, refilled_at) SELECT 'rule', id, 7, now() FROM fleet.limit_rule").await;
    let broken = fleet(&db, &["doctor", "--json"]).await.json();
    assert_eq!(found(&broken, "I10 limits count what runs"), "fail");
}

#[tokio::test]
async fn a_probe_of_the_environment_ends_a_worker_where_it_says() {
    let db = database().await;
    register(&db).await;
    db.execute("SELECT fleet.enqueue('diagnostics.noop', '{}')")
        .await;
    let probe = [("FLEET_PROBES", "worker.claimed=abort")];
    let mut worker = Process::start(FLEET, &db.url, &["worker", "--diagnostics"], &probe);
    let status = worker.ended(std::time::Duration::from_secs(30)).await;
    assert!(!status.success(), "{status}");
    assert_eq!(
        db.number("SELECT count(*) FROM fleet.job WHERE state = 'running'")
            .await,
        1
    );
}

/// A worker registers its kinds and its row before it takes its first job.
async fn living(db: &TestDb) {
    let sql = "SELECT count(*) FROM fleet.worker WHERE ended_at IS NULL";
    eventually("a worker lives", || async {
        (db.number(sql).await == 1).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_list_is_followed_as_jobs_come_and_change() {
    use tokio::io::{AsyncBufReadExt, BufReader};

    let db = database().await;
    register(&db).await;
    let first = json(&db, &["enqueue", "diagnostics.noop"]).await["id"].clone();
    let mut following = Command::new(FLEET)
        .args([
            "jobs",
            "ls",
            "--follow",
            "--json",
            "--database-url",
            &db.url,
        ])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(following.stdout.take().unwrap()).lines();
    let mut told = async || -> (Value, Value) {
        let line = lines.next_line().await.unwrap().expect("it goes on");
        let job: Value = serde_json::from_str(&line).unwrap();
        (job["id"].clone(), job["state"].clone())
    };
    assert_eq!(told().await, (first.clone(), "available".into()));
    let second = json(&db, &["enqueue", "diagnostics.noop"]).await["id"].clone();
    assert_eq!(told().await, (second, "available".into()));
    json(&db, &["jobs", "cancel", first.as_str().unwrap()]).await;
    assert_eq!(told().await, (first, "cancelled".into()));
}
