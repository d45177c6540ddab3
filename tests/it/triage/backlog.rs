//! What partners had no room for, and the sums of a week.

use fleet_jobs::tickets::Edit;
use fleet_jobs::triage::{digest, route_backlog, sort};

use super::desk::{ANN, Desk, QUESTION, TENANT, UNCLEAR};

#[tokio::test]
async fn a_ticket_waits_for_its_partners_room_and_gets_it() {
    let mut desk = Desk::open().await;
    for away in [
        "UPDATE fleet.partners SET status = 'paused' WHERE name = 'Ann'",
        "UPDATE fleet.partner_capacity SET load = cap",
        "INSERT INTO fleet.partner_leaves (tenant_id, partner_id, starts_at, ends_at) VALUES (md5('t')::uuid, '00000000-0000-0000-0000-0000000000a1', '2026-01-01', '2100-01-01')",
    ] {
        let mut desk = Desk::open().await;
        desk.db.execute(away).await;
        let ticket = desk.sorted(QUESTION).await;
        assert_eq!(desk.line(ticket).await, "open low how_to tier1", "{away}");
        assert_eq!(route_backlog(&desk.db.pool).await.unwrap().routed, 0);
    }
    desk.db
        .execute("UPDATE fleet.partners SET status = 'paused'")
        .await;
    let ticket = desk.sorted(QUESTION).await;
    let by_hand = desk.sorted(QUESTION).await;
    let keep = Edit {
        assigned_to: Some(fleet_jobs::tickets::Whose::Tier1),
        ..Edit::default()
    };
    desk.edit(by_hand, keep).await.unwrap();
    desk.db
        .execute("UPDATE fleet.partners SET status = 'active'")
        .await;
    let drained = route_backlog(&desk.db.pool).await.unwrap();
    assert_eq!((drained.looked_at, drained.routed), (1, 1));
    assert_eq!(desk.show(ticket).await.ticket.partner_id, Some(ANN));
    assert_eq!(
        desk.show(by_hand).await.ticket.assigned_to,
        "tier1",
        "a person said so"
    );
}

#[tokio::test]
async fn a_ticket_weighs_what_the_settings_of_capacity_say() {
    let mut desk = Desk::open().await;
    desk.db
        .execute("UPDATE fleet.partner_capacity SET load = cap - 0.2")
        .await;
    let fits = desk.sorted(QUESTION).await;
    assert_eq!(desk.line(fits).await, "open low how_to partner");
    let heavier = "INSERT INTO fleet.capacity_settings (version, settings, changed_by)
        SELECT version + 1, jsonb_set(settings, '{loads,ticket}', '0.3'), 'a test' FROM fleet.capacity_settings";
    desk.db.execute(heavier).await;
    let weighs_more = desk.sorted(QUESTION).await;
    assert_eq!(desk.line(weighs_more).await, "open low how_to tier1");
}

#[tokio::test]
async fn what_waits_for_a_persons_look_is_not_given_to_a_partner() {
    let mut desk = Desk::open().await;
    let empty = desk.sorted(" ").await;
    assert_eq!(route_backlog(&desk.db.pool).await.unwrap().looked_at, 0);
    assert_eq!(desk.line(empty).await, "open low other tier1 review");
    desk.db
        .execute("UPDATE fleet.tickets SET wants_partner = true")
        .await;
    assert_eq!(route_backlog(&desk.db.pool).await.unwrap().looked_at, 0);
}

#[tokio::test]
async fn a_burst_of_tickets_gives_a_partner_no_more_than_it_has_room_for() {
    let mut desk = Desk::open().await;
    desk.db
        .execute("UPDATE fleet.partner_capacity SET load = cap - 0.15")
        .await;
    let mut whose = Vec::new();
    for _ in 0..5 {
        let ticket = desk.sorted(QUESTION).await;
        whose.push(desk.show(ticket).await.ticket.assigned_to);
    }
    assert_eq!(whose, ["partner", "tier1", "tier1", "tier1", "tier1"]);
    let wanting = "SELECT count(*) FROM fleet.tickets WHERE wants_partner";
    assert_eq!(desk.db.number(wanting).await, 4);
    let routed = "SELECT count(*) FROM fleet.triage_decisions WHERE route = 'tier1'";
    assert_eq!(desk.db.number(routed).await, 4, "it is told as it came");
    assert_eq!(route_backlog(&desk.db.pool).await.unwrap().routed, 0);
    desk.db
        .execute("UPDATE fleet.partner_capacity SET load = cap - 0.15")
        .await;
    assert_eq!(route_backlog(&desk.db.pool).await.unwrap().routed, 1);
    let beyond = "SELECT count(*) FROM fleet.partner_capacity WHERE load > cap";
    assert_eq!(desk.db.number(beyond).await, 0);
}

#[tokio::test]
async fn those_who_sort_at_once_give_no_more_than_there_is_room_for() {
    let mut desk = Desk::open().await;
    desk.db
        .execute("UPDATE fleet.partner_capacity SET load = cap - 0.35")
        .await;
    let mut sorting = Vec::new();
    for _ in 0..8 {
        let (ticket, pool) = (desk.ticket(QUESTION).await, desk.db.pool.clone());
        sorting.push(tokio::spawn(async move {
            let mut tx = pool.begin().await.unwrap();
            sort(&mut tx, TENANT, ticket, 1, None).await.unwrap();
            tx.commit().await.unwrap();
        }));
    }
    for sorted in sorting {
        sorted.await.unwrap();
    }
    let given = "SELECT count(*) FROM fleet.tickets WHERE partner_id IS NOT NULL";
    assert_eq!(desk.db.number(given).await, 3);
}

#[tokio::test]
async fn ancient_tickets_are_left_to_people_and_passes_beside_each_other_give_once() {
    let mut desk = Desk::open().await;
    desk.db
        .execute("UPDATE fleet.partners SET status = 'paused'")
        .await;
    desk.at("2024-01-08T09:00:00Z").await;
    let old = desk.sorted(QUESTION).await;
    desk.db
        .execute("UPDATE fleet.tickets SET opened_at = now() - interval '31 days'")
        .await;
    for _ in 0..20 {
        desk.sorted(QUESTION).await;
    }
    desk.db.execute("UPDATE fleet.tickets SET opened_at = now() WHERE opened_at = '2024-01-08T09:00:00Z'; UPDATE fleet.partners SET status = 'active'").await;
    let (one, other) = tokio::join!(route_backlog(&desk.db.pool), route_backlog(&desk.db.pool));
    assert_eq!(one.unwrap().routed + other.unwrap().routed, 20);
    assert_eq!(desk.show(old).await.ticket.assigned_to, "tier1");
    let told = "SELECT count(*) FROM fleet.event WHERE kind = 'ticket.assigned' AND payload->>'by' = 'route_backlog'";
    assert_eq!(desk.db.number(told).await, 20);
}

#[tokio::test]
async fn a_week_is_summed_up_once_a_day() {
    let mut desk = Desk::open().await;
    let now = "SELECT to_char(fleet.clock() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')";
    let now = desk.db.text(now).await;
    desk.at(&now).await;
    let first = desk.sorted(QUESTION).await;
    desk.sorted("My password is wrong and I am locked out")
        .await;
    desk.sorted(UNCLEAR).await;
    desk.edit(
        first,
        Edit {
            category: Some("billing".into()),
            resolved: Some(true),
            ..Edit::default()
        },
    )
    .await
    .unwrap();
    let sums = digest(&desk.db.pool).await.unwrap();
    let it = &sums[0];
    assert_eq!(
        (sums.len(), it.decided, it.live, it.waiting_for_review),
        (1, 3, 2, 1)
    );
    assert!((it.coverage.unwrap() - 2.0 / 3.0).abs() < 1e-9);
    assert_eq!(it.override_rate, Some(0.5));
    // Two were known, both said 0.9, one was right.
    assert!((it.calibration_error.unwrap() - 0.4).abs() < 1e-9);
    digest(&desk.db.pool).await.unwrap();
    assert_eq!(desk.events("triage.summed_up").await, 1);
}
