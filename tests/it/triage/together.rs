//! Tickets that are due at the same time: sorted in one transaction, and none the worse for it.

use std::time::Duration;

use fleet_jobs::tickets::create;
use fleet_queue::transitions::cancel::cancel;
use fleet_queue::{JobId, ProbeAction};
use fleet_tests::wait::within;
use fleet_worker::WorkerSettings;
use metrics_exporter_prometheus::PrometheusBuilder;
use uuid::Uuid;

use super::desk::{Desk, LOCKED_OUT, QUESTION, TENANT, UNCLEAR, new_ticket};
use super::jobs::{run_all, start};

const SORTED: &str = "SELECT count(*) FROM fleet.tickets WHERE triaged_revision = 1";
const RUNNING: &str =
    "SELECT count(*) FROM fleet.job WHERE kind = 'triage.ticket' AND state = 'running'";
/// Where a group has done its work and is about to settle its jobs.
const BEFORE_SETTLE: &str = "cx.before_settle_in";

/// Takes tickets in, each different from every other; the ids in order.
async fn take_in(desk: &mut Desk, number: usize) -> Vec<Uuid> {
    let ticket = |n: usize| {
        let mut ticket = new_ticket([QUESTION, LOCKED_OUT, UNCLEAR][n % 3]);
        ticket.subject = format!("Question {n}");
        ticket
    };
    let tickets: Vec<_> = (0..number).map(ticket).collect();
    let made = create(desk.conn(), TENANT, &tickets).await.unwrap();
    made.into_iter().map(|it| it.unwrap().ticket_id).collect()
}

/// Until every handler has begun, while those that lead are held.
async fn gather(desk: &Desk, tickets: u64) {
    desk.db.probes().reached("worker.before_run", tickets).await;
    desk.db.probes().reached(BEFORE_SETTLE, 1).await;
}

#[tokio::test]
async fn tickets_that_are_due_at_once_share_a_transaction() {
    let mut desk = Desk::today().await;
    take_in(&mut desk, 12).await;
    desk.db.probes().set(BEFORE_SETTLE, ProbeAction::Hold);
    let worker = start(&desk.db, WorkerSettings::default());
    gather(&desk, 12).await;
    desk.db.probes().set(BEFORE_SETTLE, ProbeAction::Continue);
    within(Duration::from_secs(60), "all are sorted", || async {
        (desk.db.number(SORTED).await == 12).then_some(())
    })
    .await;
    worker.stop().await;
    // Two that led, and whom they kept waiting: at most one group for each of the two.
    let transactions = "SELECT count(DISTINCT xmin::text) FROM fleet.tickets";
    let seen = desk.db.number(transactions).await;
    assert!((1..=4).contains(&seen), "{seen} transactions");
    for (what, sql, expected) in [
        (
            "decisions",
            "SELECT count(*) FROM fleet.triage_decisions",
            12,
        ),
        ("questions", "SELECT count(*) FROM fleet.approvals", 4),
        ("clocks", "SELECT count(*) FROM fleet.ticket_clocks", 24),
        (
            "completed",
            "SELECT count(*) FROM fleet.job_history WHERE kind = 'triage.ticket' AND state = 'completed' AND attempt = 1",
            12,
        ),
    ] {
        assert_eq!(desk.db.number(sql).await, expected, "{what}");
    }
}

#[tokio::test]
async fn one_that_cannot_be_sorted_fails_alone() {
    let mut desk = Desk::today().await;
    let tickets = take_in(&mut desk, 8).await;
    let trap = format!(
        "CREATE FUNCTION public.trap() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'a trap'; END $$;
         CREATE TRIGGER trap BEFORE UPDATE ON fleet.tickets FOR EACH ROW WHEN (NEW.ticket_id = '{}') EXECUTE FUNCTION public.trap()",
        tickets[5]
    );
    let trap = sqlx::raw_sql(sqlx::AssertSqlSafe(trap));
    trap.execute(&desk.db.pool).await.unwrap();
    let recorder = PrometheusBuilder::new().build_recorder();
    let counting = metrics::set_default_local_recorder(&recorder);
    run_all(&desk.db).await;
    drop(counting);
    assert_eq!(desk.db.number(SORTED).await, 7);
    let completed = "SELECT count(*) FROM fleet.job_history WHERE kind = 'triage.ticket' AND state = 'completed' AND attempt = 1";
    assert_eq!(desk.db.number(completed).await, 7, "at the first attempt");
    let waiting =
        "SELECT string_agg(payload->>'ticket_id', ',') FROM fleet.job WHERE kind = 'triage.ticket'";
    assert_eq!(desk.db.text(waiting).await, tickets[5].to_string());
    let failed = "SELECT string_agg(error, ',') FROM fleet.attempt";
    assert!(desk.db.text(failed).await.contains("a trap"));
    assert_eq!(decided(&recorder.handle().render()), 7, "once each");
}

/// The tickets that were counted as decided on.
fn decided(metrics: &str) -> u64 {
    let counters = metrics
        .lines()
        .filter(|line| line.starts_with("fleet_triage_decided_total{"));
    let values = counters.map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap());
    values.sum()
}

#[tokio::test]
async fn those_whose_leader_is_stopped_are_sorted_all_the_same() {
    let mut desk = Desk::today().await;
    let tickets = take_in(&mut desk, 6).await;
    desk.db.probes().set(BEFORE_SETTLE, ProbeAction::Hold);
    let settings = WorkerSettings {
        cancel_grace: Duration::from_millis(200),
        ..WorkerSettings::default()
    };
    let worker = start(&desk.db, settings);
    gather(&desk, 6).await;
    // Whoever leads is among them; the last one is left.
    for ticket in &tickets[..5] {
        let job =
            "SELECT id FROM fleet.job WHERE kind = 'triage.ticket' AND payload->>'ticket_id' = $1";
        let job = sqlx::query_scalar(job).bind(ticket.to_string());
        let job = JobId(job.fetch_one(&desk.db.pool).await.unwrap());
        cancel(&mut *desk.db.conn().await, job, None).await.unwrap();
    }
    within(Duration::from_secs(60), "one is left", || async {
        (desk.db.number(RUNNING).await == 1).then_some(())
    })
    .await;
    desk.db.probes().set(BEFORE_SETTLE, ProbeAction::Continue);
    within(Duration::from_secs(60), "it is sorted", || async {
        (desk.db.number(RUNNING).await == 0).then_some(())
    })
    .await;
    worker.stop().await;
    let sorted =
        "SELECT string_agg(ticket_id::text, ',') FROM fleet.tickets WHERE triaged_revision = 1";
    assert_eq!(desk.db.text(sorted).await, tickets[5].to_string());
    let cancelled = "SELECT count(*) FROM fleet.job_history WHERE kind = 'triage.ticket' AND state = 'cancelled'";
    assert_eq!(desk.db.number(cancelled).await, 5);
}
