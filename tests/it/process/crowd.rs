//! Two of every process on one database.

use fleet_queue::TenantId;
use fleet_queue::limits::{LimitRule, set_limit};
use fleet_tests::{database, invariants};
use uuid::Uuid;

use super::*;

#[tokio::test]
async fn two_of_everything_double_nothing() {
    let db = database().await;
    let _processes = [worker(&db), worker(&db), scheduler(&db), scheduler(&db)];
    let mut jobs: Vec<_> = (0..1_000).map(|n| effect(n, 0)).collect();
    for job in jobs.iter_mut().take(200) {
        job.run_at = Some(job_time(&db).await);
    }
    put(&db, &jobs).await;
    until(&db, "all is done", COMPLETED, 1_000).await;
    no_effect_is_doubled(&db, 1_000).await;
    invariants::assert_hold(&db.pool).await;
}

/// A second from now, by the database's clock.
async fn job_time(db: &TestDb) -> chrono::DateTime<chrono::Utc> {
    sqlx::query_scalar("SELECT now() + interval '1 second'")
        .fetch_one(&db.pool)
        .await
        .unwrap()
}

#[tokio::test]
async fn a_flood_of_one_tenant_does_not_delay_another() {
    let db = database().await;
    let _processes = [worker(&db), worker(&db), scheduler(&db)];
    let of = |tenant: u128, job: NewJob| job.tenant(TenantId(Uuid::from_u128(tenant)));
    for _ in 0..10 {
        put(
            &db,
            &(0..10_000)
                .map(|_| of(1, NewJob::of(&Sleep { ms: 20 })))
                .collect::<Vec<_>>(),
        )
        .await;
    }
    for n in 0..20 {
        put(&db, &[of(2, effect(n, 0))]).await;
    }
    until(
        &db,
        "the other tenant is served",
        "SELECT count(*) FROM fleet.diagnostic_effect",
        20,
    )
    .await;
    let left = db
        .number("SELECT count(*) FROM fleet.job WHERE kind = 'diagnostics.sleep'")
        .await;
    assert!(left > 50_000, "the flood was still almost whole: {left}");
    let slowest = db.number("SELECT max(extract(epoch FROM started_at - created_at) * 1000)::bigint FROM fleet.job_history WHERE kind = 'diagnostics.effect'").await;
    assert!(slowest < 5_000, "the other tenant waited {slowest} ms");
}

#[tokio::test]
async fn i10_a_cap_holds_over_two_workers_at_every_look() {
    let db = database().await;
    let rule = LimitRule {
        name: "all".into(),
        cap: Some(3),
        ..LimitRule::default()
    };
    set_limit(&mut *db.conn().await, &rule).await.unwrap();
    let _processes = [worker(&db), worker(&db), scheduler(&db)];
    put(&db, &(0..60).map(|n| effect(n, 20)).collect::<Vec<_>>()).await;
    let mut most = 0;
    while db.number(COMPLETED).await < 60 {
        most = most.max(db.number(RUNNING).await);
        assert!(most <= 3, "{most} ran under a cap of 3");
    }
    assert_eq!(most, 3, "and the cap is used");
    invariants::assert_hold(&db.pool).await;
}
