//! The engine's own claims and settles, as fast as they go: no handlers, no apalis, no tasks but one for each of the two connections.
//!
//! What a worker reaches of this says what running handlers costs; it is no queue by itself, for nothing is ever run.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::ensure;
use fleet_queue::transitions::claim::claim;
use fleet_queue::transitions::settle::settle;
use fleet_queue::workers::{Introduction, depart, register};
use fleet_queue::{
    Claim, ClaimRequest, Claimed, Connection, Db, Job, Outcome, Settled, Settlement, Turns,
    WorkerId,
};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::{summary, summary_of_some};
use crate::figure::Figure;
use crate::kinds::Noop;
use crate::stage::Stage;
use crate::stamps::percentile;

/// Nobody renews it.
const LEASE: Duration = Duration::from_hours(2);
/// Claimed batches that may wait for the settling connection.
const AHEAD: usize = 2;

type Batch = Vec<(Claim, Claimed)>;

/// `all`: whether nothing is left when the jobs of the turn are done.
pub(super) async fn play(db: &Db, batch: usize, all: bool, jobs: u64) -> anyhow::Result<()> {
    let claimant = Claimant::introduce(db, batch).await?;
    let mut settling = db.connect("bench.settle").await?;
    let mut stage = Stage::enter().await?;
    let (batches, mut claimed) = mpsc::channel(AHEAD);
    let claims = tokio::spawn(claim_all(claimant, jobs, batches));
    let mut settled = 0;
    while let Some(batch) = claimed.recv().await {
        settled += settle_all(&mut settling, batch).await?;
    }
    let (claimant, took) = claims.await??;
    stage.done().await?;
    claimant.depart().await?;
    let mut summary = if all {
        summary(db, settled).await?
    } else {
        summary_of_some(db, jobs).await?
    };
    summary.figures = BTreeMap::from([
        (Figure::ClaimMsP50, percentile(&took, 0.50)),
        (Figure::ClaimMsP99, percentile(&took, 0.99)),
    ]);
    stage.leave(&summary)
}

/// A worker as far as the database knows.
pub(super) struct Claimant {
    conn: Connection,
    worker: WorkerId,
    token: i64,
    batch: usize,
    turns: Turns,
}

impl Claimant {
    pub(super) async fn introduce(db: &Db, batch: usize) -> anyhow::Result<Self> {
        let mut conn = db.connect("bench.claim").await?;
        let worker = WorkerId::generate();
        let introduction = Introduction {
            id: worker,
            host: "bench".to_owned(),
            pid: i32::try_from(std::process::id())?,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            queues: BTreeMap::from([(Noop::policy().queue.to_owned(), 1)]),
            kinds: vec![Noop::KIND.to_owned()],
            capacity: 1,
        };
        register(&mut conn, &introduction, LEASE).await?;
        Ok(Self {
            conn,
            worker,
            token: 0,
            batch,
            turns: Turns::default(),
        })
    }

    pub(super) async fn claim(&mut self) -> Result<Batch, fleet_queue::Error> {
        self.token += 1;
        let kinds = [(Noop::KIND.to_owned(), Noop::VERSION)];
        let request = ClaimRequest {
            worker: self.worker,
            token: self.token,
            queue: Noop::policy().queue,
            limit: self.batch,
            kinds: &kinds,
        };
        claim(&mut self.conn, request, &mut self.turns).await
    }

    pub(super) async fn depart(mut self) -> Result<(), fleet_queue::Error> {
        depart(&mut self.conn, self.worker).await?;
        Ok(())
    }
}

/// Claims so many jobs, and says how long each claim took.
async fn claim_all(
    mut claimant: Claimant,
    jobs: u64,
    batches: mpsc::Sender<Batch>,
) -> Result<(Claimant, Vec<Duration>), fleet_queue::Error> {
    let mut claimed = 0;
    let mut took = Vec::new();
    while claimed < jobs {
        let begun = Instant::now();
        let batch = claimant.claim().await?;
        took.push(begun.elapsed());
        claimed += batch.len() as u64;
        if batches.send(batch).await.is_err() {
            break; // settling failed, and says why
        }
    }
    Ok((claimant, took))
}

/// Completes a batch, if there is anything in it.
pub(super) async fn settle_all(conn: &mut Connection, batch: Batch) -> anyhow::Result<u64> {
    if batch.is_empty() {
        return Ok(0);
    }
    let settlements: Vec<Settlement> = batch.into_iter().map(completed).collect();
    let answers = settle(conn, &settlements).await?;
    ensure!(
        answers.iter().all(|answer| *answer == Settled::Recorded),
        "a claim did not stand, though nobody else was there"
    );
    Ok(answers.len() as u64)
}

fn completed((claim, job): (Claim, Claimed)) -> Settlement {
    Settlement {
        claim,
        outcome: Outcome::Completed { output: None },
        attempt: job.attempt,
        max_attempts: job.max_attempts,
    }
}
