//! A person's word: it stands, it teaches, and it is refused where it was said of something else.

use fleet_jobs::tickets::{Author, Edit, TicketError, Whose, edit};
use fleet_jobs::triage::{Priority, sort};
use fleet_tests::eventually;

use super::desk::{Desk, LOCKED_OUT, QUESTION, TENANT, UNCLEAR, pin};

fn refund() -> Edit {
    Edit {
        category: Some("refund".into()),
        ..Edit::default()
    }
}

#[tokio::test]
async fn what_a_person_has_set_is_never_overwritten() {
    let mut desk = Desk::open().await;
    let ticket = desk.ticket(LOCKED_OUT).await;
    let change = Edit {
        priority: Some(Priority::Low),
        assigned_to: Some(Whose::Tier1),
        ..refund()
    };
    desk.edit(ticket, change).await.unwrap();
    desk.sort(ticket).await;
    assert_eq!(desk.line(ticket).await, "open low refund tier1");
    let mut desk = Desk::open().await;
    let ticket = desk.ticket(LOCKED_OUT).await;
    desk.edit(ticket, refund()).await.unwrap();
    desk.sort(ticket).await;
    assert_eq!(
        desk.line(ticket).await,
        "open medium refund partner",
        "only what was set stays"
    );
    assert_eq!(desk.show(ticket).await.human_set, ["category"]);
}

/// The edit is not committed yet when the sorting begins: it waits, and then sees it.
#[tokio::test]
async fn a_persons_edit_wins_the_race_with_the_sorting() {
    let mut desk = Desk::open().await;
    let ticket = desk.ticket(LOCKED_OUT).await;
    let mut person = desk.db.pool.begin().await.unwrap();
    edit(&mut person, TENANT, ticket, &refund(), "Eve")
        .await
        .unwrap();
    let pool = desk.db.pool.clone();
    let sorting = tokio::spawn(async move {
        let mut tx = pool.begin().await.unwrap();
        pin(&mut tx, "2026-11-23T09:00:00Z").await;
        sort(&mut tx, TENANT, ticket, 1, None).await.unwrap();
        tx.commit().await.unwrap();
    });
    eventually("the sorting waits for the edit", || async {
        let waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%tickets.hold%'";
        (desk.db.number(waiting).await == 1).then_some(())
    })
    .await;
    person.commit().await.unwrap();
    sorting.await.unwrap();
    assert_eq!(
        desk.show(ticket).await.ticket.category.as_deref(),
        Some("refund")
    );
}

#[tokio::test]
async fn an_edit_of_another_version_is_refused() {
    let mut desk = Desk::open().await;
    let ticket = desk.sorted(QUESTION).await;
    let seen = desk.show(ticket).await.ticket.version;
    desk.say(ticket, Author::Staff, false).await;
    let late = Edit {
        version: Some(seen),
        ..refund()
    };
    let refused = desk.edit(ticket, late).await.unwrap_err();
    assert!(
        matches!(refused, TicketError::Changed { given, now } if given == seen && now == seen + 1)
    );
    let now = Edit {
        version: Some(seen + 1),
        ..refund()
    };
    assert_eq!(desk.edit(ticket, now).await.unwrap(), Some(seen + 2));
}

#[tokio::test]
async fn a_category_given_by_a_person_is_an_example_with_personal_data_masked() {
    let mut desk = Desk::open().await;
    let ticket = desk.sorted("How do I add jo@example.com, card 4111 1111 1111 1111? Where can I find the team page?").await;
    desk.edit(ticket, refund()).await.unwrap();
    let example = "SELECT label || ' ' || predicted || ' ' || source || ' ' || model_version || ': ' || text FROM fleet.triage_labels";
    let expected = "refund how_to edited rules: How do I add <email>, card <card>? Where can I find the team page?";
    assert_eq!(desk.db.text(example).await, expected);
    desk.edit(
        ticket,
        Edit {
            category: Some("billing".into()),
            ..Edit::default()
        },
    )
    .await
    .unwrap();
    assert_eq!(
        desk.db
            .text("SELECT string_agg(label, ', ') FROM fleet.triage_labels")
            .await,
        "billing",
        "the last word counts"
    );
}

#[tokio::test]
async fn deciding_by_hand_answers_what_was_asked() {
    let mut desk = Desk::open().await;
    let ticket = desk.sorted(UNCLEAR).await;
    desk.edit(ticket, refund()).await.unwrap();
    assert_eq!(desk.line(ticket).await, "open medium refund tier1");
    assert_eq!(
        desk.db.text("SELECT status FROM fleet.approvals").await,
        "withdrawn"
    );
}

#[tokio::test]
async fn a_ticket_is_given_to_whom_a_person_says_if_they_are_there() {
    let mut desk = Desk::open().await;
    let ticket = desk.sorted(UNCLEAR).await;
    for (to, whose) in [
        (Whose::Partner, "partner"),
        (Whose::Senior, "senior"),
        (Whose::Admin, "admin"),
        (Whose::Tier1, "tier1"),
    ] {
        let change = Edit {
            assigned_to: Some(to),
            ..Edit::default()
        };
        desk.edit(ticket, change).await.unwrap();
        assert_eq!(desk.show(ticket).await.ticket.assigned_to, whose);
    }
    desk.db
        .execute("UPDATE fleet.partners SET status = 'paused'")
        .await;
    for to in [Whose::Partner, Whose::Senior] {
        let change = Edit {
            assigned_to: Some(to),
            ..Edit::default()
        };
        let refused = desk.edit(ticket, change).await.unwrap_err();
        assert!(
            matches!(
                refused,
                TicketError::Refused {
                    field: "assigned_to",
                    ..
                }
            ),
            "{refused}"
        );
    }
}

#[tokio::test]
async fn edits_that_make_no_sense_are_refused() {
    let mut desk = Desk::open().await;
    let ticket = desk.sorted(QUESTION).await;
    for change in [
        Edit::default(),
        Edit {
            version: Some(1),
            ..Edit::default()
        },
        Edit {
            category: Some("Bad Name".into()),
            ..Edit::default()
        },
    ] {
        let refused = desk.edit(ticket, change).await.unwrap_err();
        assert!(
            matches!(
                refused,
                TicketError::Refused {
                    field: "category",
                    ..
                }
            ),
            "{refused}"
        );
    }
    let nobody = uuid::Uuid::from_u128(9);
    assert_eq!(
        edit(desk.conn(), TENANT, nobody, &refund(), "Eve")
            .await
            .unwrap(),
        None
    );
}
