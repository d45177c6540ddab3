//! A claim lent to a settle inside a handler: it comes back however that ends.
//!
//! A handler may be dropped in the middle (its time is up, its worker is cut off from the database). A claim that went with it would
//! leave its job running for ever under a worker that lives, because nobody could settle it any more (I3).

use tokio::sync::MutexGuard;

use crate::{Claim, Claimed, Outcome, Settlement};

/// The claim as a settlement, and the place that it goes back to when dropped.
pub(super) struct Lent<'a> {
    place: MutexGuard<'a, Option<Claim>>,
    settlement: Option<Settlement>,
}

impl<'a> Lent<'a> {
    /// Takes the claim out of its place; `None` where it is gone already.
    pub(super) fn take(
        mut place: MutexGuard<'a, Option<Claim>>,
        outcome: Outcome,
        job: &Claimed,
    ) -> Option<Self> {
        let settlement = Settlement {
            claim: place.take()?,
            outcome,
            attempt: job.attempt,
            max_attempts: job.max_attempts,
        };
        let settlement = Some(settlement);
        Some(Self { place, settlement })
    }

    /// What a settle takes: the one settlement.
    pub(super) fn settlements(&self) -> &[Settlement] {
        self.settlement.as_slice()
    }
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        *self.place = self.settlement.take().map(|settlement| settlement.claim);
    }
}
