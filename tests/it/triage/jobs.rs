//! The family's kinds, run by a worker as in production.

use std::time::Duration;

use fleet_jobs::triage::{Digest, Promise, RouteBacklog, SlaDeadline, SlaSweep, Ticket};
use fleet_queue::transitions::enqueue::enqueue;
use fleet_queue::{NewJob, TenantId};
use fleet_tests::TestDb;
use fleet_tests::wait::within;
use fleet_worker::{WorkerError, WorkerSettings};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::desk::{Desk, QUESTION, TENANT};

/// Runs every job that is due, and those that these make due, until none is left.
pub(super) async fn run_all(db: &TestDb) {
    let running = start(db, WorkerSettings::default());
    let due = "SELECT count(*) FROM fleet.job WHERE state IN ('available', 'running')";
    within(
        Duration::from_secs(60),
        "all that is due has run",
        || async { (db.number(due).await == 0).then_some(()) },
    )
    .await;
    running.stop().await;
}

/// A worker that runs until it is told to stop.
pub(super) struct Running {
    soft: CancellationToken,
    worker: JoinHandle<Result<(), WorkerError>>,
}

pub(super) fn start(db: &TestDb, settings: WorkerSettings) -> Running {
    let soft = CancellationToken::new();
    let worker = fleet_worker::run(
        settings,
        db.db.clone(),
        fleet_jobs::registry(),
        soft.clone(),
        CancellationToken::new(),
    );
    Running {
        soft,
        worker: tokio::spawn(worker),
    }
}

impl Running {
    pub(super) async fn stop(self) {
        self.soft.cancel();
        self.worker.await.unwrap().unwrap();
    }
}

/// How jobs of a kind ended, and with what.
async fn ended(db: &TestDb, kind: &str) -> Vec<String> {
    let sql = "SELECT h.state || ' ' || COALESCE(o.output::text, h.reason, '') FROM fleet.job_history AS h LEFT JOIN fleet.job_output AS o ON o.job_id = h.id WHERE h.kind = $1 ORDER BY h.id";
    sqlx::query_scalar(sql)
        .bind(kind)
        .fetch_all(&db.pool)
        .await
        .unwrap()
}

#[tokio::test]
async fn a_ticket_that_came_in_is_sorted_by_a_worker() {
    let mut desk = Desk::today().await;
    let ticket = desk.ticket(QUESTION).await;
    run_all(&desk.db).await;
    let ended = ended(&desk.db, "triage.ticket").await;
    assert!(ended[0].contains("\"route\": \"partner\""), "{ended:?}");
    assert_eq!(desk.line(ticket).await, "open low how_to partner");
}

#[tokio::test]
async fn what_is_gone_completes_as_skipped() {
    let desk = Desk::today().await;
    let nobody = Uuid::from_u128(9);
    let deadline = SlaDeadline {
        ticket_id: nobody,
        clock: Promise::Resolution,
        message_id: None,
    };
    for job in [
        Ticket {
            ticket_id: nobody,
            revision: 1,
        }
        .new_job(TENANT),
        NewJob::of(&deadline).tenant(TENANT),
    ] {
        enqueue(&mut *desk.db.conn().await, &job).await.unwrap();
    }
    run_all(&desk.db).await;
    for kind in ["triage.ticket", "triage.sla_deadline"] {
        let ended = ended(&desk.db, kind).await;
        assert!(
            ended[0].starts_with("completed") && ended[0].contains("gone"),
            "{ended:?}"
        );
    }
}

#[tokio::test]
async fn another_tenants_job_reaches_no_ticket() {
    let mut desk = Desk::today().await;
    let ticket = desk.ticket(QUESTION).await;
    let stranger = TenantId(Uuid::from_u128(5));
    desk.db.execute("DELETE FROM fleet.job").await;
    let job = Ticket {
        ticket_id: ticket,
        revision: 1,
    }
    .new_job(stranger);
    enqueue(&mut *desk.db.conn().await, &job).await.unwrap();
    run_all(&desk.db).await;
    assert!(ended(&desk.db, "triage.ticket").await[0].contains("gone"));
    assert_eq!(desk.line(ticket).await, "open medium - tier1");
}

#[tokio::test]
async fn the_platforms_rounds_run_and_are_nobody_elses() {
    let desk = Desk::today().await;
    let rounds = || {
        [
            NewJob::of(&SlaSweep::default()),
            NewJob::of(&RouteBacklog::default()),
            NewJob::of(&Digest::default()),
        ]
    };
    for job in rounds()
        .into_iter()
        .chain(rounds().map(|job| job.tenant(TENANT)))
    {
        enqueue(&mut *desk.db.conn().await, &job).await.unwrap();
    }
    run_all(&desk.db).await;
    for kind in ["triage.sla_sweep", "triage.route_backlog", "triage.digest"] {
        let ended = ended(&desk.db, kind).await;
        assert!(ended[0].starts_with("completed"), "{ended:?}");
        assert!(ended[1].contains("only the platform"), "{ended:?}");
    }
}
