//! What a worker's loops share.

use std::sync::Arc;

use fleet_queue::workers::Introduction;
use fleet_queue::{Claimed, Db, Outcome, Registry, Settlement, WorkerId};
use tokio::sync::mpsc;

use crate::WorkerSettings;
use crate::assignment::{Assignment, SharedClaim};
use crate::batch::Finished;
use crate::held::Held;
use crate::identity::Identity;
use crate::lineup::Lineup;
use crate::proof::Unproven;
use crate::sampler::Usage;
use crate::words::Words;

/// One for each worker process.
pub(crate) struct Shared {
    /// What the operator set.
    pub(crate) settings: WorkerSettings,
    /// The database.
    pub(crate) db: Db,
    /// The kinds it serves.
    pub(crate) registry: Registry,
    /// The queues it serves, in the order of the line's.
    pub(crate) queues: Vec<String>,
    /// Who it is.
    pub(crate) identity: Arc<Identity>,
    /// What it holds.
    pub(crate) held: Held,
    /// What waits for a handler.
    pub(crate) lineup: Arc<Lineup>,
    /// What others told it.
    pub(crate) words: Words,
    /// What its handlers settled themselves.
    pub(crate) unproven: Unproven,
    /// What it uses of its machine.
    pub(crate) usage: Usage,
    /// The way to settling.
    pub(crate) results: mpsc::Sender<Finished>,
}

impl Shared {
    /// What it says of itself under an id.
    pub(crate) fn introduction(&self, id: WorkerId) -> Introduction {
        Introduction {
            id,
            host: self.settings.host.clone(),
            pid: i32::try_from(std::process::id()).unwrap_or(i32::MAX),
            version: self.settings.version.clone(),
            queues: self.settings.served_queues(&self.registry),
            kinds: self
                .registry
                .infos()
                .map(|info| info.kind.to_owned())
                .collect(),
            capacity: self.settings.concurrency,
        }
    }

    /// Sends a result to settling; waits while that has more than it can take.
    pub(crate) async fn settle(&self, job: &Arc<Claimed>, claim: &SharedClaim, outcome: Outcome) {
        if let Some(finished) = take(job, claim, outcome).await {
            // Settling ends last; should it be gone, the process is being stopped by force.
            let _ = self.results.send(finished).await;
        }
    }

    /// Gives back jobs that were never started: at no cost to them.
    pub(crate) async fn hand_back(&self, jobs: Vec<Assignment>) {
        for job in jobs {
            self.held.release(job.key);
            self.settle(&job.job, &job.claim, Outcome::Interrupted)
                .await;
        }
    }
}

/// The claim, taken out of the handler's reach, with what is to be said of it.
pub(crate) async fn take(
    job: &Arc<Claimed>,
    claim: &SharedClaim,
    outcome: Outcome,
) -> Option<Finished> {
    let settlement = Settlement {
        claim: claim.lock().await.take()?,
        outcome,
        attempt: job.attempt,
        max_attempts: job.max_attempts,
    };
    let job = Arc::clone(job);
    Some(Finished { settlement, job })
}
