//! apalis-postgres, the storage that apalis ships: large batches, no separate locking of each task, handlers spawned on every core.
//!
//! It keeps finished jobs in the same table, and repeats a job of a dead worker without a limit.

use apalis::prelude::{
    BoxDynError, Data, ParallelizeExt, TaskBuilder, WorkerBuilder, WorkerContext,
};
use apalis_postgres::{Config, PgTask, PostgresStorage, queries};
use serde::{Deserialize, Serialize};
use sqlx::PgPool;

use crate::stage::{Stage, Tally};

const QUEUE: &str = "bench";
const FILL_BATCH: u64 = 5_000;

#[derive(Debug, Deserialize, Serialize)]
struct Noop {}

async fn handle(_: Noop, tally: Data<Tally>) -> Result<(), BoxDynError> {
    tally.count();
    Ok(())
}

pub async fn fill(url: &str, jobs: u64) -> anyhow::Result<()> {
    let pool = PgPool::connect(url).await?;
    PostgresStorage::setup(&pool).await?;
    let mut conn = pool.acquire().await?;
    let task = || -> PgTask { TaskBuilder::new(b"{}".to_vec()).build() };
    for begin in (0..jobs).step_by(FILL_BATCH as usize) {
        let batch = (begin..jobs.min(begin + FILL_BATCH)).map(|_| task());
        queries::push_tasks(&mut *conn, QUEUE, batch.collect()).await?;
    }
    Ok(())
}

pub async fn work(url: &str, jobs: u64) -> anyhow::Result<()> {
    let pool = PgPool::connect(url).await?;
    let tally = Tally::of(jobs);
    let config = Config::default()
        .queue(QUEUE)
        .batch_size(1_000)
        .lock_tasks(false);
    let context = WorkerContext::new("bench");
    let worker = WorkerBuilder::new(&context)
        .backend(PostgresStorage::<Noop>::new(&pool).with_config(config))
        .data(tally.clone())
        .parallelize(tokio::spawn)
        .build(handle);
    let mut stage = Stage::enter().await?;
    let played = async {
        let played = stage.play(&tally, || left(&pool)).await;
        context.stop()?;
        played
    };
    let (ran, played) = tokio::join!(worker.run(), played);
    ran?;
    played?;
    stage.leave(&tally, left(&pool).await?)
}

async fn left(pool: &PgPool) -> anyhow::Result<i64> {
    let count = "SELECT count(*) FROM apalis.jobs WHERE status <> 'Done'";
    Ok(sqlx::query_scalar(count).fetch_one(pool).await?)
}
