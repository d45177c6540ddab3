//! When the fleet is ready: the API answers that it is, and every worker of this process has its lease.
//!
//! Until then an outage of the database may end the start; from then on none ends the fleet.

use std::time::Duration;

use anyhow::Context;
use fleet_queue::read::{WorkerState, list_workers};

use crate::database::Database;

const LOOK_EVERY: Duration = Duration::from_millis(20);
/// A single look; the API is on this machine.
const LOOK_TIMEOUT: Duration = Duration::from_secs(5);

/// Waits until the API at `api` and `workers` workers are ready.
pub(super) async fn wait(database: &Database, api: &str, workers: usize) -> anyhow::Result<()> {
    // A proxy of the environment has no business between us and ourselves.
    let client = reqwest::Client::builder()
        .no_proxy()
        .timeout(LOOK_TIMEOUT)
        .build();
    let client = client.context("could not make an HTTP client")?;
    let readyz = format!("{api}/readyz");
    while !client
        .get(&readyz)
        .send()
        .await
        .is_ok_and(|answer| answer.status().is_success())
    {
        tokio::time::sleep(LOOK_EVERY).await;
    }
    while living(database).await? < workers {
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Ok(())
}

/// Workers of this very process with a good lease.
async fn living(database: &Database) -> anyhow::Result<usize> {
    let own = i64::from(std::process::id());
    let found = list_workers(&mut *database.begin().await?).await?;
    let ours = found.iter().filter(|worker| i64::from(worker.pid) == own);
    Ok(ours
        .filter(|worker| worker.state == WorkerState::Living)
        .count())
}
