//! The jobs this process holds, each with a way to stop it, and who asked for that. Upholds I1, I11.
//!
//! A job is held from its claim until its handler has ended; a signal that comes before the claim's answer is kept for it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fleet_queue::JobId;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// A signal for a job that is not here yet is kept so long; longer than any claim call takes.
const EARLY_KEPT: Duration = Duration::from_secs(30);

/// A claim as the database names it: the job and the claim's number.
pub(crate) type ClaimKey = (JobId, i64);

/// Why a handler was told to stop; a later reason outweighs an earlier one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum StopReason {
    /// The worker stops.
    Shutdown = 1,
    /// The lease could not be renewed for too long.
    Isolated = 2,
    /// Somebody cancelled the job.
    Cancelled = 3,
    /// The claim no longer stands: there is nothing to settle.
    LeaseLost = 4,
}

/// The means to stop one handler.
#[derive(Debug, Default)]
pub(crate) struct Stop {
    token: CancellationToken,
    reason: AtomicU8,
}

impl Stop {
    /// Tells the handler to stop.
    pub(crate) fn now(&self, reason: StopReason) {
        self.reason.fetch_max(reason as u8, Ordering::SeqCst);
        self.token.cancel();
    }

    /// The handler's end of it.
    pub(crate) fn token(&self) -> &CancellationToken {
        &self.token
    }

    /// Why it was told to stop, if it was.
    pub(crate) fn reason(&self) -> Option<StopReason> {
        match self.reason.load(Ordering::SeqCst) {
            1 => Some(StopReason::Shutdown),
            2 => Some(StopReason::Isolated),
            3 => Some(StopReason::Cancelled),
            4 => Some(StopReason::LeaseLost),
            _ => None,
        }
    }
}

/// Every job this process holds.
#[derive(Debug, Default)]
pub(crate) struct Held(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    stops: HashMap<ClaimKey, Arc<Stop>>,
    early: HashMap<ClaimKey, Instant>,
}

impl Held {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a claimed job in; already stopped, if its cancellation was heard of before.
    pub(crate) fn take(&self, key: ClaimKey) -> Arc<Stop> {
        let stop = Arc::<Stop>::default();
        let mut inner = self.inner();
        inner.stops.insert(key, Arc::clone(&stop));
        if inner.early.remove(&key).is_some() {
            stop.now(StopReason::Cancelled);
        }
        stop
    }

    /// Lets a job go.
    pub(crate) fn release(&self, key: ClaimKey) {
        self.inner().stops.remove(&key);
    }

    /// Tells jobs to stop because they were cancelled.
    pub(crate) fn cancel(&self, keys: &[ClaimKey]) {
        if keys.is_empty() {
            return;
        }
        let now = Instant::now();
        let mut inner = self.inner();
        inner
            .early
            .retain(|_, heard| now.duration_since(*heard) < EARLY_KEPT);
        for key in keys {
            match inner.stops.get(key) {
                Some(stop) => stop.now(StopReason::Cancelled),
                None => drop(inner.early.insert(*key, now)),
            }
        }
    }

    /// Tells one job to stop, if it is still here.
    pub(crate) fn stop(&self, key: ClaimKey, reason: StopReason) {
        if let Some(stop) = self.inner().stops.get(&key) {
            stop.now(reason);
        }
    }

    /// Tells every job to stop.
    pub(crate) fn stop_all(&self, reason: StopReason) {
        for stop in self.inner().stops.values() {
            stop.now(reason);
        }
    }

    /// Every claim.
    pub(crate) fn keys(&self) -> Vec<ClaimKey> {
        self.inner().stops.keys().copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_that_comes_before_its_claim_is_kept() {
        let held = Held::default();
        let key = (JobId::generate(), 7);
        held.cancel(&[key]);
        assert_eq!(held.take((key.0, 8)).reason(), None, "another claim of it");
        assert_eq!(held.take(key).reason(), Some(StopReason::Cancelled));
    }

    #[test]
    fn a_lost_lease_outweighs_every_other_reason() {
        let held = Held::default();
        let stop = held.take((JobId::generate(), 1));
        held.stop_all(StopReason::LeaseLost);
        held.stop_all(StopReason::Shutdown);
        assert_eq!(stop.reason(), Some(StopReason::LeaseLost));
    }
}
