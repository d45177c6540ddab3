//! Drain: jobs wait already; one worker runs them all, with history, fencing and fairness on.

use std::time::Duration;

use anyhow::Context;
use fleet_queue::Db;
use fleet_runtime::lifecycle::Shutdown;
use tokio_util::task::AbortOnDropHandle;

use super::Size;
use super::enqueue::{empty, jobs, put};
use super::meter::{Meter, Used};
use super::stage::Stage;
use crate::roles;

/// The look costs a few microseconds of the server's time.
const LOOK_EVERY: Duration = Duration::from_millis(5);

pub(super) async fn round(stage: &Stage, size: Size) -> anyhow::Result<Used> {
    empty(stage).await?;
    put(stage, &jobs(size.jobs), 10_000).await?;
    let mut settings = stage.settings.clone();
    settings.worker.concurrency = size.concurrency;
    let stop = Shutdown::default();
    let meter = Meter::begin(stage.server_pid);
    let (db, kinds) = (stage.db.clone(), roles::registry(true));
    let running = roles::run_worker(&settings, "bench", db, kinds, stop.clone());
    let mut worker = AbortOnDropHandle::new(tokio::spawn(running));
    tokio::select! {
        drained = drained(&stage.db) => drained?,
        ended = &mut worker => ended?.context("the worker ended before its work")?,
    }
    let used = meter.end();
    stop.soft.cancel();
    worker
        .await?
        .context("the worker did not stop in good order")?;
    Ok(used)
}

async fn drained(db: &Db) -> anyhow::Result<()> {
    let mut conn = db.acquire("bench.drained").await?;
    loop {
        let left = sqlx::query_scalar!(
            r#"-- bench.left
            SELECT EXISTS (SELECT FROM fleet.job) AS "left!""#
        );
        if !left.fetch_one(&mut *conn).await? {
            return Ok(());
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
