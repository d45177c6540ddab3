//! Order and fairness: priority first, aged; tenants in turn by weight; oldest first within one.

use std::collections::BTreeMap;

use chrono::{TimeDelta, Utc};
use fleet_queue::transitions::promote;
use fleet_queue::{NewJob, TenantId, limits};
use fleet_tests::database;

use super::deck::{put, put_many, tenant, toy, toymaker};

fn by_tenant(jobs: &[(fleet_queue::Claim, fleet_queue::Claimed)]) -> BTreeMap<TenantId, usize> {
    let mut counts = BTreeMap::new();
    for (_, job) in jobs {
        *counts.entry(job.tenant).or_default() += 1;
    }
    counts
}

#[tokio::test]
async fn a_tenant_with_a_flood_does_not_delay_another() {
    let db = database().await;
    let mut hand = toymaker(&db).await;
    for _ in 0..10 {
        put_many(&db, 10_000, |_| toy().tenant(tenant(1))).await;
    }
    put(&db, toy().tenant(tenant(2))).await;
    let jobs = hand.claim(&db, 10).await;
    assert_eq!(
        by_tenant(&jobs).get(&tenant(2)),
        Some(&1),
        "behind 100,000 jobs of another tenant, and in the first batch"
    );
    assert_eq!(jobs.len(), 10, "the flood gets the rest");
}

#[tokio::test]
async fn tenants_take_turns_even_one_job_at_a_time() {
    let db = database().await;
    let mut hand = toymaker(&db).await;
    put_many(&db, 60, |n| toy().tenant(tenant(1 + n as u128 % 3))).await;
    let mut jobs = Vec::new();
    for _ in 0..30 {
        jobs.push(hand.take(&db).await);
    }
    assert!(
        by_tenant(&jobs).values().all(|n| *n == 10),
        "{:?}",
        by_tenant(&jobs)
    );
}

#[tokio::test]
async fn weights_share_turns() {
    let db = database().await;
    let mut hand = toymaker(&db).await;
    limits::set_weight(&mut *db.conn().await, tenant(1), 3)
        .await
        .unwrap();
    put_many(&db, 200, |n| toy().tenant(tenant(1 + n as u128 % 2))).await;
    let mut jobs = Vec::new();
    for _ in 0..80 {
        jobs.push(hand.take(&db).await);
    }
    assert_eq!(by_tenant(&jobs)[&tenant(1)], 60, "three turns of four");
    let batch = hand.claim(&db, 40).await;
    assert!(
        by_tenant(&batch)[&tenant(1)] >= 28,
        "{:?}",
        by_tenant(&batch)
    );
}

#[tokio::test]
async fn many_tenants_each_get_their_turn_in_a_circle() {
    let db = database().await;
    let mut hand = toymaker(&db).await;
    put_many(&db, 8_000, |n| toy().tenant(tenant(1 + n as u128 % 1_000))).await;
    let mut jobs = Vec::new();
    for _ in 0..20 {
        jobs.extend(hand.claim(&db, 100).await);
    }
    let counts = by_tenant(&jobs);
    assert_eq!(counts.len(), 1_000, "nobody is left out");
    assert!(
        counts.values().all(|n| *n <= 3),
        "{:?}",
        counts.values().max()
    );
}

#[tokio::test]
async fn inside_a_tenant_the_oldest_goes_first_across_kinds() {
    let db = database().await;
    let mut hand = toymaker(&db).await;
    let ids: Vec<_> = put_many(&db, 10, |n| {
        let kind = if n % 2 == 0 { "toy" } else { "other" };
        NewJob {
            kind: kind.into(),
            ..toy().run_at(Utc::now() - TimeDelta::seconds(100 - n as i64))
        }
    })
    .await
    .into_iter()
    .map(|job| job.id)
    .collect();
    let mut claimed = Vec::new();
    for _ in 0..10 {
        claimed.push(hand.take(&db).await.1.id);
    }
    assert_eq!(claimed, ids);
}

#[tokio::test]
async fn urgent_goes_first_but_nothing_starves() {
    let db = database().await;
    let mut hand = toymaker(&db).await;
    let old = put(
        &db,
        NewJob {
            priority: 3,
            ..toy().run_at(Utc::now() - TimeDelta::minutes(4))
        },
    )
    .await
    .id;
    let young = put(
        &db,
        NewJob {
            priority: 3,
            ..toy()
        },
    )
    .await
    .id;
    put_many(&db, 4, |_| NewJob {
        priority: 0,
        ..toy()
    })
    .await;
    let first = hand.take(&db).await.1;
    assert_eq!(first.priority, 0);
    assert_eq!(
        promote::age(&mut *db.conn().await).await.unwrap(),
        1,
        "four minutes make three steps of one minute"
    );
    assert_eq!(promote::age(&mut *db.conn().await).await.unwrap(), 0);
    let next: Vec<_> = hand
        .claim(&db, 4)
        .await
        .into_iter()
        .map(|(_, job)| job.id)
        .collect();
    assert!(next.contains(&old), "the old one counts as urgent now");
    assert!(!next.contains(&young), "its lane's young one does not");
    assert_eq!(hand.take(&db).await.1.id, young);
}
