//! What a person says of a decision that waited, carried out by its job.

use fleet_jobs::approval::{Choice, DecideError, decide};
use fleet_jobs::tickets::{Author, Edit};
use fleet_queue::TenantId;
use serde_json::json;
use uuid::Uuid;

use super::desk::{Desk, LOCKED_OUT, UNCLEAR};
use super::jobs::run_all;

/// Takes a ticket in that waits for a person; gives it and its approval.
async fn waiting(desk: &mut Desk) -> (Uuid, Uuid) {
    let ticket = desk.sorted(UNCLEAR).await;
    let sql =
        sqlx::query_scalar("SELECT approval_id FROM fleet.approvals WHERE status = 'pending'");
    (ticket, sql.fetch_one(&desk.db.pool).await.unwrap())
}

async fn choose(desk: &Desk, approval: Uuid, choice: Choice) -> Result<(), DecideError> {
    let mut conn = desk.db.conn().await;
    decide(&mut conn, approval, &choice, None, "Eve", Some("looked at"))
        .await
        .map(|_| ())
}

#[tokio::test]
async fn approved_it_is_applied_and_becomes_an_example() {
    let mut desk = Desk::today().await;
    let (ticket, approval) = waiting(&mut desk).await;
    choose(&desk, approval, Choice::Approve).await.unwrap();
    assert_eq!(
        desk.line(ticket).await,
        "open medium - tier1 review",
        "its job has not run yet"
    );
    run_all(&desk.db).await;
    assert_eq!(desk.line(ticket).await, "open low other partner");
    assert_eq!(
        desk.db
            .text("SELECT label || ' ' || source FROM fleet.triage_labels")
            .await,
        "other approved"
    );
    assert_eq!(desk.events("ticket.reviewed").await, 1);
}

#[tokio::test]
async fn corrected_it_is_what_the_person_says() {
    let mut desk = Desk::today().await;
    let (ticket, approval) = waiting(&mut desk).await;
    let correction = Choice::Correct(json!({ "category": "billing", "priority": "high" }));
    choose(&desk, approval, correction).await.unwrap();
    run_all(&desk.db).await;
    assert_eq!(desk.line(ticket).await, "open high billing admin");
    let example = "SELECT label || ' ' || predicted || ' ' || source FROM fleet.triage_labels";
    assert_eq!(desk.db.text(example).await, "billing other corrected");
    let audited = "SELECT key_name FROM fleet.audit WHERE action = 'tickets.triage'";
    assert_eq!(desk.db.text(audited).await, "Eve");
    let shown = desk.show(ticket).await;
    assert_eq!(shown.human_set, ["category", "priority"]);
}

#[tokio::test]
async fn a_corrected_category_leaves_what_is_urgent_urgent() {
    let mut desk = Desk::today().await;
    let ticket = desk
        .sorted(&format!("{UNCLEAR} It is about the data breach."))
        .await;
    assert_eq!(desk.line(ticket).await, "open medium - tier1 review");
    let pending = "SELECT approval_id::text FROM fleet.approvals";
    let approval = desk.db.text(pending).await.parse().unwrap();
    let correction = Choice::Correct(json!({ "category": "billing" }));
    choose(&desk, approval, correction).await.unwrap();
    run_all(&desk.db).await;
    assert_eq!(desk.line(ticket).await, "open high billing admin");
}

/// Nobody is asked twice about the same ticket, and what was said of it stands.
#[tokio::test]
async fn a_verdict_outlives_what_the_customer_says_later() {
    let mut desk = Desk::today().await;
    let (ticket, approval) = waiting(&mut desk).await;
    let correction = Choice::Correct(json!({ "category": "billing" }));
    choose(&desk, approval, correction).await.unwrap();
    run_all(&desk.db).await;
    desk.say(ticket, Author::Customer, false).await;
    run_all(&desk.db).await;
    assert_eq!(desk.line(ticket).await, "open medium billing partner");
    let shown = desk.show(ticket).await;
    assert_eq!((shown.revision, shown.decisions.len()), (2, 2));
    assert_eq!(shown.decisions[0].model_version, "person");
    let asked = "SELECT count(*) FROM fleet.approvals";
    assert_eq!(desk.db.number(asked).await, 1);
}

/// Between a verdict and the job that carries it out.
#[tokio::test]
async fn an_edit_after_the_verdict_has_the_last_word() {
    let mut desk = Desk::today().await;
    let (ticket, approval) = waiting(&mut desk).await;
    choose(&desk, approval, Choice::Approve).await.unwrap();
    let refund = Edit {
        category: Some("refund".into()),
        ..Edit::default()
    };
    desk.edit(ticket, refund).await.unwrap();
    run_all(&desk.db).await;
    let shown = desk.show(ticket).await;
    assert_eq!(shown.ticket.category.as_deref(), Some("refund"));
    let example = "SELECT label || ' ' || source FROM fleet.triage_labels";
    assert_eq!(desk.db.text(example).await, "refund edited");
}

/// The verdict was about what the customer had said; what was said since waits for one of its own.
#[tokio::test]
async fn a_verdict_about_an_earlier_revision_leaves_the_later_question_open() {
    let mut desk = Desk::today().await;
    let (ticket, approval) = waiting(&mut desk).await;
    choose(&desk, approval, Choice::Reject).await.unwrap();
    desk.say(ticket, Author::Customer, false).await;
    desk.sort(ticket).await;
    run_all(&desk.db).await;
    assert!(desk.show(ticket).await.ticket.needs_review);
    let statuses = "SELECT string_agg(status, ' ' ORDER BY status) FROM fleet.approvals";
    assert_eq!(desk.db.text(statuses).await, "pending rejected");
}

/// Asked again between a verdict and the job that carries it out.
#[tokio::test]
async fn a_verdict_that_is_carried_out_takes_back_the_question_asked_meanwhile() {
    let mut desk = Desk::today().await;
    let (ticket, approval) = waiting(&mut desk).await;
    choose(&desk, approval, Choice::Approve).await.unwrap();
    desk.say(ticket, Author::Customer, false).await;
    desk.sort(ticket).await;
    let statuses = "SELECT string_agg(status, ' ' ORDER BY status) FROM fleet.approvals";
    assert_eq!(desk.db.text(statuses).await, "approved pending");
    run_all(&desk.db).await;
    assert_eq!(desk.db.text(statuses).await, "approved withdrawn");
    assert_eq!(desk.line(ticket).await, "open low other partner");
}

#[tokio::test]
async fn rejected_it_stays_with_the_first_line() {
    let mut desk = Desk::today().await;
    let (ticket, approval) = waiting(&mut desk).await;
    choose(&desk, approval, Choice::Reject).await.unwrap();
    run_all(&desk.db).await;
    assert_eq!(desk.line(ticket).await, "open medium - tier1");
    assert_eq!(
        desk.db
            .number("SELECT count(*) FROM fleet.triage_labels")
            .await,
        0
    );
}

#[tokio::test]
async fn corrections_that_cannot_be_carried_out_are_refused_before() {
    let mut desk = Desk::today().await;
    let (_, approval) = waiting(&mut desk).await;
    for correction in [
        json!({}),
        json!({ "category": "Bad Name" }),
        json!({ "category": "billing", "priority": "urgent" }),
        json!({ "category": "billing", "x": 1 }),
        json!("billing"),
    ] {
        let refused = choose(&desk, approval, Choice::Correct(correction.clone())).await;
        assert!(
            matches!(refused, Err(DecideError::Correction(_))),
            "{correction}"
        );
    }
    desk.db.execute("DELETE FROM fleet.tickets").await;
    let refused = choose(
        &desk,
        approval,
        Choice::Correct(json!({ "category": "billing" })),
    )
    .await;
    assert!(refused.unwrap_err().to_string().contains("no ticket"));
    choose(&desk, approval, Choice::Approve).await.unwrap();
    run_all(&desk.db).await;
    let did = "SELECT o.output->>'did' FROM fleet.job_output AS o JOIN fleet.job_history AS h ON h.id = o.job_id WHERE h.kind = 'triage.apply'";
    assert_eq!(desk.db.text(did).await, "the ticket is gone");
}

#[tokio::test]
async fn what_the_customer_says_meanwhile_replaces_the_question() {
    let mut desk = Desk::today().await;
    let (ticket, _) = waiting(&mut desk).await;
    let message = fleet_jobs::tickets::NewMessage {
        author: Author::Customer,
        body: LOCKED_OUT.into(),
        message_id: None,
        waiting: false,
    };
    let tenant = TenantId(desk.show(ticket).await.ticket.tenant_id);
    fleet_jobs::tickets::say(desk.conn(), tenant, ticket, &message)
        .await
        .unwrap();
    desk.sort(ticket).await;
    assert_eq!(desk.line(ticket).await, "open medium login_security admin");
    assert_eq!(
        desk.db.text("SELECT status FROM fleet.approvals").await,
        "withdrawn"
    );
}
