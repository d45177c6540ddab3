//! Through PgBouncer: everything but LISTEN, whose absence costs latency and nothing else.
//!
//! In transaction mode where this PgBouncer carries prepared statements (from 1.21 on), with a pool so small that statements of one
//! client meet other server connections than the ones before; an older one is refused in that mode, and is gone through in session mode.

use std::time::Duration;

use fleet_control_api::Scope;
use fleet_control_api::keys::{self, NewKey};
use fleet_jobs::diagnostics::{Effect, Sleep};
use fleet_queue::schedules::{self, Definition, Expect};
use fleet_queue::transitions::{cancel, enqueue};
use fleet_queue::{Db, NewJob, TenantId};
use fleet_runtime::pool::{self, PoolSettings};
use fleet_tests::pgbouncer::{PgBouncer, carries_statements};
use fleet_tests::process::Process;
use fleet_tests::{TestDb, database, eventually, invariants};
use serde_json::{Value, json};

const FLEET: &str = env!("CARGO_BIN_EXE_fleet-under-test");
const POOLED: (&str, &str) = ("FLEET_DATABASE__TRANSACTION_POOLER", "true");

fn settings(transaction_pooler: bool) -> PoolSettings {
    PoolSettings {
        max: 8,
        application_name: "fleet test".to_owned(),
        statement_timeout: Duration::from_secs(10),
        transaction_pooler,
    }
}

fn start(pooler: &PgBouncer, args: &[&str]) -> Process {
    Process::start(FLEET, &pooler.url, args, &[POOLED])
}

async fn until(db: &TestDb, what: &str, sql: &'static str, n: i64) {
    eventually(what, || async { (db.number(sql).await == n).then_some(()) }).await;
}

const LIVING: &str = "SELECT count(*) FROM fleet.worker WHERE ended_at IS NULL";
const EFFECTS: &str = "SELECT count(*) FROM fleet.diagnostic_effect";

#[tokio::test]
async fn jobs_are_enqueued_claimed_settled_and_cancelled() {
    let db = database().await;
    let pooler = PgBouncer::before(&db.url).await;
    let through = Db::new(pool::connect(&pooler.url, &settings(true)).await.unwrap());
    let worker = || start(&pooler, &["worker", "--diagnostics", "--concurrency", "10"]);
    let _processes = [worker(), worker(), start(&pooler, &["scheduler"])];
    until(&db, "two workers live", LIVING, 2).await;

    let effect = |n: u64| {
        NewJob::of(&Effect {
            key: format!("key {n}"),
            ms: n % 20,
        })
    };
    let jobs: Vec<_> = (0..500).map(effect).collect();
    let mut tx = through.begin("test.enqueue").await.unwrap();
    enqueue::enqueue_many(&mut tx, &jobs).await.unwrap();
    tx.commit().await.unwrap();
    until(&db, "every effect is there", EFFECTS, 500).await;

    let long = NewJob::of(&Sleep { ms: 600_000 });
    let mut conn = through.acquire("test.enqueue").await.unwrap();
    enqueue::enqueue(&mut conn, &long).await.unwrap();
    until(
        &db,
        "it runs",
        "SELECT count(*) FROM fleet.job WHERE state = 'running' AND kind LIKE 'diagnostics.%'",
        1,
    )
    .await;
    cancel::cancel(&mut conn, long.id, Some("no more"))
        .await
        .unwrap();
    until(
        &db,
        "it is cancelled",
        "SELECT count(*) FROM fleet.job_history WHERE state = 'cancelled'",
        1,
    )
    .await;

    let twice = "SELECT count(*) - count(DISTINCT key) FROM fleet.diagnostic_effect";
    assert_eq!(db.number(twice).await, 0);
    invariants::assert_hold(&db.pool).await;
}

#[tokio::test]
async fn schedules_tick() {
    let db = database().await;
    let pooler = PgBouncer::before(&db.url).await;
    let worker = start(&pooler, &["worker", "--diagnostics"]);
    until(&db, "a worker lives", LIVING, 1).await;
    let beat = Definition::new("beat", "diagnostics.noop", "* * * * * *");
    let through = Db::new(pool::connect(&pooler.url, &settings(true)).await.unwrap());
    let mut conn = through.acquire("test.put").await.unwrap();
    schedules::put(&mut conn, TenantId::PLATFORM, &beat, Expect::New, "a test")
        .await
        .unwrap();
    let _schedulers = [
        start(&pooler, &["scheduler"]),
        start(&pooler, &["scheduler"]),
    ];
    eventually("three ticks have run", || async {
        let done = "SELECT count(*) FROM fleet.job_history WHERE kind = 'diagnostics.noop' AND state = 'completed'";
        (db.number(done).await >= 3).then_some(())
    })
    .await;
    let double = "SELECT count(*) FROM (SELECT metadata->'schedule'->>'tick_at' FROM (SELECT metadata FROM fleet.job UNION ALL SELECT metadata FROM fleet.job_history) j
        WHERE metadata ? 'schedule' GROUP BY 1 HAVING count(*) > 1) t";
    assert_eq!(db.number(double).await, 0);
    drop(worker);
}

#[tokio::test]
async fn the_api_enqueues_and_answers() {
    let db = database().await;
    let pooler = PgBouncer::before(&db.url).await;
    let port = std::net::TcpListener::bind(("127.0.0.1", 0))
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let bind = format!("127.0.0.1:{port}");
    let _processes = [
        start(&pooler, &["worker", "--diagnostics"]),
        start(&pooler, &["api", "--diagnostics", "--bind", &bind]),
    ];
    until(&db, "a worker lives", LIVING, 1).await;
    let admin = NewKey {
        name: "test".to_owned(),
        tenant: None,
        scopes: vec![Scope::Admin],
        kinds: None,
        expires_at: None,
    };
    let key = keys::create(&mut *db.conn().await, &admin)
        .await
        .unwrap()
        .key;
    let client = reqwest::Client::builder()
        .timeout(Duration::from_secs(10))
        .build()
        .unwrap();
    let post = async |body: Value| {
        let sent = client
            .post(format!("http://{bind}/v1/jobs"))
            .bearer_auth(&key)
            .json(&body)
            .send()
            .await;
        let answer = sent.ok()?;
        answer.status().is_success().then_some(())
    };
    let job = |n: usize| json!({ "kind": "diagnostics.effect", "payload": { "key": format!("key {n}") } });
    eventually("the API answers", || post(job(0))).await;
    let rest = futures::future::join_all((1..60).map(|n| post(job(n)))).await;
    assert!(rest.iter().all(Option::is_some), "{rest:?}");
    until(&db, "every effect is there", EFFECTS, 60).await;
}

#[tokio::test]
async fn without_the_setting_the_refusal_names_it() {
    let db = database().await;
    let pooler = PgBouncer::before(&db.url).await;
    let refused = pool::connect(&pooler.url, &settings(false))
        .await
        .unwrap_err();
    let said = refused.to_string();
    assert!(
        said.contains("database.transaction_pooler = true"),
        "{said}"
    );
}

#[tokio::test]
async fn a_pooler_that_loses_prepared_statements_is_refused_with_a_way_out() {
    let db = database().await;
    let pooler = PgBouncer::in_transaction_mode(&db.url).await;
    let connected = pool::connect(&pooler.url, &settings(true)).await;
    if carries_statements().await {
        connected.unwrap();
    } else {
        let said = connected.unwrap_err().to_string();
        assert!(said.contains("pool_mode = session"), "{said}");
    }
}

#[tokio::test]
async fn a_worker_says_that_it_polls() {
    let db = database().await;
    let pooler = PgBouncer::before(&db.url).await;
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let out = std::fs::File::create(&log).unwrap();
    let mut worker = tokio::process::Command::new(FLEET)
        .args(["worker", "--diagnostics"])
        .envs([POOLED, ("DATABASE_URL", &pooler.url)])
        .stdout(out.try_clone().unwrap())
        .stderr(out)
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    eventually("the log says so", || async {
        let said = std::fs::read_to_string(&log).unwrap();
        said.contains("polling for work instead of listening")
            .then_some(())
    })
    .await;
    worker.kill().await.unwrap();
}
