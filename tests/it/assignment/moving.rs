//! Clients that move: transferred, detached, proposed to be moved, and given by a person.

use fleet_jobs::approval::{Choice, decide};
use fleet_jobs::assignment::{
    Auto, ByHand, ByHandError, DetachAll, Made, Outcome, Rebalance, Transfer, assign_by_hand,
};
use fleet_queue::{NewJob, TenantId};
use serde_json::json;
use uuid::Uuid;

use super::house::{House, TENANT, id};

/// A house where `ann` looks after `acme`, and `bob` has room for one.
async fn settled() -> (House, Uuid, Uuid, Uuid) {
    let house = House::open().await;
    let ann = house.partner("ann", 5.0, "").await;
    house.score().await;
    let client = house.client("acme", "").await;
    house.assign(client).await;
    let bob = house.partner("bob", 1.0, "").await;
    house.score().await;
    house.db.execute("
        INSERT INTO fleet.campaigns (tenant_id, campaign_id, client_id, partner_id, name, active_since, ended_on)
        SELECT tenant_id, md5('k' || i)::uuid, client_id, partner_id, 'campaign', '2024-01-01', CASE WHEN i = 2 THEN '2024-02-01'::date END
        FROM fleet.client_assignments CROSS JOIN generate_series(1, 2) AS i").await;
    (house, client, ann, bob)
}

fn transfer(client_id: Uuid, from: Uuid, to: Uuid) -> NewJob {
    NewJob::of(&Transfer {
        client_id,
        from,
        to,
        reason: Some("closer by".to_owned()),
    })
}

#[tokio::test]
async fn a_transfer_moves_client_load_and_running_campaigns_at_once() {
    let (house, client, ann, bob) = settled().await;
    let (state, told) = house.run(transfer(client, ann, bob)).await;
    assert_eq!(
        (state.as_str(), &told["campaigns"]),
        ("completed", &json!(1))
    );
    assert_eq!(house.partner_of(client).await, Some(bob));
    assert_eq!(
        (house.load_of(ann).await, house.load_of(bob).await),
        (0.0, 1.0)
    );
    let again = house.run(transfer(client, ann, bob)).await;
    assert_eq!(again.1["nothing_to_do"], "the client is there already");
    for (from, to, problem) in [
        (ann, id("eve"), "is looked after by"),
        (bob, id("nobody"), "there is no partner"),
        (bob, bob, "name another"),
    ] {
        let (state, reason) = house.run(transfer(client, from, to)).await;
        assert!(
            state == "discarded" && reason.as_str().unwrap().contains(problem),
            "{reason}"
        );
    }
    let second = house.client("second", "").await;
    house.assign(second).await;
    let (state, reason) = house.run(transfer(second, ann, bob)).await;
    assert!(
        state == "discarded" && reason.as_str().unwrap().contains("has a load of 1 of 1"),
        "{reason}"
    );
    assert_eq!(
        house.partner_of(second).await,
        Some(ann),
        "a refusal leaves everything as it was"
    );
    house.holds().await;
}

#[tokio::test]
async fn another_tenant_moves_nothing_and_does_not_learn_that_it_is_there() {
    let (house, client, ann, bob) = settled().await;
    let stranger = TenantId(Uuid::from_u128(9));
    for job in [
        transfer(client, ann, bob).tenant(stranger),
        NewJob::of(&fleet_jobs::assignment::Auto::of(client)).tenant(stranger),
        NewJob::of(&DetachAll {
            partner_id: ann,
            reason: None,
        })
        .tenant(stranger),
        NewJob::of(&Rebalance {
            partner_id: ann,
            reason: "mine".to_owned(),
        })
        .tenant(stranger),
    ] {
        let kind = job.kind.clone();
        let (state, reason) = house.run(job).await;
        assert!(
            state == "discarded" && reason.as_str().unwrap().contains("there is no"),
            "{kind}: {reason}"
        );
    }
    assert_eq!(house.partner_of(client).await, Some(ann));
}

#[tokio::test]
async fn a_partner_that_leaves_is_left_by_all_and_each_finds_another_or_waits() {
    let (house, client, ann, bob) = settled().await;
    let second = house.client("second", "").await;
    let by_hand = ByHand {
        tenant: TenantId(TENANT),
        client: second,
        partner: ann,
        reason: "both",
        overload: false,
        by: "Grace",
    };
    assign_by_hand(&mut *house.db.conn().await, &by_hand)
        .await
        .unwrap();
    // Of a client that is gone, a partner and a kept slot may be left.
    house.db.execute("
        INSERT INTO fleet.client_assignments (tenant_id, client_id, partner_id)
        SELECT tenant_id, md5('gone')::uuid, partner_id FROM fleet.client_assignments LIMIT 1;
        INSERT INTO fleet.assignment_reservations (tenant_id, client_id, partner_id, weight, decision_id, load_after, cap_then, expires_at)
        SELECT tenant_id, md5('lost')::uuid, partner_id, 1, md5('d')::uuid, 1, 1, now() + interval '1 day' FROM fleet.client_assignments LIMIT 1;
        UPDATE fleet.partner_capacity SET load = load + 2 WHERE load > 0").await;
    let detach = NewJob::of(&DetachAll {
        partner_id: ann,
        reason: Some("demoted".to_owned()),
    });
    let job = fleet_queue::transitions::enqueue::enqueue(&mut *house.db.conn().await, &detach)
        .await
        .unwrap()
        .id
        .0;
    house.work().await;
    assert_eq!(house.ended(job).await.1, json!({ "detached": 4 }));
    assert_eq!(
        (house.load_of(ann).await, house.load_of(bob).await),
        (0.0, 1.0)
    );
    let with: Vec<_> = [
        house.partner_of(client).await,
        house.partner_of(second).await,
    ]
    .into_iter()
    .flatten()
    .collect();
    assert_eq!(with, [bob], "one found room");
    assert_eq!(
        house
            .db
            .number("SELECT count(*) FROM fleet.assignment_waitlist")
            .await,
        1,
        "the other waits"
    );
    assert_eq!(house.events("assignment.detached").await, 2);
    let left =
        "SELECT count(*) FROM fleet.campaigns WHERE ended_on IS NULL AND partner_id IS NOT NULL";
    assert_eq!(house.db.number(left).await, 0);
    house.holds().await;
}

#[tokio::test]
async fn a_busy_partner_is_relieved_by_proposals_that_move_when_they_are_approved() {
    let house = House::open().await;
    let ann = house.partner("ann", 5.0, "").await;
    house.score().await;
    for n in 0..5 {
        house.assign(house.client(&format!("c{n}"), "").await).await;
    }
    let bob = house.partner("bob", 9.0, "").await;
    house.score().await;
    let rebalance = || {
        NewJob::of(&Rebalance {
            partner_id: ann,
            reason: "full".to_owned(),
        })
    };
    let run = async || {
        let job =
            fleet_queue::transitions::enqueue::enqueue(&mut *house.db.conn().await, &rebalance())
                .await
                .unwrap()
                .id
                .0;
        house.work().await;
        house.ended(job).await.1
    };
    let told = run().await;
    assert_eq!(
        (&told["relieved"], &told["excess"]),
        (&json!(1.0), &json!(1.0))
    );
    assert_eq!(
        (house.load_of(ann).await, house.load_of(bob).await),
        (5.0, 1.0),
        "kept, and not moved"
    );
    assert_eq!(
        run().await["approvals"],
        json!([]),
        "what is proposed already counts"
    );
    let approval: Uuid = serde_json::from_value(told["approvals"][0].clone()).unwrap();
    decide(
        &mut *house.db.conn().await,
        approval,
        &Choice::Approve,
        None,
        "Grace",
        None,
    )
    .await
    .unwrap();
    house.work().await;
    assert_eq!(
        (house.load_of(ann).await, house.load_of(bob).await),
        (4.0, 1.0)
    );
    house.holds().await;
}

async fn by_hand(
    house: &House,
    client: Uuid,
    partner: Uuid,
    reason: &str,
    overload: bool,
) -> Result<Made, ByHandError> {
    let it = ByHand {
        tenant: TenantId::PLATFORM,
        client,
        partner,
        reason,
        overload,
        by: "Grace",
    };
    assign_by_hand(&mut *house.db.conn().await, &it).await
}

#[tokio::test]
async fn a_person_overrides_with_a_reason_and_goes_beyond_the_cap_only_by_saying_so() {
    let (house, client, ann, bob) = settled().await;
    let second = house.client("second", "").await;
    let made = by_hand(&house, client, bob, "they know each other", false)
        .await
        .unwrap();
    assert_eq!(
        (made.from, made.load, made.manual_overload),
        (Some(ann), 1.0, false)
    );
    assert!(matches!(
        by_hand(&house, second, bob, " ", true).await,
        Err(ByHandError::Reason)
    ));
    let refused = by_hand(&house, second, bob, "why not", false)
        .await
        .expect_err("full");
    assert!(
        matches!(&refused, ByHandError::Full(_)) && refused.to_string().contains("manual_overload"),
        "{refused}"
    );
    assert!(matches!(
        by_hand(&house, client, bob, "again", false).await,
        Err(ByHandError::Needless(_))
    ));
    assert!(matches!(
        by_hand(&house, second, id("nobody"), "who", true).await,
        Err(ByHandError::Partner(_))
    ));
    assert!(matches!(
        by_hand(&house, id("none"), bob, "who", true).await,
        Err(ByHandError::Client(_))
    ));
    let beyond = by_hand(&house, second, bob, "it must be", true)
        .await
        .unwrap();
    assert_eq!(
        (beyond.load, beyond.cap, beyond.manual_overload),
        (2.0, 1.0, true)
    );
    assert_eq!(house.events("assignment.overridden").await, 2);
    let third = house.assign(house.client("third", "").await).await;
    assert!(
        matches!(third, Outcome::Assigned { partner_id, .. } if partner_id == ann),
        "the fleet skips who is over: {third:?}"
    );
    assert_eq!(house.db.number(super::house::DRIFTED).await, 0);
}

#[tokio::test]
async fn a_persons_word_ends_a_proposal_that_waits() {
    let house = House::open().await;
    house.review("always").await;
    let (ann, bob) = (
        house.partner("ann", 5.0, "").await,
        house.partner("bob", 5.0, "").await,
    );
    house.score().await;
    let client = house.client("acme", "").await;
    let Outcome::PendingApproval { partner_id, .. } = house.assign(client).await else {
        panic!("asked")
    };
    let other = if partner_id == ann { bob } else { ann };
    by_hand(&house, client, other, "mine", false).await.unwrap();
    assert_eq!(
        (house.load_of(partner_id).await, house.load_of(other).await),
        (0.0, 1.0)
    );
    assert_eq!(
        house.db.text("SELECT status FROM fleet.approvals").await,
        "withdrawn"
    );
    house.holds().await;
}

#[tokio::test]
async fn a_slot_that_is_kept_for_a_client_does_not_stand_in_its_own_way() {
    let house = House::open().await;
    house.review("always").await;
    let ann = house.partner("ann", 1.0, "").await;
    house.score().await;
    let client = house.client("acme", "").await;
    let asked = house.assign(client).await;
    assert!(
        matches!(asked, Outcome::PendingApproval { .. }),
        "{asked:?}"
    );
    let made = by_hand(&house, client, ann, "mine", false).await.unwrap();
    assert_eq!((made.load, made.manual_overload), (1.0, false));
    house.holds().await;
}

#[tokio::test]
async fn a_client_that_is_closed_gives_back_what_it_has() {
    let house = House::open().await;
    let ann = house.partner("ann", 1.0, "").await;
    house.score().await;
    let (first, second) = (
        house.client("first", "").await,
        house.client("second", "").await,
    );
    house.assign(first).await;
    house.assign(second).await;
    house
        .change("clients", "client_id", first, "status = 'closed'")
        .await;
    let job = Auto::of(first).new_job(TenantId(TENANT));
    let (_, told) = house.run(job).await;
    assert_eq!(told, json!({ "outcome": "closed" }));
    assert_eq!(house.partner_of(first).await, None);
    assert_eq!(
        house.partner_of(second).await,
        Some(ann),
        "who waited has the slot"
    );
    assert_eq!(house.events("assignment.detached").await, 1);
    house
        .change("clients", "client_id", second, "status = 'closed'")
        .await;
    house.assign(second).await;
    assert_eq!(house.assign(second).await, Outcome::Closed);
    assert_eq!(
        (
            house.load_of(ann).await,
            house.events("assignment.detached").await
        ),
        (0.0, 2),
        "and once"
    );
    house.holds().await;
}
