//! Concurrent enqueues share commits, and nothing else: each caller has its own answer, tenant and mistakes.

use futures::future::join_all;
use serde_json::json;
use uuid::Uuid;

use super::served::{Served, job};

#[tokio::test]
async fn a_thousand_enqueues_at_once_are_all_there_in_far_fewer_commits() {
    let api = Served::start().await;
    let answers = join_all((0..1_000).map(|n| {
        api.post(
            "/v1/jobs",
            job(json!({ "payload": { "colour": n.to_string() } })),
        )
    }))
    .await;
    for (n, answer) in answers.into_iter().enumerate() {
        let id = answer.ok()["id"].as_str().unwrap().to_owned();
        if n % 100 == 0 {
            let found = api.get(&format!("/v1/jobs/{id}")).await.ok();
            assert_eq!(
                found["payload"]["colour"],
                n.to_string(),
                "an answer went to another caller"
            );
        }
    }
    assert_eq!(api.db.number("SELECT count(*) FROM fleet.job").await, 1_000);
    let commits = api
        .db
        .number("SELECT count(DISTINCT xmin::text) FROM fleet.job")
        .await;
    assert!(commits <= 500, "{commits} commits for 1,000 jobs");
}

#[tokio::test]
async fn a_bad_job_in_a_shared_commit_fails_alone() {
    let api = Served::start().await;
    let keys = join_all((0..4).map(|_| api.tenant_key(Uuid::new_v4()))).await;
    let requests = (0..200_usize).map(|n| {
        let options = if n % 10 == 3 {
            json!({ "depends_on": [Uuid::now_v7()] })
        } else {
            json!({})
        };
        api.post_as(&keys[n % 4], "/v1/jobs", job(options))
    });
    for (n, answer) in join_all(requests).await.into_iter().enumerate() {
        if n % 10 == 3 {
            answer.refused(422, "invalid_dependency", Some("depends_on"));
        } else {
            answer.ok();
        }
    }
    assert_eq!(api.db.number("SELECT count(*) FROM fleet.job").await, 180);
    assert_eq!(
        api.db
            .number("SELECT count(DISTINCT tenant_id) FROM fleet.job")
            .await,
        4
    );
    // Every enqueue is in the audit, under its key, though they share rows.
    assert_eq!(api.db.number("SELECT count(*) FROM fleet.audit a CROSS JOIN unnest(a.jobs) j JOIN fleet.job ON job.id = j AND job.tenant_id = a.tenant_id").await, 180);
}
