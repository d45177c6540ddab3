//! Pages of jobs: newest first, live and ended, each once, whatever happens in between.

use fleet_queue::read::{JobFilter, list_jobs};
use fleet_queue::{JobState, Outcome, TenantId};
use fleet_tests::TestDb;
use fleet_tests::hand::settle_one;
use serde_json::{Value, json};
use uuid::Uuid;

use super::served::{Served, painter};

fn ids(page: &Value) -> Vec<String> {
    page["jobs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|job| job["id"].as_str().unwrap().to_owned())
        .collect()
}

async fn walk(api: &Served, filter: &str, limit: usize) -> Vec<String> {
    let mut found = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = api
            .get(&format!("/v1/jobs?limit={limit}{filter}{cursor}"))
            .await
            .ok();
        found.extend(ids(&page));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return found,
        }
    }
}

#[tokio::test]
async fn pages_hold_every_job_once_newest_first() {
    let api = Served::start().await;
    let mut hand = painter(&api.db).await;
    let mut made = Vec::new();
    for n in 0..11 {
        made.push(api.enqueue(json!({ "priority": n % 4 })).await);
    }
    for outcome in [
        Outcome::Completed { output: None },
        Outcome::Cancelled { reason: None },
    ] {
        let claimed = hand.take(&api.db).await;
        settle_one(&api.db, claimed, outcome).await;
    }
    made.reverse();
    for limit in [1, 3, 11, 200] {
        assert_eq!(walk(&api, "", limit).await, made, "pages of {limit}");
    }
    // A job made after the walk began moves no page.
    let first = api.get("/v1/jobs?limit=5").await.ok();
    api.enqueue(json!({})).await;
    let second = api
        .get(&format!(
            "/v1/jobs?limit=5&cursor={}",
            first["next_cursor"].as_str().unwrap()
        ))
        .await
        .ok();
    assert_eq!(ids(&second), made[5..10]);
}

#[tokio::test]
async fn filters_cut_by_what_is_asked() {
    let api = Served::start().await;
    let mut hand = painter(&api.db).await;
    let tenant = Uuid::new_v4();
    let done = api.enqueue(json!({ "priority": 0 })).await;
    let given_up = api.enqueue(json!({ "priority": 1 })).await;
    for outcome in [
        Outcome::Completed { output: None },
        Outcome::Cancelled { reason: None },
    ] {
        let claimed = hand.take(&api.db).await;
        settle_one(&api.db, claimed, outcome).await;
    }
    let later = api
        .enqueue(json!({ "run_at": "2999-01-01T00:00:00Z", "tags": ["red", "big"] }))
        .await;
    let elsewhere = api
        .enqueue(json!({ "queue": "other", "tenant_id": tenant, "parent_id": done }))
        .await;
    let running = api.enqueue(json!({})).await;
    hand.take(&api.db).await;

    for (filter, wanted) in [
        ("&state=completed".to_owned(), vec![&done]),
        ("&state=cancelled".into(), vec![&given_up]),
        ("&state=cancelled,discarded".into(), vec![&given_up]),
        ("&state=completed,cancelled".into(), vec![&given_up, &done]),
        ("&state=scheduled".into(), vec![&later]),
        ("&state=running".into(), vec![&running]),
        ("&state=available,completed".into(), vec![&elsewhere, &done]),
        ("&queue=other".into(), vec![&elsewhere]),
        (format!("&tenant_id={tenant}"), vec![&elsewhere]),
        (format!("&parent_id={done}"), vec![&elsewhere]),
        ("&tag=big".into(), vec![&later]),
        ("&kind=toys.wind".into(), vec![]),
        (
            format!("&worker_id={}&state=running", hand.id),
            vec![&running],
        ),
        (
            format!("&worker_id={}&state=completed,cancelled", hand.id),
            vec![&given_up, &done],
        ),
        ("&created_to=2000-01-01T00:00:00Z".into(), vec![]),
        (
            "&created_from=2000-01-01T00:00:00Z&state=scheduled".into(),
            vec![&later],
        ),
    ] {
        assert_eq!(
            walk(&api, &filter, 2).await.iter().collect::<Vec<_>>(),
            wanted,
            "{filter}"
        );
    }
}

/// Rows of jobs that this connection has read and not yet reported: those of earlier transactions may be among them.
async fn rows_read(tx: &mut sqlx::PgConnection) -> i64 {
    let sql =
        "SELECT COALESCE(sum(COALESCE(seq_tup_read, 0) + COALESCE(idx_tup_fetch, 0)), 0)::bigint
        FROM pg_stat_xact_all_tables WHERE schemaname = 'fleet' AND relname LIKE 'job%'";
    sqlx::query_scalar(sql).fetch_one(tx).await.unwrap()
}

/// What the API reads of jobs for a page of twenty, as the role it acts as.
async fn read_for_page(db: &TestDb, filter: &JobFilter, sees: &str) -> i64 {
    let mut tx = db.pool.begin().await.unwrap();
    let act = "SELECT set_config('role', 'fleet_api', true), set_config('fleet.tenant', $1, true)";
    sqlx::query(act).bind(sees).execute(&mut *tx).await.unwrap();
    let before = rows_read(&mut tx).await;
    let page = list_jobs(&mut tx, filter, None, 20).await.unwrap();
    assert_eq!(page.jobs.len(), 20, "{filter:?}");
    rows_read(&mut tx).await - before
}

/// The cost of a page must follow the page: under the API's role, whose policies keep some indexes from being used.
#[tokio::test]
async fn a_page_of_a_long_history_reads_few_rows() {
    let db = fleet_tests::database().await;
    db.execute(
        "INSERT INTO fleet.job_history (id, tenant_id, kind, version, queue, priority, state, run_at, created_at, started_at, finished_at, attempt, max_attempts, crashes, snoozes, claim_no, payload)
         SELECT fleet.new_id(), CASE WHEN g % 1000 = 0 THEN '00000000-0000-4000-8000-000000000001' ELSE '00000000-0000-4000-8000-000000000002' END::uuid,
             'toys.paint', 1, 'default', 2, CASE WHEN g % 3000 = 0 THEN 'discarded' ELSE 'completed' END::fleet.job_state,
             now(), now(), now(), now() + (g % 3) * interval '1 day', 1, 3, 0, 0, 1, '{}' FROM generate_series(1, 100000) g",
    )
    .await;
    db.execute("ANALYZE").await;
    let small = TenantId(Uuid::from_u128(0x4000_8000_0000_0000_0001));
    let of = |states: &[JobState], tenant| JobFilter {
        states: states.to_vec(),
        tenant,
        ..JobFilter::default()
    };
    for (filter, sees) in [
        (of(&[], None), "*".to_owned()),
        (of(&[JobState::Discarded], None), "*".into()),
        (
            of(&[JobState::Discarded, JobState::Cancelled], None),
            "*".into(),
        ),
        (of(&[JobState::Completed], None), "*".into()),
        (of(&[], Some(small)), "*".into()),
        (of(&[], Some(small)), small.to_string()),
        (of(&[JobState::Discarded], Some(small)), small.to_string()),
    ] {
        let read = read_for_page(&db, &filter, &sees).await;
        assert!(
            (20..500).contains(&read),
            "{read} rows read for 20 jobs of {filter:?}"
        );
    }
}

/// A claim changes no index, so nothing files the running jobs; they are few, and stand in front.
#[tokio::test]
async fn a_page_of_what_runs_or_waits_for_its_time_reads_no_backlog() {
    let db = fleet_tests::database().await;
    db.execute(
        "INSERT INTO fleet.job (id, tenant_id, kind, queue, state, run_at, created_at, payload)
         SELECT fleet.new_id(), ('00000000-0000-4000-8000-00000000000' || g % 5)::uuid, 'toys.paint', 'default',
             CASE WHEN g % 500 = 0 THEN 'scheduled' ELSE 'available' END::fleet.job_state, now() + (g % 500 = 0)::int * interval '1 hour', now(), '{}'
         FROM generate_series(1, 20000) g; SELECT fleet.announce(array_agg(id)) FROM fleet.job",
    )
    .await;
    painter(&db).await.claim(&db, 40).await;
    db.execute("ANALYZE").await;
    for state in [JobState::Running, JobState::Scheduled, JobState::Available] {
        let filter = JobFilter {
            states: vec![state],
            ..JobFilter::default()
        };
        let read = read_for_page(&db, &filter, "*").await;
        assert!(
            (20..500).contains(&read),
            "{read} rows read for 20 {state:?} ones"
        );
    }
}
