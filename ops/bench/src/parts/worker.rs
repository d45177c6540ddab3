//! A worker as in production: apalis, handlers in tasks of their own, leases, history, fencing, fairness.

use std::time::Duration;

use anyhow::Context;
use fleet_queue::Db;
use fleet_worker::WorkerSettings;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::{Until, ended, left, summary, summary_of_some};
use crate::kinds::{Tally, registry};
use crate::stage::Stage;

/// Between two looks whether the last results are recorded, once every handler has run.
const LOOK_EVERY: Duration = Duration::from_millis(2);
/// Between two looks where others run jobs of the turn too.
const LOOK_AT_OTHERS_EVERY: Duration = Duration::from_millis(50);

pub(super) async fn play(
    db: &Db,
    concurrency: usize,
    until: Until,
    jobs: u64,
) -> anyhow::Result<()> {
    let tally = Tally::of(jobs);
    let settings = WorkerSettings {
        concurrency,
        name: "bench".to_owned(),
        ..WorkerSettings::default()
    };
    let mut stage = Stage::enter().await?;
    let (soft, hard) = (CancellationToken::new(), CancellationToken::new());
    let running = fleet_worker::run(settings, db.clone(), registry(&tally), soft.clone(), hard);
    let mut running = AbortOnDropHandle::new(tokio::spawn(running));
    tokio::select! {
        done = reach(db, until, &tally, jobs) => done?,
        ended = &mut running => ended?.context("the worker ended before its work")?,
    }
    stage.done().await?;
    soft.cancel();
    running
        .await?
        .context("the worker did not stop in good order")?;
    let summary = match until {
        Until::Drained => summary(db, tally.ran()).await?,
        Until::Enough => summary_of_some(db, jobs).await?,
        Until::AllHave => summary_of_some(db, tally.ran()).await?,
    };
    stage.leave(&summary)
}

/// Nothing is asked of the database while this worker's handlers still run, if it is alone.
async fn reach(db: &Db, until: Until, tally: &Tally, jobs: u64) -> anyhow::Result<()> {
    match until {
        Until::Drained => {
            tally.all().await;
            while left(db).await? > 0 {
                tokio::time::sleep(LOOK_EVERY).await;
            }
        }
        Until::Enough => {
            tally.all().await;
            while ended(db).await? < jobs {
                tokio::time::sleep(LOOK_EVERY).await;
            }
        }
        Until::AllHave => {
            while ended(db).await? < jobs {
                tokio::time::sleep(LOOK_AT_OTHERS_EVERY).await;
            }
        }
    }
    Ok(())
}
