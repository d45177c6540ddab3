//! A model is used only where it is no worse than the one in use and a person approved it.

use fleet_jobs::approval::{Choice, decide};
use serde_json::{Value, json};

use super::stage::{Stage, TENANT, shop};

/// A person's answer, and whatever job follows.
async fn answer(stage: &Stage, approval: &Value, choice: &Choice) {
    let approval = approval.as_str().unwrap().parse().unwrap();
    let mut conn = stage.db.conn().await;
    decide(&mut conn, approval, choice, None, "an admin", None)
        .await
        .unwrap();
    drop(conn);
    stage.work().await;
}

/// Trains a model of so many texts a label, some of them labelled wrongly.
async fn candidate(stage: &Stage, each: usize, wrong: usize) -> Value {
    let dataset = stage.dataset(TENANT, shop(each, wrong)).await;
    stage.trained(TENANT, dataset, "shop").await
}

#[tokio::test]
async fn nothing_is_used_before_a_person_approves_and_then_it_takes_the_place_of_the_one_before() {
    let stage = Stage::open().await;
    let first = candidate(&stage, 12, 0).await;
    assert_eq!(stage.in_use(TENANT).await, None);
    answer(&stage, &first["approval_id"], &Choice::Approve).await;
    assert_eq!(
        stage.in_use(TENANT).await.as_deref(),
        first["model_version"].as_str()
    );

    let second = candidate(&stage, 15, 0).await;
    assert_eq!(
        stage.in_use(TENANT).await.as_deref(),
        first["model_version"].as_str()
    );
    answer(&stage, &second["approval_id"], &Choice::Approve).await;
    assert_eq!(
        stage.in_use(TENANT).await.as_deref(),
        second["model_version"].as_str()
    );
    let stands = "SELECT string_agg(status, ' ' ORDER BY trained_at) FROM fleet.triage_models";
    assert_eq!(stage.db.text(stands).await, "retired active");
    let told = "SELECT count(*) FROM fleet.event WHERE kind = 'triage.model_activated'";
    assert_eq!(stage.db.number(told).await, 2);
}

#[tokio::test]
async fn a_rejected_model_stays_a_candidate_and_says_why() {
    let stage = Stage::open().await;
    let made = candidate(&stage, 12, 0).await;
    answer(&stage, &made["approval_id"], &Choice::Reject).await;
    assert_eq!(stage.in_use(TENANT).await, None);
    let stands = "SELECT status || ': ' || note FROM fleet.triage_models";
    assert_eq!(
        stage.db.text(stands).await,
        "candidate: an admin's answer was: rejected"
    );
}

#[tokio::test]
async fn one_that_is_clearly_worse_is_not_even_proposed() {
    let stage = Stage::open().await;
    let good = candidate(&stage, 12, 0).await;
    answer(&stage, &good["approval_id"], &Choice::Approve).await;
    let worse = candidate(&stage, 12, 40).await;
    assert_eq!(worse["approval_id"], Value::Null);
    let note = worse["note"].as_str().unwrap();
    assert!(
        note.contains("macro-F1") && note.contains("\"shop\""),
        "{note}"
    );
    let asked = "SELECT count(*) FROM fleet.approvals";
    assert_eq!(stage.db.number(asked).await, 1);
}

#[tokio::test]
async fn one_that_became_worse_while_it_waited_is_not_used() {
    let stage = Stage::open().await;
    let worse = candidate(&stage, 12, 40).await;
    let good = candidate(&stage, 12, 0).await;
    answer(&stage, &good["approval_id"], &Choice::Approve).await;
    answer(&stage, &worse["approval_id"], &Choice::Approve).await;
    assert_eq!(
        stage.in_use(TENANT).await.as_deref(),
        good["model_version"].as_str()
    );
    let output = "SELECT output->>'activated' FROM fleet.job_output o JOIN fleet.job_history h ON h.id = o.job_id
        WHERE h.kind = 'triage.promote' ORDER BY h.finished_at DESC LIMIT 1";
    assert_eq!(stage.db.text(output).await, "false");
}

#[tokio::test]
async fn a_model_cannot_be_corrected() {
    let stage = Stage::open().await;
    let made = candidate(&stage, 12, 0).await;
    let approval = made["approval_id"].as_str().unwrap().parse().unwrap();
    let choice = Choice::Correct(json!({ "model_version": "another" }));
    let mut conn = stage.db.conn().await;
    let refused = decide(&mut conn, approval, &choice, None, "an admin", None).await;
    assert!(
        refused
            .unwrap_err()
            .to_string()
            .contains("approve or reject")
    );
}
