//! A backlog of tickets: taken in, and sorted by one worker and the model that ships, and at what rate.

use std::time::Duration;

use fleet_jobs::capacity::score_all;
use fleet_jobs::tickets::{NewTicket, create};
use fleet_queue::TenantId;
use fleet_tests::wait::within;
use fleet_tests::{TestDb, asked};
use fleet_worker::WorkerSettings;
use tokio::time::Instant;
use uuid::Uuid;

use super::desk::{Desk, LOCKED_OUT, QUESTION, UNCLEAR};
use super::jobs::start;
use super::models::use_shipped;

/// Targets say 500 a second on two quiet cores; tests are built to be debugged and run beside each other on whatever there is.
const PATIENCE: Duration = Duration::from_mins(10);

const MAKE: &str = "
    INSERT INTO fleet.partners (tenant_id, partner_id, name, active_since, max_load)
    SELECT '00000000-0000-0000-0000-000000000000', md5('p' || i)::uuid, 'partner ' || i, '2024-01-01', 100 FROM generate_series(1, 50) i;
    INSERT INTO fleet.clients (tenant_id, client_id, name, plan, active_since)
    SELECT md5('t' || i % 10)::uuid, md5('c' || i)::uuid, 'client ' || i, CASE WHEN i % 20 = 0 THEN 'enterprise' ELSE 'starter' END, '2024-01-01'
    FROM generate_series(0, 999) i;
    INSERT INTO fleet.client_assignments (tenant_id, client_id, partner_id)
    SELECT md5('t' || i % 10)::uuid, md5('c' || i)::uuid, md5('p' || 1 + i % 50)::uuid FROM generate_series(0, 999) i;
    INSERT INTO fleet.kb_articles (tenant_id, title, body)
    SELECT '00000000-0000-0000-0000-000000000000', 'Article ' || i, 'How to find the team page, a password, an invoice: step ' || i FROM generate_series(1, 100) i;
    ANALYZE fleet.partners, fleet.clients, fleet.client_assignments";

const ASKED: [&str; 6] = [
    QUESTION,
    LOCKED_OUT,
    UNCLEAR,
    "The invoice of last month was billed to the old address. Please send the receipt again.",
    "It would help if reports could be sent every Monday. Please add that, it would be great if it came soon.",
    "Since this morning the webhook does not work: the API answers with an error. This is really annoying!",
];

/// How many: three hundred, or as many as `FLEET_TRIAGE_BACKLOG` says.
fn backlog() -> u32 {
    asked("FLEET_TRIAGE_BACKLOG").unwrap_or(300)
}

/// The worker has as many handlers as it has by itself, or as `FLEET_TRIAGE_HANDLERS` says.
fn settings() -> WorkerSettings {
    let mut settings = WorkerSettings::default();
    if let Some(handlers) = asked("FLEET_TRIAGE_HANDLERS") {
        settings.concurrency = handlers;
    }
    settings
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backlog_is_sorted_to_its_last_ticket() {
    let desk = Desk::today().await;
    use_shipped(&desk).await;
    desk.db.execute(MAKE).await;
    let now = sqlx::query_scalar("SELECT fleet.clock()");
    let now = now.fetch_one(&desk.db.pool).await.unwrap();
    score_all(&desk.db.pool, now).await.unwrap();
    let tickets = backlog();
    let begun = Instant::now();
    take_in(&desk.db, tickets).await;
    let rate = |begun: Instant| f64::from(tickets) / begun.elapsed().as_secs_f64();
    println!("{tickets} tickets taken in, {:.0} a second", rate(begun));
    let begun = Instant::now();
    let running = start(&desk.db, settings());
    // From its end, where the last one stands: looking costs the same however many there are.
    let unsorted = "SELECT count(*) FROM (SELECT FROM fleet.tickets WHERE triaged_revision IS DISTINCT FROM revision AND status <> 'resolved' ORDER BY opened_at DESC LIMIT 1) AS t";
    within(PATIENCE, "all are sorted", || async {
        (desk.db.number(unsorted).await == 0).then_some(())
    })
    .await;
    running.stop().await;
    println!("{tickets} tickets sorted, {:.0} a second", rate(begun));
    let decided = "SELECT count(*) FROM fleet.triage_decisions";
    assert_eq!(desk.db.number(decided).await, i64::from(tickets));
}

/// Five hundred at a time, a hundred clients of one tenant each.
async fn take_in(db: &TestDb, tickets: u32) {
    let mut conn = db.conn().await;
    let ids = "SELECT tenant_id, array_agg(client_id ORDER BY client_id) FROM fleet.clients WHERE name LIKE 'client %' GROUP BY tenant_id";
    let tenants: Vec<(Uuid, Vec<Uuid>)> = sqlx::query_as(ids).fetch_all(&db.pool).await.unwrap();
    for batch in 0..tickets.div_ceil(500) {
        let (tenant, clients) = &tenants[batch as usize % tenants.len()];
        let numbers = (batch * 500..tickets.min((batch + 1) * 500)).map(|n| n as usize);
        let ticket = |n: usize| NewTicket {
            client_id: clients[n % clients.len()],
            subject: format!("Question {n}"),
            body: ASKED[n % ASKED.len()].to_owned(),
            external_id: None,
            message_id: None,
            opened_at: None,
        };
        let batch: Vec<NewTicket> = numbers.map(ticket).collect();
        create(&mut conn, TenantId(*tenant), &batch).await.unwrap();
    }
}
