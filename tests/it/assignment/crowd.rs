//! The proof: 32 assigners in real processes, more clients than slots to waste, kill -9 in the middle, capacities computed all the while.
//! Every client once, the sum of loads that of the weights, nobody over.

use std::time::Duration;

use fleet_jobs::assignment::Auto;
use fleet_jobs::capacity::score_all;
use fleet_queue::transitions::enqueue::enqueue_many;
use fleet_queue::{NewJob, TenantId};
use fleet_tests::process::Process;
use fleet_tests::{asked, eventually, invariants, wait};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::house::House;

const FLEET: &str = env!("CARGO_BIN_EXE_fleet-under-test");
const PARTNERS: i64 = 50;
/// Clients, unless `FLEET_CROWD` says how many; the figure that was promised is 2000.
const CLIENTS: i64 = 600;

/// Assigners in all.
const HANDLERS: usize = 32;
/// The processes that they are in, unless `FLEET_CROWD_WORKERS` says how many.
const WORKERS: usize = 4;

/// Slots are just as many as clients weigh: one that is lost, or taken twice, leaves somebody out.
const MAKE: &str = "
    INSERT INTO fleet.partners (tenant_id, partner_id, name, active_since, max_load)
    SELECT '00000000-0000-0000-0000-000000000000', md5('p' || i)::uuid, 'partner ' || i, '2024-01-01',
           $1::bigint / $2::bigint + CASE WHEN i = $2 THEN $1 % $2 ELSE 0 END + CASE WHEN i % 2 = 0 THEN 3 ELSE -3 END
    FROM generate_series(1, $2) AS i";
const CROWD: &str = "
    INSERT INTO fleet.clients (tenant_id, client_id, name, active_since)
    SELECT md5('t' || i % 7)::uuid, md5('c' || i)::uuid, 'client ' || i, '2024-01-01' FROM generate_series(1, $1) AS i
    RETURNING tenant_id, client_id";

fn worker(house: &House, handlers: &str) -> Process {
    let args = ["worker", "--concurrency", handlers];
    Process::start(FLEET, &house.db.url, &args, &[])
}

#[tokio::test]
async fn thirty_two_assigners_and_a_kill_leave_every_client_one_partner_and_nobody_over() {
    let house = House::open().await;
    let clients = asked("FLEET_CROWD").unwrap_or(CLIENTS);
    let processes = asked("FLEET_CROWD_WORKERS").unwrap_or(WORKERS);
    let handlers = (HANDLERS / processes).to_string();
    sqlx::query(MAKE)
        .bind(clients)
        .bind(PARTNERS)
        .execute(&house.db.pool)
        .await
        .unwrap();
    house.score().await;
    let crowd: Vec<(Uuid, Uuid)> = sqlx::query_as(CROWD)
        .bind(clients)
        .fetch_all(&house.db.pool)
        .await
        .unwrap();
    let jobs: Vec<NewJob> = crowd
        .iter()
        .map(|(tenant, client)| Auto::of(*client).new_job(TenantId(*tenant)))
        .collect();
    enqueue_many(&mut *house.db.conn().await, &jobs)
        .await
        .unwrap();
    let _scheduler = Process::start(FLEET, &house.db.url, &["scheduler"], &[]);
    let mut workers: Vec<Process> = (0..processes).map(|_| worker(&house, &handlers)).collect();
    let scoring = score_meanwhile(&house);
    let assigned = "SELECT count(*) FROM fleet.client_assignments";
    for (share, doomed) in [(4, 0), (2, 1)] {
        eventually("a part is done", || async {
            (house.db.number(assigned).await >= clients / share).then_some(())
        })
        .await;
        workers[doomed].kill();
        workers.push(worker(&house, &handlers));
    }
    let left = "SELECT count(*) FROM fleet.job WHERE kind = 'assignment.auto'";
    wait::within(
        Duration::from_secs(300),
        "everybody is decided on",
        || async { (house.db.number(left).await == 0).then_some(()) },
    )
    .await;
    scoring.0.cancel();
    println!(
        "capacities computed {} times over meanwhile",
        scoring.1.await.unwrap()
    );
    assert_eq!(
        house
            .db
            .number("SELECT count(*) FROM fleet.client_assignments WHERE ended_at IS NULL")
            .await,
        clients,
        "every client once"
    );
    assert_eq!(
        house
            .db
            .number("SELECT sum(load)::bigint FROM fleet.partner_capacity")
            .await,
        clients,
        "the sum of loads"
    );
    assert_eq!(
        house
            .db
            .number("SELECT count(*) FROM fleet.partner_capacity WHERE load <> cap")
            .await,
        0,
        "every slot was needed"
    );
    assert_eq!(
        house
            .db
            .number("SELECT count(*) FROM fleet.assignment_decisions")
            .await,
        clients,
        "one decision each"
    );
    assert_eq!(
        house.events("assignment.made").await,
        clients,
        "one event each"
    );
    assert_eq!(
        house
            .db
            .number("SELECT count(*) FROM fleet.assignment_waitlist")
            .await,
        0
    );
    let crashed = "SELECT count(*) FROM fleet.worker WHERE end_reason = 'lease expired'";
    // At least: on a busy machine the living may lose their leases, too, which must harm as little.
    eventually("both deaths were noticed", || async {
        (house.db.number(crashed).await >= 2).then_some(())
    })
    .await;
    house.holds().await;
    drop(workers);
    house.score().await;
    house.holds().await;
    invariants::assert_hold(&house.db.pool).await;
}

/// Computes every capacity again and again, as hard as it can: none of it may hide a slot that was taken.
fn score_meanwhile(house: &House) -> (CancellationToken, tokio::task::JoinHandle<u64>) {
    let (pool, stop) = (house.db.pool.clone(), CancellationToken::new());
    let until = stop.clone();
    let task = tokio::spawn(async move {
        let mut times = 0;
        while !until.is_cancelled() {
            let now = sqlx::query_scalar("SELECT fleet.clock()")
                .fetch_one(&pool)
                .await
                .unwrap();
            score_all(&pool, now).await.unwrap();
            times += 1;
        }
        times
    });
    (stop, task)
}
