//! A fault at every probe: whatever breaks there, every job ends as it should, once, and every invariant holds.
//!
//! The rounds are made from [`Probes::ALL`]. A new probe is covered by being there: [`list`] holds the list against the sources, and
//! sees that the usual work reaches each of them. Errors, lost connections and lost leases happen to roles in this process
//! ([`crew`]); sudden death to the real binary ([`deaths`]).

mod crew;
mod deaths;
mod list;
mod work;

use std::time::Duration;

use fleet_queue::transitions::rescue::rescue;
use fleet_queue::{Db, ProbeAction, Probes};
use fleet_scheduler::{Duty, SchedulerSettings, Upkeep};
use fleet_tests::{database, eventually, invariants};

use crew::Crew;
use work::Work;

#[derive(Clone, Copy, Debug)]
enum Fault {
    /// What was under way fails.
    Error,
    /// Every connection of the roles is lost, its transactions with them.
    Cut,
    /// The process stands still for longer than its lease, and others take over meanwhile.
    Pause,
}

#[tokio::test]
async fn an_error_at_any_probe_loses_nothing_and_doubles_nothing() {
    survive_at_every_probe(Fault::Error).await;
}

#[tokio::test]
async fn a_lost_connection_at_any_probe_loses_nothing_and_doubles_nothing() {
    survive_at_every_probe(Fault::Cut).await;
}

#[tokio::test]
async fn a_pause_past_the_lease_at_any_probe_loses_nothing_and_doubles_nothing() {
    survive_at_every_probe(Fault::Pause).await;
}

/// A crew works on, round after round, and is struck at another probe in each.
async fn survive_at_every_probe(fault: Fault) {
    let db = database().await;
    let mut work = Work::begin(&db).await;
    let mut crew = Crew::start(&db).await;
    let probes = crew.probes();
    for point in Probes::ALL {
        println!("{fault:?} at {point}"); // shown where it is not survived
        let round = async {
            work.round(&db).await;
            work.post(crew.poster()).await;
            if point == "worker.before_depart" {
                crew.replace_worker().await;
            }
            work.done(&db).await;
        };
        tokio::join!(strike(&db.db, &probes, point, fault), round);
    }
    crew.stop().await;
    work.check(&db).await;
    assert_eq!(db.number(RUNNING).await, 0, "nothing runs when nobody does");
    invariants::assert_hold(&db.pool).await;
}

const RUNNING: &str = "SELECT count(*) FROM fleet.job WHERE state = 'running'";

/// Lets the fault happen to whoever reaches the probe first.
async fn strike(db: &Db, probes: &Probes, point: &'static str, fault: Fault) {
    let first = match fault {
        Fault::Error => ProbeAction::Fail,
        Fault::Cut | Fault::Pause => ProbeAction::Hold,
    };
    probes.set(point, first);
    let reached = tokio::time::timeout(fleet_tests::wait::DEADLINE, probes.reached(point, 1));
    reached
        .await
        .unwrap_or_else(|_| panic!("nobody came to {point}"));
    match fault {
        Fault::Error => {}
        Fault::Cut => crew::cut(db).await,
        Fault::Pause => others_take_over(db).await,
    }
    probes.set(point, ProbeAction::Continue);
}

/// As the database sees a process that stands still: its lease ends, its jobs are taken, its duties are done by another.
async fn others_take_over(db: &Db) {
    let mut tx = db.begin("tests.faults").await.unwrap();
    sqlx::query("UPDATE fleet.worker SET lease_until = 'epoch' WHERE ended_at IS NULL")
        .execute(&mut *tx)
        .await
        .unwrap();
    rescue(&mut tx, Duration::ZERO).await.unwrap();
    tx.commit().await.unwrap();
    let other = Upkeep::new(Db::new(db.pool().clone()), SchedulerSettings::default());
    for duty in [Duty::Ticks, Duty::Promote, Duty::Expire, Duty::Rescue] {
        eventually("another does the duty", || async {
            other.tick(duty).await.ok()
        })
        .await;
    }
}
