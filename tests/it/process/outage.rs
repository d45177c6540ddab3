//! The database goes away under load, and comes back.

use std::time::Duration;

use fleet_queue::MIGRATOR;
use fleet_runtime::postgres::Embedded;
use fleet_tests::process::signal;
use fleet_tests::wait::within;
use fleet_tests::{TestDb, invariants};
use sqlx::postgres::PgPoolOptions;
use tokio_util::sync::CancellationToken;

use super::*;

/// A server of this test's own, which it may kill.
async fn own_server() -> (Embedded, TestDb) {
    let server = Embedded::throw_away().await.unwrap();
    let url = server.url();
    let pool = PgPoolOptions::new()
        .max_connections(8)
        .connect(&url)
        .await
        .unwrap();
    MIGRATOR.run(&pool).await.unwrap();
    (server, TestDb::elsewhere(pool, url))
}

/// Asks through an outage: a query that fails is asked again.
async fn until_through(db: &TestDb, what: &str, sql: &'static str, n: i64) {
    // A recovery and a lease on a machine that is busy with other tests.
    within(Duration::from_mins(3), what, || async {
        let found: Result<i64, _> = sqlx::query_scalar(sql).fetch_one(&db.pool).await;
        (found.ok()? == n).then_some(())
    })
    .await;
}

#[tokio::test]
async fn i11_workers_live_through_a_restart_of_the_database() {
    let (server, db) = own_server().await;
    let stop = CancellationToken::new();
    let pid = server.pid();
    let supervised = {
        let stop = stop.clone();
        tokio::spawn(async move { server.supervise(stop).await })
    };
    let mut processes = [worker(&db), worker(&db), scheduler(&db)];
    until(&db, "two workers live", LIVING, 2).await;
    put(&db, &(0..600).map(|n| effect(n, 100)).collect::<Vec<_>>()).await;
    until_through(
        &db,
        "some are done",
        "SELECT (count(*) > 50)::int::bigint FROM fleet.job_history",
        1,
    )
    .await;
    // As a power cut would: nothing is written on the way out.
    signal(pid, "QUIT");
    until_through(&db, "all is done", COMPLETED, 600).await;
    for process in &mut processes {
        assert!(process.has_ended().is_none(), "an outage ends no process");
    }
    no_effect_is_doubled(&db, 600).await;
    invariants::assert_hold(&db.pool).await;
    stop.cancel();
    supervised.await.unwrap().unwrap();
}
