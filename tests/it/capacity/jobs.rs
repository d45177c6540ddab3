//! The family's kinds, run by a worker as in production.

use std::time::Duration;

use chrono::TimeDelta;
use fleet_jobs::capacity::{Reconcile, Score, ScoreAll};
use fleet_queue::transitions::enqueue::enqueue;
use fleet_queue::{NewJob, TenantId};
use fleet_tests::eventually;
use fleet_worker::WorkerSettings;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::office::{ANN, Office};

/// Runs the jobs and gives for each its state with its output or reason, in the order of enqueueing.
async fn run(office: &Office, jobs: &[NewJob]) -> Vec<(String, Value)> {
    let mut ids = Vec::new();
    for job in jobs {
        let mut conn = office.db.conn().await;
        ids.push(enqueue(&mut conn, job).await.unwrap().id.0);
    }
    let (soft, hard) = (CancellationToken::new(), CancellationToken::new());
    let settings = WorkerSettings {
        shutdown_grace: Duration::from_secs(20),
        ..WorkerSettings::default()
    };
    let db = office.db.db.clone();
    let worker = fleet_worker::run(settings, db, fleet_jobs::registry(), soft.clone(), hard);
    let worker = tokio::spawn(worker);
    let ended = "SELECT count(*) FROM fleet.job_history";
    let all = ids.len() as i64;
    eventually("all have ended", || async {
        (office.db.number(ended).await >= all).then_some(())
    })
    .await;
    soft.cancel();
    worker.await.unwrap().unwrap();
    let mut told = Vec::new();
    for id in ids {
        let sql = "SELECT h.state::text, COALESCE(o.output, to_jsonb(h.reason)) FROM fleet.job_history h LEFT JOIN fleet.job_output o ON o.job_id = h.id WHERE h.id = $1";
        let row = sqlx::query_as(sql).bind(id);
        told.push(row.fetch_one(&office.db.pool).await.unwrap());
    }
    told
}

fn of(partner: Uuid) -> Score {
    Score {
        partner_id: partner,
    }
}

#[tokio::test]
async fn the_kinds_say_what_they_did() {
    let office = Office::open().await;
    let ended = run(
        &office,
        &[
            of(ANN).new_job(TenantId::PLATFORM),
            NewJob::of(&ScoreAll::default()),
            NewJob::of(&Reconcile::default()),
        ],
    )
    .await;
    let states: Vec<_> = ended.iter().map(|(state, _)| state.as_str()).collect();
    assert_eq!(states, ["completed"; 3], "{ended:?}");
    let single = json!({ "scored": 1, "near_full": 0, "overtaken": 0 });
    assert_eq!(ended[0].1, single);
    assert_eq!(ended[1].1["chunks"], 1);
    assert_eq!(ended[2].1["drifted"], 0);
    let ann = office.ann().await;
    // Nobody has any history: 100 * (0.40 * 0.5 + 0.25 * 0.5 + 0.35 * 0.5).
    assert_eq!((ann.score, ann.confidence), (50.0, 0.0));
    assert_eq!(ann.history.len(), 1, "the same score again adds nothing");
}

#[tokio::test]
async fn what_cannot_be_helped_by_trying_again_is_discarded_with_the_reason() {
    let office = Office::open().await;
    let tomorrow = ScoreAll {
        as_of: Some(office.now().await + TimeDelta::days(1)),
    };
    let stranger = TenantId(Uuid::from_u128(9));
    let ended = run(
        &office,
        &[
            of(Uuid::from_u128(7)).new_job(TenantId::PLATFORM),
            of(ANN).new_job(stranger),
            NewJob::of(&tomorrow),
            NewJob::of(&ScoreAll::default()).tenant(stranger),
            NewJob::of(&Reconcile::default()).tenant(stranger),
        ],
    )
    .await;
    for ((state, reason), word) in ended.iter().zip([
        "there is no partner",
        "there is no partner",
        "as_of",
        "only the platform",
        "only the platform",
    ]) {
        assert_eq!(state, "discarded");
        assert!(reason.as_str().unwrap().contains(word), "{reason}");
    }
}
