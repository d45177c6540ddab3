//! Caps, rates, concurrency keys and pauses hold exactly: I10.

use fleet_queue::limits::{LimitRule, list_limits, remove_limit, set_limit};
use fleet_queue::transitions::pause::{Pause, PauseScope, pause};
use fleet_queue::transitions::resume::resume;
use fleet_queue::{Error, NewJob, Outcome};
use fleet_tests::hand::{complete_all, settle_one};
use fleet_tests::{TestDb, database, invariants};

use super::deck::{put, put_many, tenant, toy, toymaker};

pub(super) async fn limit(db: &TestDb, rule: LimitRule) {
    set_limit(&mut *db.conn().await, &rule).await.unwrap();
}

pub(super) fn capped(name: &str, cap: i32) -> LimitRule {
    LimitRule {
        name: name.into(),
        cap: Some(cap),
        ..LimitRule::default()
    }
}

#[tokio::test]
async fn i10_a_global_cap_holds_over_queues_and_workers_at_once() {
    let db = database().await;
    limit(&db, capped("all", 7)).await;
    put_many(&db, 60, |n| NewJob {
        queue: if n % 2 == 0 {
            "default".into()
        } else {
            "reports".into()
        },
        ..toy()
    })
    .await;
    let hands = futures::future::join_all((0..6).map(|_| toymaker(&db))).await;
    let runs = hands.into_iter().enumerate().map(|(n, mut hand)| {
        let db = &db;
        async move {
            let mut done = 0;
            for _ in 0..400 {
                let queue = if n % 2 == 0 { "default" } else { "reports" };
                let jobs = hand.try_claim(db, queue, 5).await.unwrap();
                let running = db
                    .number("SELECT count(*) FROM fleet.job WHERE state = 'running'")
                    .await;
                assert!(running <= 7, "{running} run under a cap of 7");
                done += jobs.len();
                complete_all(db, jobs).await;
            }
            done
        }
    });
    let done: usize = futures::future::join_all(runs).await.into_iter().sum();
    assert_eq!(done, 60);
    invariants::assert_hold(&db.pool).await;
}

#[tokio::test]
async fn i10_a_claim_under_a_limit_is_not_lost_with_the_server() {
    let db = database().await;
    put_many(&db, 2, |_| toy()).await;
    let mut hand = toymaker(&db).await;
    let mut durable = Vec::new();
    for _ in 0..2 {
        let mut tx = db.pool.begin().await.unwrap();
        let jobs = hand.claim_on(&mut tx, "default", 1).await.unwrap();
        assert_eq!(jobs.len(), 1);
        let commit: String = sqlx::query_scalar("SHOW synchronous_commit")
            .fetch_one(&mut *tx)
            .await
            .unwrap();
        durable.push(commit);
        tx.commit().await.unwrap();
        limit(&db, capped("all", 7)).await;
    }
    assert_eq!(durable, ["off", "on"]);
}

#[tokio::test]
async fn i10_a_cap_per_tenant_leaves_the_others_alone() {
    let db = database().await;
    limit(
        &db,
        LimitRule {
            per_tenant: true,
            ..capped("each", 2)
        },
    )
    .await;
    put_many(&db, 30, |n| toy().tenant(tenant(n as u128 % 3))).await;
    let mut hand = toymaker(&db).await;
    assert_eq!(hand.claim(&db, 100).await.len(), 6);
    let most = db.number("SELECT max(n) FROM (SELECT count(*) AS n FROM fleet.job WHERE state = 'running' GROUP BY tenant_id) t").await;
    assert_eq!(most, 2);
    invariants::assert_hold(&db.pool).await;
}

#[tokio::test]
async fn i10_several_limits_on_a_job_all_hold() {
    let db = database().await;
    limit(&db, capped("all", 5)).await;
    limit(
        &db,
        LimitRule {
            kind: Some("other".into()),
            ..capped("other", 1)
        },
    )
    .await;
    put_many(&db, 10, |_| NewJob {
        kind: "other".into(),
        ..toy()
    })
    .await;
    put_many(&db, 10, |_| toy()).await;
    let mut hand = toymaker(&db).await;
    let jobs = hand.claim(&db, 100).await;
    let others = jobs.iter().filter(|(_, job)| job.kind == "other").count();
    assert_eq!((jobs.len(), others), (5, 1));
    complete_all(&db, jobs).await;
    assert_eq!(
        hand.claim(&db, 100).await.len(),
        5,
        "what was given back can be taken again"
    );
    invariants::assert_hold(&db.pool).await;
}

#[tokio::test]
async fn i10_a_limit_counts_what_runs_already() {
    let db = database().await;
    put_many(&db, 10, |_| toy()).await;
    let mut hand = toymaker(&db).await;
    let mut running = hand.claim(&db, 4).await;
    limit(&db, capped("all", 3)).await;
    assert!(hand.claim(&db, 10).await.is_empty());
    for left in [3, 2] {
        settle_one(
            &db,
            running.pop().unwrap(),
            Outcome::Completed { output: None },
        )
        .await;
        assert_eq!(hand.claim(&db, 10).await.len(), 3 - left);
    }
    invariants::assert_hold(&db.pool).await;
    assert_eq!(
        list_limits(&mut *db.conn().await).await.unwrap()[0].running,
        3
    );
    assert!(remove_limit(&mut *db.conn().await, "all").await.unwrap());
    assert_eq!(hand.claim(&db, 10).await.len(), 5);
}

#[tokio::test]
async fn i10_a_rate_lets_through_its_burst_and_then_its_rate() {
    let db = database().await;
    limit(
        &db,
        LimitRule {
            name: "slow".into(),
            rate: Some(2.0),
            burst: Some(3),
            ..LimitRule::default()
        },
    )
    .await;
    put_many(&db, 50, |_| toy()).await;
    let mut hand = toymaker(&db).await;
    assert_eq!(hand.claim(&db, 100).await.len(), 3, "the burst");
    db.execute("UPDATE fleet.bucket SET tokens = 0, refilled_at = clock_timestamp() - interval '1.1 seconds'").await;
    assert_eq!(hand.claim(&db, 100).await.len(), 2, "two a second");
    db.execute(
        "UPDATE fleet.bucket SET tokens = 0, refilled_at = clock_timestamp() - interval '1 hour'",
    )
    .await;
    assert_eq!(
        hand.claim(&db, 100).await.len(),
        3,
        "never more than the burst, however long it was quiet"
    );
    invariants::assert_hold(&db.pool).await;
}

#[tokio::test]
async fn i10_a_concurrency_key_of_one_runs_in_order_across_workers() {
    let db = database().await;
    let ids: Vec<_> = put_many(&db, 20, |_| toy().concurrency("customer 9", 1))
        .await
        .into_iter()
        .map(|job| job.id)
        .collect();
    put_many(&db, 3, |n| toy().concurrency(format!("customer {n}"), 1)).await;
    let (mut first, mut second) = (toymaker(&db).await, toymaker(&db).await);
    assert_eq!(first.claim(&db, 100).await.len(), 4, "one of each key");
    assert!(second.claim(&db, 100).await.is_empty());
    let mut ran = vec![ids[0]];
    for _ in 1..20 {
        let id = *ran.last().unwrap();
        sqlx::query("SELECT fleet.end_jobs(ARRAY[id], ARRAY[worker_id], ARRAY[token], ARRAY['completed'::fleet.job_state], NULL, NULL) FROM fleet.job WHERE id = $1")
            .bind(id.0).execute(&db.pool).await.unwrap();
        let mut next = second.claim(&db, 100).await;
        assert_eq!(next.len(), 1);
        ran.push(next.pop().unwrap().1.id);
    }
    assert_eq!(ran, ids);
    invariants::assert_hold(&db.pool).await;
}

#[tokio::test]
async fn i3_busy_keys_of_a_tenant_hide_no_free_one() {
    let db = database().await;
    let keyed = |n: usize| toy().concurrency(format!("customer {}", n % 300), 1);
    put_many(&db, 600, keyed).await;
    let mut hand = toymaker(&db).await;
    let mut running = 0;
    loop {
        let jobs = hand.claim(&db, 100).await;
        running += jobs.len();
        if jobs.is_empty() {
            break;
        }
    }
    assert_eq!(running, 300, "one of each key");
    let free = put(&db, toy().concurrency("another", 1)).await;
    let (_, job) = hand.take(&db).await;
    assert_eq!(job.id, free.id);
    invariants::assert_hold(&db.pool).await;
}

/// More lanes than one claim looks at, all of them at the tenant's cap: the walk goes on behind that tenant.
#[tokio::test]
async fn a_tenant_at_its_cap_with_thousands_of_lanes_hides_no_other_tenant() {
    let db = database().await;
    limit(
        &db,
        LimitRule {
            per_tenant: true,
            ..capped("each", 5)
        },
    )
    .await;
    let mut hand = toymaker(&db).await;
    let lane = |n: usize| {
        toy()
            .tenant(tenant(1))
            .concurrency(format!("customer {n}"), 1)
    };
    put_many(&db, 3_000, lane).await;
    assert_eq!(hand.claim(&db, 5).await.len(), 5, "the tenant's cap");
    for _ in 0..2 {
        let other = put(&db, toy().tenant(tenant(2))).await;
        let jobs = hand.claim(&db, 5).await;
        let ids: Vec<_> = jobs.iter().map(|(_, job)| job.id).collect();
        assert_eq!(ids, [other.id]);
    }
    invariants::assert_hold(&db.pool).await;
}

#[tokio::test]
async fn a_crash_an_interruption_and_a_cancel_give_their_slots_back() {
    let db = database().await;
    limit(&db, capped("all", 2)).await;
    put_many(&db, 9, |_| toy()).await;
    let mut dying = toymaker(&db).await;
    assert_eq!(dying.claim(&db, 9).await.len(), 2);
    dying.die(&db).await;
    fleet_queue::transitions::rescue::rescue(&mut *db.conn().await, std::time::Duration::ZERO)
        .await
        .unwrap();
    let mut hand = toymaker(&db).await;
    for outcome in [
        Outcome::Interrupted,
        Outcome::Cancelled { reason: None },
        Outcome::Snooze {
            after: std::time::Duration::from_secs(60),
        },
    ] {
        let mut jobs = hand.claim(&db, 9).await;
        assert_eq!(jobs.len(), 2);
        settle_one(&db, jobs.pop().unwrap(), outcome.clone()).await;
        settle_one(&db, jobs.pop().unwrap(), outcome).await;
    }
    invariants::assert_hold(&db.pool).await;
}

#[tokio::test]
async fn a_paused_queue_tenant_or_kind_starts_nothing_and_the_others_go_on() {
    let db = database().await;
    let mut hand = toymaker(&db).await;
    put(&db, toy().tenant(tenant(1))).await;
    put(
        &db,
        NewJob {
            kind: "other".into(),
            ..toy().tenant(tenant(2))
        },
    )
    .await;
    let who = tenant(1).to_string();
    let stop = |scope, name| Pause {
        scope,
        name,
        reason: "incident 12",
        by: "ada",
        until: None,
    };
    for (scope, name, left) in [
        (PauseScope::Queue, "default", 0),
        (PauseScope::Tenant, who.as_str(), 1),
        (PauseScope::Kind, "other", 1),
    ] {
        pause(&mut *db.conn().await, stop(scope, name))
            .await
            .unwrap();
        let jobs = hand.claim(&db, 10).await;
        assert_eq!(jobs.len(), left, "{scope:?}");
        for job in jobs {
            settle_one(&db, job, Outcome::Interrupted).await;
        }
        assert!(resume(&mut *db.conn().await, scope, name).await.unwrap());
    }
    let over = Pause {
        until: Some(chrono::Utc::now() - chrono::TimeDelta::seconds(1)),
        ..stop(PauseScope::Queue, "default")
    };
    pause(&mut *db.conn().await, over).await.unwrap();
    assert_eq!(hand.claim(&db, 10).await.len(), 2, "a pause ends by itself");
    let mute = Pause {
        reason: "",
        ..stop(PauseScope::Queue, "default")
    };
    assert!(matches!(
        pause(&mut *db.conn().await, mute).await,
        Err(Error::Invalid {
            field: "reason",
            ..
        })
    ));
}

#[tokio::test]
async fn a_rule_that_makes_no_sense_is_refused_naming_the_field() {
    let db = database().await;
    let field = async |rule: LimitRule| match set_limit(&mut *db.conn().await, &rule).await {
        Err(Error::Invalid { field, .. }) => field,
        other => panic!("should be refused: {other:?}"),
    };
    assert_eq!(
        field(LimitRule {
            name: "x".into(),
            ..LimitRule::default()
        })
        .await,
        "cap"
    );
    assert_eq!(field(capped("x", -1)).await, "cap");
    assert_eq!(
        field(LimitRule {
            rate: Some(1.0),
            ..capped("x", 1)
        })
        .await,
        "burst"
    );
    assert_eq!(
        field(LimitRule {
            tenant_id: Some(tenant(1).0),
            per_tenant: true,
            ..capped("x", 1)
        })
        .await,
        "per_tenant"
    );
    assert_eq!(field(capped("", 1)).await, "name");
}
