//! Sorting by the model in force: the one that ships, a tenant's own, and none that can be used.

use std::ops::ControlFlow;

use fleet_jobs::triage::model::{Example, train};
use fleet_jobs::triage::shipped::first_model;
use fleet_jobs::triage::{Train, keep_trained};
use fleet_queue::transitions::enqueue::enqueue;
use serde_json::Value;
use uuid::Uuid;

use super::desk::{Desk, QUESTION, TENANT};
use super::jobs::run_all;

/// A desk at which the model that ships is in use.
async fn desk() -> Desk {
    let desk = Desk::today().await;
    use_shipped(&desk).await;
    desk
}

/// Makes the model that ships, as `fleet up` has it made.
pub(super) async fn use_shipped(desk: &Desk) {
    let mut conn = desk.db.conn().await;
    let job = first_model(&mut conn)
        .await
        .unwrap()
        .expect("there is none");
    assert_eq!(job.kind, <Train as fleet_queue::Job>::KIND);
    enqueue(&mut conn, &job).await.unwrap();
    run_all(&desk.db).await;
}

#[tokio::test]
async fn the_model_that_ships_sorts_tickets_and_says_why() {
    let mut desk = desk().await;
    let ticket = desk
        .ticket("Hello, we were charged twice for October. Please correct the invoice, the amount is wrong.")
        .await;
    run_all(&desk.db).await;
    let shown = desk.show(ticket).await;
    let decision = &shown.decisions[0];
    let in_use = "SELECT model_version::text FROM fleet.triage_models WHERE status = 'active'";
    assert_eq!(decision.model_version, desk.db.text(in_use).await);
    assert_eq!(decision.category, "billing");
    let words = decision.explanation["because"]["words"].as_array();
    assert!(
        words.is_some_and(|it| (1..=5).contains(&it.len())),
        "{decision:?}"
    );
    assert_eq!(desk.events("triage.degraded").await, 0);
}

#[tokio::test]
async fn what_the_model_does_not_know_waits_for_a_person() {
    let mut desk = desk().await;
    let ticket = desk
        .ticket("What is the tallest mountain on the moon, and who was the first to photograph it?")
        .await;
    run_all(&desk.db).await;
    let shown = desk.show(ticket).await;
    assert!(shown.ticket.needs_review, "{shown:#?}");
    assert_eq!(shown.ticket.category, None);
    let why = &shown.decisions[0].explanation["review"];
    assert!(
        ["out_of_scope", "unsure"].map(Value::from).contains(why),
        "{why}"
    );
}

/// A tenant's own comes before the platform's, and one that is damaged is as good as none: rules go on, and it is told.
#[tokio::test]
async fn a_model_that_cannot_be_read_is_told_and_rules_go_on() {
    let mut desk = desk().await;
    desk.db.execute("
        INSERT INTO fleet.triage_models (tenant_id, name, status, params_hash, rows, labels, holdout, macro_f1, artefact, activated_at)
        SELECT '00000000-0000-0000-0000-000000007e7a', 'damaged', 'active', params_hash, rows, labels, holdout, macro_f1, substr(artefact, 1, 1000), activated_at
        FROM fleet.triage_models").await;
    let ticket = desk.ticket(QUESTION).await;
    run_all(&desk.db).await;
    assert_eq!(desk.line(ticket).await, "open low how_to partner");
    assert_eq!(desk.show(ticket).await.decisions[0].model_version, "rules");
    let told = "SELECT payload->>'why' FROM fleet.event WHERE kind = 'triage.degraded'";
    assert!(desk.db.text(told).await.contains("model "));
}

/// A label is any text, a category is a plain word that the ticket's table takes.
#[tokio::test]
async fn a_model_whose_labels_are_no_categories_is_left_aside_and_that_is_told() {
    let mut desk = Desk::open().await;
    let examples = ["send my money back", "the page crashes"].map(|text| Example {
        text: text.to_owned(),
        label: format!("People who say: {text}"),
    });
    let trained = train(&examples, &|_, _| ControlFlow::Continue(())).unwrap();
    let made = keep_trained(desk.conn(), TENANT, "ours", Uuid::nil(), 2, &trained).await;
    let made = made.unwrap();
    assert_eq!(made.approval_id, None, "nobody is asked to put it to use");
    let note = made.note.unwrap();
    assert!(note.contains("is no category"), "{note}");
    desk.db
        .execute("UPDATE fleet.triage_models SET status = 'active', activated_at = now()")
        .await;
    let ticket = desk.sorted(QUESTION).await;
    assert_eq!(desk.show(ticket).await.decisions[0].model_version, "rules");
    let why = "SELECT payload->>'why' FROM fleet.event WHERE kind = 'triage.degraded'";
    let why = desk.db.text(why).await;
    assert!(why.contains("is no category"), "{why}");
}
