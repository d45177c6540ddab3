//! Bulk enqueue: one connection, a commit a batch.

use fleet_jobs::diagnostics::Noop;
use fleet_queue::NewJob;
use fleet_queue::transitions::enqueue::enqueue_many;

use super::Size;
use super::meter::{Meter, Used};
use super::stage::Stage;

pub(super) async fn round(stage: &Stage, size: Size) -> anyhow::Result<Used> {
    empty(stage).await?;
    let jobs = jobs(size.jobs);
    let meter = Meter::begin(stage.server_pid);
    put(stage, &jobs, size.batch as usize).await?;
    Ok(meter.end())
}

/// Jobs that do nothing.
pub(super) fn jobs(n: usize) -> Vec<NewJob> {
    (0..n).map(|_| NewJob::of(&Noop {})).collect()
}

/// Enqueues them, a commit a batch.
pub(super) async fn put(stage: &Stage, jobs: &[NewJob], batch: usize) -> anyhow::Result<()> {
    let mut conn = stage.db.acquire("bench.enqueue").await?;
    for batch in jobs.chunks(batch) {
        enqueue_many(&mut conn, batch).await?;
    }
    Ok(())
}

/// As it was before the first round.
pub(super) async fn empty(stage: &Stage) -> anyhow::Result<()> {
    let all = "TRUNCATE fleet.job, fleet.job_history, fleet.attempt, fleet.job_output, fleet.flow, fleet.total, fleet.counter, fleet.lane, fleet.arrival";
    sqlx::raw_sql(all).execute(stage.db.pool()).await?;
    Ok(())
}
