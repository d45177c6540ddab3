//! Broken promises: one level up for each, to somebody who is there.

use fleet_jobs::tickets::Author;
use fleet_jobs::triage::{look, sort};

use super::desk::{ANN, Desk, QUESTION, SUE, TENANT, UNCLEAR, pin};

/// Who is barred from promotion.
const BARRED: &str = "SELECT COALESCE(string_agg(p.name, ', ' ORDER BY p.name), '') FROM fleet.partner_escalations AS e JOIN fleet.partners AS p USING (partner_id) WHERE e.closed_at IS NULL";

#[tokio::test]
async fn a_breach_brings_a_partners_ticket_to_a_senior_one_and_then_to_an_admin() {
    let mut desk = Desk::open().await;
    let ticket = desk.sorted(QUESTION).await;
    assert_eq!(desk.show(ticket).await.ticket.partner_id, Some(ANN));
    desk.at("2026-11-23T17:00:00Z").await;
    assert_eq!(desk.look(ticket).await.breached, 1);
    assert_eq!(desk.line(ticket).await, "escalated low how_to senior");
    assert_eq!(desk.show(ticket).await.ticket.partner_id, Some(SUE));
    assert_eq!(desk.db.text(BARRED).await, "Ann");
    assert_eq!(desk.look(ticket).await.breached, 0, "once a clock");
    // 72 business hours are nine days of work.
    desk.at("2026-12-03T17:00:00Z").await;
    assert_eq!(desk.look(ticket).await.breached, 1);
    assert_eq!(desk.line(ticket).await, "escalated low how_to admin");
    assert_eq!(desk.db.text(BARRED).await, "Ann, Sue");
    let kept = "SELECT string_agg(p.name || ' ' || o.met, ', ' ORDER BY p.name) FROM fleet.sla_outcomes AS o JOIN fleet.partners AS p USING (partner_id)";
    assert_eq!(desk.db.text(kept).await, "Ann false, Sue false");
    desk.resolve(ticket).await;
    assert_eq!(desk.db.text(BARRED).await, "");
    assert_eq!(desk.events("ticket.escalated").await, 2);
}

#[tokio::test]
async fn the_first_lines_ticket_goes_to_the_clients_partner_and_past_those_who_are_away() {
    let mut desk = Desk::open().await;
    let ticket = desk.sorted(UNCLEAR).await;
    desk.at("2026-11-23T13:00:00Z").await;
    assert_eq!(desk.look(ticket).await.breached, 1);
    assert_eq!(desk.show(ticket).await.ticket.assigned_to, "partner");
    let mut desk = Desk::open().await;
    let ticket = desk.sorted(UNCLEAR).await;
    desk.db
        .execute("UPDATE fleet.partners SET status = 'paused'")
        .await;
    desk.at("2026-11-23T13:00:00Z").await;
    desk.look(ticket).await;
    assert_eq!(desk.show(ticket).await.ticket.assigned_to, "admin");
    assert_eq!(desk.db.text(BARRED).await, "", "nobody had it");
}

#[tokio::test]
async fn a_senior_partner_gets_no_more_than_it_has_room_for() {
    let mut desk = Desk::open().await;
    let one = desk.sorted(QUESTION).await;
    let other = desk.sorted(QUESTION).await;
    desk.db
        .execute("UPDATE fleet.partner_capacity SET load = cap - 0.15")
        .await;
    desk.at("2026-11-23T17:00:00Z").await;
    desk.look(one).await;
    desk.look(other).await;
    assert_eq!(desk.line(one).await, "escalated low how_to senior");
    assert_eq!(desk.line(other).await, "escalated low how_to admin");
}

#[tokio::test]
async fn an_escalated_ticket_stays_where_it_was_brought() {
    let mut desk = Desk::open().await;
    let ticket = desk.sorted(QUESTION).await;
    desk.at("2026-11-23T17:00:00Z").await;
    desk.look(ticket).await;
    desk.say(ticket, Author::Customer, false).await;
    desk.sort(ticket).await;
    assert_eq!(desk.line(ticket).await, "escalated low how_to senior");
}

/// Eight look at once at a ticket whose promise has just been broken.
#[tokio::test]
async fn many_that_look_at_once_find_one_breach() {
    let mut desk = Desk::open().await;
    let ticket = desk.sorted(QUESTION).await;
    let looks = (0..8).map(|_| {
        let pool = desk.db.pool.clone();
        tokio::spawn(async move {
            let mut tx = pool.begin().await.unwrap();
            pin(&mut tx, "2026-11-23T17:00:00Z").await;
            let kept = look(&mut tx, TENANT, ticket, None).await.unwrap().unwrap();
            tx.commit().await.unwrap();
            kept.breached
        })
    });
    let mut breaches = 0;
    for look in looks.collect::<Vec<_>>() {
        breaches += look.await.unwrap();
    }
    assert_eq!(breaches, 1);
    assert_eq!(desk.events("ticket.escalated").await, 1);
    assert_eq!(desk.show(ticket).await.ticket.escalation_level, 2);
    let outcomes = "SELECT count(*) FROM fleet.sla_outcomes";
    assert_eq!(desk.db.number(outcomes).await, 1);
}

#[tokio::test]
async fn looking_at_what_is_gone_or_done_finds_nothing() {
    let mut desk = Desk::open().await;
    let ticket = desk.sorted(QUESTION).await;
    desk.resolve(ticket).await;
    desk.at("2026-12-23T17:00:00Z").await;
    assert_eq!(desk.look(ticket).await.breached, 0);
    desk.db.execute("DELETE FROM fleet.tickets").await;
    assert_eq!(look(desk.conn(), TENANT, ticket, None).await.unwrap(), None);
    let sorted = sort(desk.conn(), TENANT, ticket, 1, None).await.unwrap();
    assert!(format!("{sorted:?}").contains("gone"));
}
