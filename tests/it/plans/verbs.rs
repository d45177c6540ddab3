//! The statements that are judged, and how many rows of large tables each may read: a small multiple of its batch, or of the lanes where
//! it looks at each. What earlier runs left behind is read, too: they are rolled back, and their index entries stay until a vacuum.

use std::time::Duration;

use fleet_queue::read::{JobFilter, find_job, list_jobs};
use fleet_queue::transitions::claim::claim;
use fleet_queue::transitions::enqueue::{enqueue, enqueue_many};
use fleet_queue::transitions::renew::{Pulse, renew};
use fleet_queue::transitions::settle::settle;
use fleet_queue::transitions::{cancel, promote, retry};
use fleet_queue::workers::{Introduction, register};
use fleet_queue::{
    Claim, ClaimRequest, Claimed, JobId, JobState, NewJob, Outcome, Policy, Settled, Settlement,
    TenantId, Turns, WorkerId, upkeep, wake,
};
use fleet_tests::TestDb;
use futures::future::BoxFuture;
use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

use super::BATCH;

/// Far longer than a test.
const LEASE: Duration = Duration::from_secs(3600);
/// Tenants with a lane each.
const LANES: i64 = 1_000;

/// A statement, or a few that belong together.
pub(super) struct Verb {
    pub(super) name: &'static str,
    pub(super) rows_max: i64,
    pub(super) run: for<'a> fn(&'a Scene, &'a mut PgConnection) -> BoxFuture<'a, ()>,
}

/// A worker, and jobs to look at.
pub(super) struct Scene {
    worker: WorkerId,
    waiting: JobId,
    discarded: JobId,
}

impl Scene {
    /// Lanes are as claims before have left them.
    pub(super) async fn set(db: &TestDb) -> Self {
        let mut conn = db.conn().await;
        let worker = WorkerId::generate();
        let introduction = Introduction {
            id: worker,
            host: "test".into(),
            pid: 1,
            version: "test".into(),
            queues: [("default".to_owned(), BATCH)].into(),
            kinds: vec!["toy".into()],
            capacity: BATCH,
        };
        register(&mut conn, &introduction, LEASE).await.unwrap();
        let any = |sql: &'static str| {
            let pool = db.pool.clone();
            async move {
                let found: Option<Uuid> =
                    sqlx::query_scalar(sql).fetch_optional(&pool).await.unwrap();
                JobId(found.unwrap_or_default())
            }
        };
        let scene = Self {
            worker,
            waiting: any(
                "SELECT id FROM fleet.job WHERE state = 'available' ORDER BY id DESC LIMIT 1",
            )
            .await,
            discarded: any("SELECT id FROM fleet.job_history WHERE state = 'discarded' LIMIT 1")
                .await,
        };
        // Folds the arrivals, once.
        let jobs = take(&scene, &mut conn).await;
        end(&mut conn, jobs, &Outcome::Interrupted).await;
        scene
    }
}

async fn take(scene: &Scene, conn: &mut PgConnection) -> Vec<(Claim, Claimed)> {
    let kinds = [("toy".to_owned(), 1)];
    let request = ClaimRequest {
        worker: scene.worker,
        token: 1,
        queue: "default",
        limit: BATCH,
        kinds: &kinds,
    };
    claim(conn, request, &mut Turns::default()).await.unwrap()
}

async fn end(conn: &mut PgConnection, jobs: Vec<(Claim, Claimed)>, outcome: &Outcome) {
    let settlements: Vec<_> = jobs
        .into_iter()
        .map(|(claim, job)| Settlement {
            claim,
            outcome: outcome.clone(),
            attempt: job.attempt,
            max_attempts: job.max_attempts,
        })
        .collect();
    let answers = settle(conn, &settlements).await.unwrap();
    assert!(answers.iter().all(|answer| *answer == Settled::Recorded));
}

fn toy(tenant: u128) -> NewJob {
    let tenant = TenantId(Uuid::from_u128(tenant % LANES as u128 + 1));
    NewJob::new("toy", 1, &Policy::DEFAULT, json!({})).tenant(tenant)
}

/// For the rest of the transaction it is later.
async fn pass(conn: &mut PgConnection, hours: i32) {
    sqlx::query("SELECT set_config('fleet.now', (clock_timestamp() + make_interval(hours => $1))::text, true)")
        .bind(hours)
        .execute(conn)
        .await
        .unwrap();
}

async fn page(conn: &mut PgConnection, filter: JobFilter) {
    let page = list_jobs(conn, &filter, None, BATCH as i64).await.unwrap();
    assert!(page.jobs.len() <= BATCH);
}

pub(super) const VERBS: &[Verb] = &[
    Verb {
        name: "claim",
        rows_max: 20 * BATCH as i64,
        run: |scene, conn| Box::pin(async move { drop(take(scene, conn).await) }),
    },
    Verb {
        name: "settle",
        rows_max: 24 * BATCH as i64,
        run: |scene, conn| {
            Box::pin(async move {
                let jobs = take(scene, conn).await;
                end(conn, jobs, &Outcome::Completed { output: None }).await;
            })
        },
    },
    Verb {
        name: "give back",
        rows_max: 40 * BATCH as i64,
        run: |scene, conn| {
            Box::pin(async move {
                let jobs = take(scene, conn).await;
                end(conn, jobs, &Outcome::Interrupted).await;
            })
        },
    },
    Verb {
        name: "enqueue",
        rows_max: 3 * BATCH as i64,
        run: |_, conn| {
            Box::pin(async move {
                let jobs: Vec<_> = (0..BATCH as u128).map(toy).collect();
                enqueue_many(conn, &jobs).await.unwrap();
            })
        },
    },
    Verb {
        // Under row-level security a condition that may leak is no index condition: another plan than the owner's.
        name: "enqueue for a tenant",
        rows_max: 3 * BATCH as i64,
        run: |_, conn| {
            Box::pin(async move {
                let jobs: Vec<_> = (0..BATCH as u128).map(toy).collect();
                let tenant = jobs[0].tenant;
                let jobs: Vec<_> = jobs
                    .into_iter()
                    .map(|job| NewJob { tenant, ..job })
                    .collect();
                act(conn, "fleet_api", &tenant.to_string()).await;
                enqueue_many(conn, &jobs).await.unwrap();
                act(conn, "none", "").await;
            })
        },
    },
    Verb {
        name: "promote",
        rows_max: 20 * BATCH as i64,
        run: |_, conn| {
            Box::pin(async move {
                pass(conn, 12).await;
                promote::promote(conn, None, BATCH as i64).await.unwrap();
            })
        },
    },
    Verb {
        name: "expire",
        rows_max: BATCH as i64,
        run: |_, conn| {
            Box::pin(async move {
                promote::expire(conn, BATCH as i64).await.unwrap();
            })
        },
    },
    Verb {
        name: "age",
        rows_max: 6 * LANES,
        run: |_, conn| {
            Box::pin(async move {
                promote::age(conn).await.unwrap();
            })
        },
    },
    Verb {
        name: "renew",
        rows_max: 10,
        run: |scene, conn| {
            Box::pin(async move {
                let pulse = Pulse {
                    running: 1,
                    cpu: 0.5,
                    memory_bytes: 1,
                };
                renew(conn, scene.worker, LEASE, pulse).await.unwrap();
            })
        },
    },
    Verb {
        name: "look for work",
        rows_max: 4 * LANES,
        run: |scene, conn| {
            Box::pin(async move {
                let queues = ["default".to_owned(), "idle".to_owned()];
                let kinds = [("toy".to_owned(), 1)];
                wake::worth_a_claim(conn, scene.worker, &queues, &kinds)
                    .await
                    .unwrap();
            })
        },
    },
    Verb {
        name: "cancel",
        rows_max: 20,
        run: |_, conn| {
            Box::pin(async move {
                let job = enqueue(conn, &toy(1)).await.unwrap();
                cancel::cancel(conn, job.id, None).await.unwrap();
            })
        },
    },
    Verb {
        name: "retry",
        rows_max: 20,
        run: |scene, conn| {
            Box::pin(async move {
                retry::retry(conn, scene.discarded).await.unwrap();
            })
        },
    },
    Verb {
        name: "find",
        rows_max: 10,
        run: |scene, conn| {
            Box::pin(async move {
                for id in [scene.waiting, scene.discarded] {
                    find_job(conn, id).await.unwrap();
                }
            })
        },
    },
    Verb {
        name: "page of all",
        rows_max: 6 * BATCH as i64,
        run: |_, conn| Box::pin(page(conn, JobFilter::default())),
    },
    Verb {
        name: "page of a tenant",
        rows_max: 24 * BATCH as i64,
        run: |_, conn| {
            let tenant = Some(TenantId(Uuid::from_u128(7)));
            let filter = JobFilter {
                tenant,
                ..JobFilter::default()
            };
            Box::pin(page(conn, filter))
        },
    },
    Verb {
        name: "page of failures",
        rows_max: 6 * BATCH as i64,
        run: |_, conn| {
            let states = vec![JobState::Discarded, JobState::Cancelled];
            let filter = JobFilter {
                states,
                ..JobFilter::default()
            };
            Box::pin(page(conn, filter))
        },
    },
    Verb {
        name: "sweep lanes",
        rows_max: 8 * LANES,
        run: |_, conn| {
            Box::pin(async move {
                upkeep::sweep_lanes(conn).await.unwrap();
            })
        },
    },
    Verb {
        name: "retire lanes",
        rows_max: 12 * LANES,
        run: |_, conn| {
            Box::pin(async move {
                upkeep::retire_lanes(conn).await.unwrap();
            })
        },
    },
    Verb {
        name: "fold counts",
        rows_max: 4 * LANES,
        run: |_, conn| {
            Box::pin(async move {
                upkeep::fold_counters(conn, 10_000).await.unwrap();
            })
        },
    },
];

/// Takes a role, and the sight of a tenant, until the transaction ends or another is taken.
async fn act(conn: &mut PgConnection, role: &str, tenant: &str) {
    sqlx::query("SELECT set_config('role', $1, true), set_config('fleet.tenant', $2, true)")
        .bind(role)
        .bind(tenant)
        .execute(conn)
        .await
        .unwrap();
}
