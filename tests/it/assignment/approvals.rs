//! What waits for a person: the slot is kept, the verdict is carried out, and what nobody decides is given back.

use fleet_jobs::approval::{Choice, DecideError, decide};
use fleet_jobs::assignment::{Auto, Expire, Outcome};
use fleet_queue::{NewJob, TenantId};
use serde_json::{Value, json};
use uuid::Uuid;

use super::house::{House, TENANT, id};

/// A house where people are asked, with two partners and a client that is proposed to the first.
async fn asked() -> (House, Uuid, Uuid, Uuid) {
    let house = House::open().await;
    house.review("below_threshold").await;
    house.partner("ann", 5.0, "industries = '{retail}'").await;
    house
        .partner("bob", 5.0, "industries = '{retail,food}'")
        .await;
    house.score().await;
    let client = house.client("acme", "industry = 'retail'").await;
    let outcome = house.assign(client).await;
    let Outcome::PendingApproval {
        partner_id,
        approval_id,
        ..
    } = outcome
    else {
        panic!("{outcome:?}")
    };
    assert_eq!(partner_id, id("ann"));
    (house, client, approval_id, partner_id)
}

async fn say(house: &House, approval: Uuid, choice: Choice) -> Result<(), DecideError> {
    let mut conn = house.db.conn().await;
    decide(
        &mut conn,
        approval,
        &choice,
        None,
        "Grace",
        Some("so it is"),
    )
    .await
    .map(|_| ())
}

#[tokio::test]
async fn nothing_is_applied_before_and_the_slot_counts_meanwhile() {
    let (house, client, approval, ann) = asked().await;
    assert_eq!(house.partner_of(client).await, None);
    assert_eq!(house.load_of(ann).await, 1.0);
    assert_eq!(house.assign(client).await, Outcome::Waiting);
    let asked: (Value, Value, f64) = sqlx::query_as(
        "SELECT proposal, rationale, confidence FROM fleet.approvals WHERE approval_id = $1",
    )
    .bind(approval)
    .fetch_one(&house.db.pool)
    .await
    .unwrap();
    assert_eq!(
        (&asked.0["partner_id"], &asked.0["client_id"]),
        (&json!(ann), &json!(client))
    );
    assert!(
        asked.1["summary"]
            .as_str()
            .unwrap()
            .contains("acme goes to ann")
            && asked.2 < 0.85
    );
    let expiry = "SELECT count(*) FROM fleet.job AS j JOIN fleet.assignment_reservations AS r ON j.payload->>'reservation_id' = r.reservation_id::text
        WHERE j.kind = 'assignment.expire' AND j.run_at = r.expires_at AND r.expires_at - r.reserved_at BETWEEN interval '23:59' AND interval '24:01'";
    assert_eq!(house.db.number(expiry).await, 1);
    house.holds().await;
}

#[tokio::test]
async fn approved_the_kept_slot_is_the_clients() {
    let (house, client, approval, ann) = asked().await;
    say(&house, approval, Choice::Approve).await.unwrap();
    house.work().await;
    assert_eq!(house.partner_of(client).await, Some(ann));
    assert_eq!(house.load_of(ann).await, 1.0);
    let why = house.rationale(client).await;
    assert_eq!(why["summary"], "Grace approved it.");
    assert!(matches!(
        say(&house, approval, Choice::Reject).await,
        Err(DecideError::Settled { .. })
    ));
    house.holds().await;
}

#[tokio::test]
async fn rejected_the_slot_is_free_and_the_next_best_is_proposed() {
    let (house, client, approval, ann) = asked().await;
    say(&house, approval, Choice::Reject).await.unwrap();
    house.work().await;
    assert_eq!(
        (house.load_of(ann).await, house.load_of(id("bob")).await),
        (0.0, 1.0)
    );
    assert_eq!(
        house.partner_of(client).await,
        Some(id("bob")),
        "one without a rival is certain"
    );
    assert_eq!(
        house.rationale(client).await["filters"],
        json!({ "excluded": 1 })
    );
    house.holds().await;
}

#[tokio::test]
async fn corrected_it_goes_where_the_person_said_if_that_can_be() {
    let (house, client, approval, ann) = asked().await;
    house.partner("full", 0.5, "").await;
    house.partner("gone", 5.0, "status = 'inactive'").await;
    house.score().await;
    for (correction, problem) in [
        (json!({ "partner": 1 }), "unknown field `partner`"),
        (json!({ "partner_id": id("nobody") }), "there is no partner"),
        (
            json!({ "partner_id": id("gone"), "manual_overload": true }),
            "is inactive",
        ),
        (
            json!({ "partner_id": id("full") }),
            "has a load of 0 of 0.5, and the client adds 1",
        ),
    ] {
        let refused = say(&house, approval, Choice::Correct(correction))
            .await
            .expect_err(problem)
            .to_string();
        assert!(refused.contains(problem), "{refused}");
    }
    let beyond = json!({ "partner_id": id("full"), "manual_overload": true });
    say(&house, approval, Choice::Correct(beyond))
        .await
        .unwrap();
    house.work().await;
    assert_eq!(house.partner_of(client).await, Some(id("full")));
    assert_eq!(
        (house.load_of(ann).await, house.load_of(id("full")).await),
        (0.0, 1.0)
    );
    let overload = "SELECT count(*) FROM fleet.client_assignments WHERE manual_overload AND load_after = 1 AND cap_then = 0.5";
    assert_eq!(house.db.number(overload).await, 1);
}

#[tokio::test]
async fn a_slot_that_nobody_decides_on_is_given_back_by_its_job_and_not_before() {
    let (house, client, approval, ann) = asked().await;
    let sql = "SELECT reservation_id FROM fleet.assignment_reservations";
    let reservation_id = sqlx::query_scalar(sql)
        .fetch_one(&house.db.pool)
        .await
        .unwrap();
    let expire = || NewJob::of(&Expire { reservation_id });
    let early = house.run(expire()).await;
    assert_eq!(early, ("completed".to_owned(), json!({ "ended": false })));
    house.db.execute("UPDATE fleet.assignment_reservations SET reserved_at = reserved_at - interval '2 days', expires_at = expires_at - interval '2 days'").await;
    let late = house.run(expire()).await;
    assert_eq!(late.1, json!({ "ended": true }));
    let stands = "SELECT status FROM fleet.approvals WHERE approval_id = (SELECT approval_id FROM fleet.assignment_reservations WHERE ended_as = 'expired')";
    assert_eq!(house.db.text(stands).await, "withdrawn");
    assert_eq!(house.events("assignment.expired").await, 1);
    // The client is not forgotten: it was looked at anew, and a person is asked again.
    assert_eq!(house.load_of(ann).await, 1.0);
    let again = house.assign(client).await;
    assert_eq!(again, Outcome::Waiting);
    assert!(matches!(
        say(&house, approval, Choice::Approve).await,
        Err(DecideError::Settled { .. })
    ));
    house.holds().await;
}

#[tokio::test]
async fn a_partner_that_left_meanwhile_does_not_get_what_was_approved() {
    let (house, client, approval, ann) = asked().await;
    house
        .change("partners", "partner_id", ann, "status = 'inactive'")
        .await;
    say(&house, approval, Choice::Approve).await.unwrap();
    house.work().await;
    assert_eq!(
        (house.partner_of(client).await, house.load_of(ann).await),
        (Some(id("bob")), 0.0)
    );
    house.holds().await;
}

#[tokio::test]
async fn every_high_value_client_is_a_persons_where_the_settings_say_so() {
    let house = House::open().await;
    house.partner("sue", 9.0, "tier = 'senior'").await;
    house.score().await;
    house.db.execute("INSERT INTO fleet.assignment_settings (version, settings, changed_by) VALUES (2, '{\"review_high_value\": true}', 'test')").await;
    let rich = house
        .assign(
            house
                .client("rich", "monthly_budget_micros = 10000000000")
                .await,
        )
        .await;
    assert!(matches!(rich, Outcome::PendingApproval { .. }), "{rich:?}");
    let plain = house.assign(house.client("plain", "").await).await;
    assert!(matches!(plain, Outcome::Assigned { .. }), "{plain:?}");
    assert_eq!(house.load_of(id("sue")).await, 3.0);
}

#[tokio::test]
async fn the_partner_that_a_person_chose_may_be_full_by_then() {
    let (house, client, approval, _) = asked().await;
    let cam = house.partner("cam", 1.0, "").await;
    house.score().await;
    let correction = json!({ "partner_id": cam });
    say(&house, approval, Choice::Correct(correction))
        .await
        .unwrap();
    house
        .change("partners", "partner_id", cam, "max_load = 0.5")
        .await;
    house.score().await;
    house.work().await;
    assert_eq!(house.events("assignment.released").await, 1);
    assert_eq!(house.partner_of(client).await, None);
    assert_eq!(house.assign(client).await, Outcome::Waiting, "asked again");
    house.holds().await;
}

#[tokio::test]
async fn what_a_person_approved_holds_though_the_cap_was_lowered_meanwhile() {
    let (house, client, approval, ann) = asked().await;
    house
        .change("partners", "partner_id", ann, "max_load = 0.5")
        .await;
    house.score().await;
    say(&house, approval, Choice::Approve).await.unwrap();
    house.work().await;
    assert_eq!(
        (house.partner_of(client).await, house.load_of(ann).await),
        (Some(ann), 1.0)
    );
}

#[tokio::test]
async fn a_proposal_is_decided_anew_by_force_and_its_slot_is_given_back() {
    let (house, client, _, ann) = asked().await;
    let unforced = Auto::of(client).new_job(TenantId(TENANT));
    assert_eq!(house.run(unforced).await.1, json!({ "outcome": "waiting" }));
    let forced = Auto {
        force: true,
        exclude: vec![ann],
        ..Auto::of(client)
    };
    let (_, told) = house.run(forced.new_job(TenantId(TENANT))).await;
    assert_eq!(
        (&told["outcome"], &told["partner_id"]),
        (&json!("assigned"), &json!(id("bob"))),
        "without a rival it is certain: {told}"
    );
    let pending = "SELECT count(*) FROM fleet.approvals WHERE status = 'pending'";
    assert_eq!(
        (house.load_of(ann).await, house.db.number(pending).await),
        (0.0, 0)
    );
    house.holds().await;
}

#[tokio::test]
async fn who_names_the_proposed_partner_hands_its_kept_slot_over_though_the_cap_was_lowered() {
    let (house, client, approval, ann) = asked().await;
    house
        .change("partners", "partner_id", ann, "max_load = 0.5")
        .await;
    house.score().await;
    let same = json!({ "partner_id": ann });
    say(&house, approval, Choice::Correct(same)).await.unwrap();
    house.work().await;
    assert_eq!(house.partner_of(client).await, Some(ann));
    assert_eq!(house.load_of(ann).await, 1.0);
    assert_eq!(house.db.number(super::house::DRIFTED).await, 0);
}
