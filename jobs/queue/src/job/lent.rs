//! Claims lent to a settle inside a handler: they come back however that ends.
//!
//! A handler may be dropped in the middle (its time is up, its worker is cut off from the database). A claim that went with it would
//! leave its job running for ever under a worker that lives, because nobody could settle it any more (I3).

use tokio::sync::MutexGuard;

use crate::{Claim, Claimed, Outcome, Settlement};

/// Claims as settlements, and the places that they go back to when dropped.
#[derive(Default)]
pub(super) struct Lent<'a> {
    places: Vec<MutexGuard<'a, Option<Claim>>>,
    settlements: Vec<Settlement>,
}

impl<'a> Lent<'a> {
    /// Takes a claim out of its place; `None` where it is gone already.
    pub(super) fn take(
        &mut self,
        mut place: MutexGuard<'a, Option<Claim>>,
        outcome: Outcome,
        job: &Claimed,
    ) -> Option<()> {
        let settlement = Settlement {
            claim: place.take()?,
            outcome,
            attempt: job.attempt,
            max_attempts: job.max_attempts,
        };
        self.places.push(place);
        self.settlements.push(settlement);
        Some(())
    }

    /// What a settle takes, in the order of taking.
    pub(super) fn settlements(&self) -> &[Settlement] {
        &self.settlements
    }
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        for (place, settlement) in self.places.iter_mut().zip(self.settlements.drain(..)) {
            **place = Some(settlement.claim);
        }
    }
}
