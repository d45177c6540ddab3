//! Pages of jobs: newest first, live and ended, each once, whatever happens in between.

use fleet_queue::Outcome;
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

/// The pages' cost must follow the page: on a large history each kind of page is read through an index.
#[tokio::test]
async fn a_page_of_a_long_history_touches_few_rows() {
    let api = Served::start().await;
    api.db
        .execute(
            "INSERT INTO fleet.job_history (id, tenant_id, kind, version, queue, priority, state, run_at, created_at, started_at, finished_at, attempt, max_attempts, crashes, snoozes, claim_no, payload)
             SELECT fleet.new_id(), CASE WHEN g % 1000 = 0 THEN '00000000-0000-4000-8000-000000000001' ELSE '00000000-0000-4000-8000-000000000002' END::uuid,
                 'toys.paint', 1, 'default', 2, CASE WHEN g % 5000 = 0 THEN 'discarded' ELSE 'completed' END::fleet.job_state,
                 now(), now(), now(), now() - (g % 3) * interval '1 day', 1, 3, 0, 0, 1, '{}' FROM generate_series(1, 100000) g",
        )
        .await;
    api.db.execute("ANALYZE").await;
    for filter in [
        "",
        "&state=discarded",
        "&tenant_id=00000000-0000-4000-8000-000000000001",
        "&state=discarded,cancelled",
    ] {
        let begun = tokio::time::Instant::now();
        let page = api.get(&format!("/v1/jobs?limit=20{filter}")).await.ok();
        assert_eq!(ids(&page).len(), 20, "{filter}");
        assert!(
            begun.elapsed() < std::time::Duration::from_secs(1),
            "{filter} took {:?}",
            begun.elapsed()
        );
    }
}
