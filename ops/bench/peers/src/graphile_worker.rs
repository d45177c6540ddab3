//! `graphile_worker`, the Rust crate, as its own throughput benchmark sets it up: a large local queue and batched completions.
//!
//! It deletes finished jobs, has no fence against a worker that comes back, and knows no tenants.

use std::time::Duration;

use graphile_worker::{
    IntoTaskHandlerResult, JobSpec, LocalQueueConfig, RawJobSpec, TaskHandler, WorkerContext,
    WorkerOptions, WorkerUtils,
};
use serde::{Deserialize, Serialize};
use sqlx::PgPool;

use crate::stage::{Stage, Tally};

const SCHEMA: &str = "graphile_worker";
const FILL_BATCH: u64 = 10_000;

#[derive(Deserialize, Serialize)]
struct Noop {}

impl TaskHandler for Noop {
    const IDENTIFIER: &'static str = "noop";

    async fn run(self, cx: WorkerContext) -> impl IntoTaskHandlerResult {
        if let Some(tally) = cx.get_ext::<Tally>() {
            tally.count();
        }
        Ok::<(), String>(())
    }
}

pub async fn fill(url: &str, jobs: u64) -> anyhow::Result<()> {
    let pool = PgPool::connect(url).await?;
    let utils = WorkerUtils::new(pool, SCHEMA);
    utils.migrate().await?;
    let job = || RawJobSpec {
        identifier: Noop::IDENTIFIER.to_owned(),
        payload: serde_json::json!({}),
        spec: JobSpec::default(),
    };
    for begin in (0..jobs).step_by(FILL_BATCH as usize) {
        let batch: Vec<_> = (begin..jobs.min(begin + FILL_BATCH))
            .map(|_| job())
            .collect();
        utils.add_raw_jobs(&batch).await?;
    }
    Ok(())
}

pub async fn work(url: &str, jobs: u64) -> anyhow::Result<()> {
    let pool = PgPool::connect(url).await?;
    let tally = Tally::of(jobs);
    let worker = WorkerOptions::default()
        .pg_pool(pool.clone())
        .schema(SCHEMA)
        .concurrency(500)
        .poll_interval(Duration::from_millis(5))
        .complete_job_batch_delay(Duration::from_millis(5))
        .local_queue(LocalQueueConfig::default().with_size(5_000))
        .listen_os_shutdown_signals(false)
        .add_extension(tally.clone())
        .define_job::<Noop>()
        .init()
        .await?;
    let mut stage = Stage::enter().await?;
    let played = async {
        let played = stage.play(&tally, || left(&pool)).await;
        worker.request_shutdown();
        played
    };
    let (ran, played) = tokio::join!(worker.run(), played);
    ran?;
    played?;
    stage.leave(&tally, left(&pool).await?)
}

async fn left(pool: &PgPool) -> anyhow::Result<i64> {
    let count = "SELECT count(*) FROM graphile_worker._private_jobs";
    Ok(sqlx::query_scalar(count).fetch_one(pool).await?)
}
