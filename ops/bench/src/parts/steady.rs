//! A steady flow for minutes: so many jobs a second are enqueued, claimed and settled by the engine's own statements, and in the last part
//! of the time each claim is timed; then what has gathered behind the scenes shows.

use std::collections::BTreeMap;
use std::time::Duration;

use fleet_queue::transitions::enqueue::enqueue_many;
use fleet_queue::{Connection, Db};
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::task::AbortOnDropHandle;

use super::bare::{Claimant, settle_all};
use super::summary;
use crate::figure::Figure;
use crate::kinds::noops;
use crate::stage::Stage;
use crate::stamps::percentile;

/// Between two batches that are enqueued, and between two claims.
const BEAT: Duration = Duration::from_millis(10);
/// Jobs in a claim at most.
const CLAIM_MAX: usize = 1_000;
/// The part of the time, at its end, that is judged.
const LAST: f64 = 0.25;

pub(super) async fn play(db: &Db, a_second: u64, jobs: u64) -> anyhow::Result<()> {
    let mut claimant = Claimant::introduce(db, CLAIM_MAX).await?;
    let mut settling = db.connect("bench.settle").await?;
    let sender = db.connect("bench.send").await?;
    let mut stage = Stage::enter().await?;
    let sending = AbortOnDropHandle::new(tokio::spawn(send(sender, a_second, jobs)));
    let mut beats = interval(BEAT);
    beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut claims = Vec::new();
    let mut ended = 0;
    while ended < jobs {
        beats.tick().await;
        let begun = Instant::now();
        let batch = claimant.claim().await?;
        claims.push(begun.elapsed());
        ended += settle_all(&mut settling, batch).await?;
    }
    sending.await??;
    stage.done().await?;
    claimant.depart().await?;
    let mut summary = summary(db, ended).await?;
    summary.figures = last_claims(&claims);
    stage.leave(&summary)
}

fn last_claims(claims: &[Duration]) -> BTreeMap<Figure, f64> {
    let last = &claims[(claims.len() as f64 * (1.0 - LAST)) as usize..];
    BTreeMap::from([
        (Figure::ClaimMsP50, percentile(last, 0.50)),
        (Figure::ClaimMsP99, percentile(last, 0.99)),
    ])
}

async fn send(mut conn: Connection, a_second: u64, jobs: u64) -> Result<(), fleet_queue::Error> {
    let batch = (a_second * BEAT.as_millis() as u64 / 1_000).max(1);
    let mut beats = interval(BEAT);
    let mut sent = 0;
    while sent < jobs {
        beats.tick().await;
        let n = batch.min(jobs - sent);
        enqueue_many(&mut conn, &noops(n)).await?;
        sent += n;
    }
    Ok(())
}
