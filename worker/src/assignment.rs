//! A claimed job on its way through the worker, with the right to settle it and the means to stop it.

use std::sync::Arc;
use std::time::Duration;

use fleet_queue::{Claim, Claimed};
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::held::{ClaimKey, Stop};
use crate::lineup::Slot;

/// The claim, shared with the handler's context, which may settle with it inside a transaction.
pub(crate) type SharedClaim = Arc<Mutex<Option<Claim>>>;

/// A claimed job.
pub(crate) struct Assignment {
    /// The job.
    pub(crate) job: Arc<Claimed>,
    /// The right to settle it.
    pub(crate) claim: SharedClaim,
    /// Its claim as the database names it.
    pub(crate) key: ClaimKey,
    /// The means to stop it.
    pub(crate) stop: Arc<Stop>,
    /// When it was claimed, by this process's clock.
    pub(crate) claimed_at: Instant,
    /// Its handler's place, once it has one.
    pub(crate) slot: Option<Slot>,
}

impl Assignment {
    /// A job just claimed.
    pub(crate) fn new(claim: Claim, job: Claimed, stop: Arc<Stop>) -> Self {
        Self {
            key: (claim.id(), claim.token()),
            job: Arc::new(job),
            claim: Arc::new(Mutex::new(Some(claim))),
            stop,
            claimed_at: Instant::now(),
            slot: None,
        }
    }

    /// How long it has been due: until it was claimed by the database's clock, since then by ours.
    pub(crate) fn waited(&self) -> Duration {
        let due = self.job.started_at - self.job.run_at;
        due.to_std().unwrap_or_default() + self.claimed_at.elapsed()
    }
}
