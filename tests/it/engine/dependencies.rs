//! Jobs that wait for other jobs: freed by their completion, cancelled with their failure: I3.

use fleet_queue::{JobId, JobState, Outcome};
use fleet_tests::hand::settle_one;
use fleet_tests::{database, invariants};

use super::deck::{failure, put, tenant, toy, toymaker};

#[tokio::test]
async fn a_blocked_job_runs_when_all_it_waits_for_completed() {
    let db = database().await;
    let mut hand = toymaker(&db).await;
    let (a, b) = (put(&db, toy()).await.id, put(&db, toy()).await.id);
    let mut last = toy();
    last.rare.depends_on = vec![a, b, a];
    assert_eq!(put(&db, last).await.state, Some(JobState::Blocked));
    let jobs = hand.claim(&db, 10).await;
    assert_eq!(jobs.len(), 2);
    for (n, job) in jobs.into_iter().enumerate() {
        settle_one(&db, job, Outcome::Completed { output: None }).await;
        assert_eq!(
            hand.claim(&db, 10).await.len(),
            n,
            "only the second completion frees it"
        );
    }
    let mut after = toy();
    after.rare.depends_on = vec![a];
    assert_eq!(
        put(&db, after).await.state,
        Some(JobState::Available),
        "what has completed does not block"
    );
    invariants::assert_hold(&db.pool).await;
}

#[tokio::test]
async fn a_blocked_job_falls_with_what_it_waits_for() {
    let db = database().await;
    let mut hand = toymaker(&db).await;
    let first = put(&db, toy()).await.id;
    let mut second = toy();
    second.rare.depends_on = vec![first];
    let second = put(&db, second).await.id;
    let mut third = toy();
    third.rare.depends_on = vec![second];
    put(&db, third).await;
    let job = hand.take(&db).await;
    settle_one(
        &db,
        job,
        Outcome::Discard {
            reason: "broken".into(),
            failure: failure("x"),
        },
    )
    .await;
    let states = db
        .text("SELECT string_agg(state::text, ' ' ORDER BY id) FROM fleet.job_history")
        .await;
    assert_eq!(states, "discarded cancelled cancelled");
    assert!(
        db.queue()
            .await
            .contains(&format!("because depends on {first}, which was discarded"))
    );
    let mut orphan = toy();
    orphan.rare.depends_on = vec![JobId::generate()];
    let refused = fleet_queue::transitions::enqueue::enqueue(&mut *db.conn().await, &orphan).await;
    assert_eq!(
        refused.expect_err("nobody knows it").sqlstate().as_deref(),
        Some("FL003")
    );
    let mut foreign = toy().tenant(tenant(7));
    foreign.rare.depends_on = vec![first];
    assert!(
        fleet_queue::transitions::enqueue::enqueue(&mut *db.conn().await, &foreign)
            .await
            .is_err(),
        "another tenant's job is unknown"
    );
    invariants::assert_hold(&db.pool).await;
}

/// Each waits for the one before; how long a chain may be is not the server's stack to say.
#[tokio::test]
async fn i3_a_chain_of_a_thousand_falls_with_its_first() {
    let db = database().await;
    let mut hand = toymaker(&db).await;
    let first = put(&db, toy()).await.id;
    let job = hand.take(&db).await;
    let mut before = first;
    let mut chain = Vec::new();
    for _ in 0..1_000 {
        let mut next = toy();
        next.rare.depends_on = vec![before];
        before = next.id;
        chain.push(next);
    }
    let mut conn = db.conn().await;
    fleet_queue::transitions::enqueue::enqueue_many(&mut conn, &chain)
        .await
        .unwrap();
    let broken = Outcome::Discard {
        reason: "broken".into(),
        failure: failure("x"),
    };
    settle_one(&db, job, broken).await;
    let fallen = "SELECT count(*) FROM fleet.job_history WHERE state = 'cancelled' AND reason LIKE 'depends on %, which was %'";
    assert_eq!(db.number(fallen).await, 1_000);
    assert_eq!(
        db.number(
            "SELECT (SELECT count(*) FROM fleet.job) + (SELECT count(*) FROM fleet.job_dependency)"
        )
        .await,
        0
    );
    invariants::assert_hold(&db.pool).await;
}

/// An enqueue tells the claim of its lane; of a lane that only this job is in, the end that frees it must.
#[tokio::test]
async fn i3_a_freed_job_is_found_in_a_lane_that_nobody_walks() {
    let db = database().await;
    let mut hand = toymaker(&db).await;
    let first = put(&db, toy()).await.id;
    let mut second = toy();
    second.kind = "other".into();
    second.rare.depends_on = vec![first];
    let second = put(&db, second).await.id;
    let job = hand.take(&db).await;
    settle_one(&db, job, Outcome::Completed { output: None }).await;
    assert_eq!(hand.take(&db).await.1.id, second);
    invariants::assert_hold(&db.pool).await;
}
