//! Pick-up: a job is sent now and then to a worker that idles, or that has other work, and the time until its handler starts is noted.

use std::time::Duration;

use anyhow::Context;
use fleet_queue::transitions::enqueue::{enqueue, enqueue_many};
use fleet_queue::{Db, Job, NewJob, Registry, TenantId, wake};
use fleet_worker::WorkerSettings;
use tokio::time::{interval, sleep};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use uuid::Uuid;

use crate::kinds::{Noop, Tally, noops};
use crate::stage::{Stage, Summary};
use crate::stamps::{Stamped, Stamps};

/// Until the worker has seen that there is nothing, and sleeps; or is at work on what there is.
const SETTLE_IN: Duration = Duration::from_secs(2);
/// Between two batches of other work.
const BESIDE_EVERY: Duration = Duration::from_millis(10);
/// Whose jobs are timed: not the tenant of the other work.
const TENANT: TenantId = TenantId(Uuid::from_u128(0xBE7C));

/// `every`: between two timed jobs; `beside`: jobs a second of other work.
pub(super) async fn play(db: &Db, every: Duration, beside: u64, jobs: u64) -> anyhow::Result<()> {
    let stamps = Stamps::of(jobs);
    let registry = Registry::new()
        .job::<Stamped>(stamps.clone())
        .job::<Noop>(Tally::of(u64::MAX));
    let settings = WorkerSettings {
        name: "bench".to_owned(),
        ..WorkerSettings::default()
    };
    let (soft, hard) = (CancellationToken::new(), CancellationToken::new());
    let running = fleet_worker::run(settings, db.clone(), registry, soft.clone(), hard);
    let mut running = AbortOnDropHandle::new(tokio::spawn(running));
    let other = AbortOnDropHandle::new(tokio::spawn(send_beside(db.clone(), beside)));
    sleep(SETTLE_IN).await;
    let mut stage = Stage::enter().await?;
    tokio::select! {
        sent = send(db, every, jobs, &stamps) => sent?,
        ended = &mut running => ended?.context("the worker ended before its work")?,
    }
    stamps.all().await;
    stage.done().await?;
    drop(other);
    soft.cancel();
    running.await?.context("the worker did not stop")?;
    stage.leave(&Summary {
        ran: stamps.count(),
        figures: stamps.figures(),
        ..Summary::default()
    })
}

async fn send(db: &Db, every: Duration, jobs: u64, stamps: &Stamps) -> anyhow::Result<()> {
    let mut conn = db.connect("bench.send").await?;
    let queues = [Stamped::policy().queue.to_owned()];
    let mut ticks = interval(every);
    for _ in 0..jobs {
        ticks.tick().await;
        let number = stamps.send();
        let job = NewJob::of(&Stamped { number }).tenant(TENANT);
        enqueue(&mut conn, &job).await?;
        wake::wake(&mut conn, &queues).await?;
    }
    Ok(())
}

async fn send_beside(db: Db, a_second: u64) -> anyhow::Result<()> {
    if a_second == 0 {
        return Ok(());
    }
    let mut conn = db.connect("bench.beside").await?;
    let batch = a_second * BESIDE_EVERY.as_millis() as u64 / 1_000;
    let queues = [Noop::policy().queue.to_owned()];
    let mut ticks = interval(BESIDE_EVERY);
    loop {
        ticks.tick().await;
        enqueue_many(&mut conn, &noops(batch)).await?;
        wake::wake(&mut conn, &queues).await?;
    }
}
