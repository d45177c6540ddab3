//! The load: jobs of every diagnostics kind, over several tenants and queues, with keys, delays, duplicates and cancellations.
//!
//! It waits while too much is live, so that what is measured is the fleet's answer to harm and not the length of a queue.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use fleet_queue::JobId;
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::PgPool;
use tokio::time::sleep;
use uuid::Uuid;

use crate::picks::Picks;
use crate::portal::Portal;

/// Portals that enqueue at the same time.
const PORTALS: u64 = 4;
const TENANTS: usize = 5;
/// Keys that jobs share.
const KEYS: usize = 12;
/// Between two jobs of one portal.
const PAUSE: Duration = Duration::from_millis(40);

/// The running load.
pub(crate) struct Load {
    state: Arc<State>,
    portals: Vec<tokio::task::JoinHandle<()>>,
}

#[derive(Default)]
struct State {
    over: AtomicBool,
    full: AtomicBool,
    acknowledged: AtomicU64,
}

#[derive(Clone, Copy)]
enum Sort {
    Effect,
    UniqueEffect,
    KeyedEffect,
    Capped,
    Shared,
    Rated,
    Long,
    Sleep,
    Fail,
    Panic,
    Poison,
}

const SORTS: [(u32, Sort); 11] = [
    (300, Sort::Effect),
    (120, Sort::UniqueEffect),
    (120, Sort::KeyedEffect),
    (80, Sort::Capped),
    (80, Sort::Shared),
    (60, Sort::Rated),
    (60, Sort::Long),
    (80, Sort::Sleep),
    (60, Sort::Fail),
    (10, Sort::Panic),
    (1, Sort::Poison),
];

impl Load {
    /// Begins.
    pub(crate) fn begin(portal: &Portal, pool: &PgPool, seed: u64, backlog: i64) -> Self {
        let state = Arc::new(State::default());
        let mut portals = vec![tokio::spawn(watch(
            Arc::clone(&state),
            pool.clone(),
            backlog,
        ))];
        for n in 0..PORTALS {
            let picks = Picks::of(seed, 100 + n);
            portals.push(tokio::spawn(work(
                Arc::clone(&state),
                portal.clone(),
                picks,
            )));
        }
        Self { state, portals }
    }

    /// Jobs that were acknowledged.
    pub(crate) fn acknowledged(&self) -> u64 {
        self.state.acknowledged.load(Ordering::Relaxed)
    }

    /// Ends, and waits for the last answers.
    pub(crate) async fn end(self) -> u64 {
        self.state.over.store(true, Ordering::Relaxed);
        for portal in self.portals {
            // One that panicked has said so; the jobs it enqueued are in its history.
            let _ = portal.await;
        }
        self.state.acknowledged.load(Ordering::Relaxed)
    }
}

/// Looks how much is live; in an outage the portals find out for themselves.
async fn watch(state: Arc<State>, pool: PgPool, backlog: i64) {
    while !state.over.load(Ordering::Relaxed) {
        if let Ok(live) = live_jobs(&pool).await {
            state.full.store(live >= backlog, Ordering::Relaxed);
        }
        sleep(Duration::from_millis(200)).await;
    }
}

/// Jobs that have not ended.
pub(crate) async fn live_jobs(pool: &PgPool) -> Result<i64, sqlx::Error> {
    let asked = sqlx::query_scalar!(
        r#"-- campaign.live_jobs
        SELECT count(*) AS "n!" FROM fleet.job"#
    );
    asked.fetch_one(pool).await
}

async fn work(state: Arc<State>, portal: Portal, mut picks: Picks) {
    let mut last: Option<JobId> = None;
    while !state.over.load(Ordering::Relaxed) {
        sleep(PAUSE).await;
        if state.full.load(Ordering::Relaxed) {
            continue;
        }
        let api = picks.below(64);
        let body = job(&mut picks);
        if let Some(id) = portal.enqueue(api, &body).await {
            state.acknowledged.fetch_add(1, Ordering::Relaxed);
            last = Some(id);
        }
        if let Some(id) = last.filter(|_| picks.percent(2)) {
            let path = format!("/v1/jobs/{id}/cancel");
            let body = json!({ "reason": "the portal changed its mind" });
            portal.ask(api, Method::POST, &path, Some(&body)).await;
        }
    }
}

fn job(picks: &mut Picks) -> Value {
    let mut job = sort_of(picks.weighted(&SORTS), picks);
    let tenant = Uuid::from_u128(1 + picks.below(TENANTS) as u128);
    job["tenant_id"] = json!(tenant);
    job["priority"] = json!(picks.below(4));
    job
}

fn sort_of(sort: Sort, picks: &mut Picks) -> Value {
    let effect = |picks: &mut Picks| {
        let payload = json!({ "key": Uuid::new_v4(), "ms": picks.below(250) });
        json!({ "kind": "diagnostics.effect", "payload": payload })
    };
    let long = |picks: &mut Picks| {
        let mut job = effect(picks);
        job["payload"]["ms"] = json!(300 + picks.below(900));
        job
    };
    let in_queue = |queue: &str, mut job: Value| {
        job["queue"] = json!(queue);
        job
    };
    match sort {
        Sort::Effect => effect(picks),
        Sort::UniqueEffect => {
            let mut job = effect(picks);
            job["unique"] = json!({ "key": format!("unique {}", picks.below(KEYS)) });
            job
        }
        Sort::KeyedEffect => {
            let mut job = effect(picks);
            let key = picks.below(KEYS);
            job["concurrency"] = json!({ "key": format!("key {key}"), "limit": 1 + key % 2 });
            job
        }
        Sort::Capped => in_queue("capped", long(picks)),
        Sort::Shared => in_queue("shared", effect(picks)),
        Sort::Rated => in_queue("rated", effect(picks)),
        Sort::Long => long(picks),
        Sort::Sleep => {
            json!({ "kind": "diagnostics.sleep", "payload": { "ms": picks.below(800) } })
        }
        Sort::Fail => {
            json!({ "kind": "diagnostics.fail", "payload": { "times": 1 + picks.below(6) }, "max_attempts": 4 })
        }
        Sort::Panic => json!({ "kind": "diagnostics.panic", "payload": {}, "max_attempts": 2 }),
        Sort::Poison => json!({ "kind": "diagnostics.abort", "payload": {} }),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_load_has_every_kind_queue_and_key() {
        let mut picks = Picks::of(1, 1);
        let jobs: Vec<Value> = (0..3_000).map(|_| job(&mut picks)).collect();
        let seen = |field: &str| {
            jobs.iter()
                .map(|job| job[field].to_string())
                .collect::<BTreeSet<_>>()
        };
        assert_eq!(seen("kind").len(), 5, "{:?}", seen("kind"));
        assert_eq!(seen("queue").len(), 4, "three and none");
        assert_eq!(seen("tenant_id").len(), TENANTS);
        assert!(seen("unique").len() > KEYS && seen("concurrency").len() > KEYS);
    }
}
