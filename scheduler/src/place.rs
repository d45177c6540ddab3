//! From where the due index is worth reading, so that not every look begins at its beginning. Upholds I3.
//!
//! Entries of promoted jobs stay in the index while some old snapshot keeps vacuum from them. What commits late, or was skipped because a
//! process held it that then died, lies before the place; so every few seconds it is doubted, the less often the longer a whole look takes.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::time::Instant;

/// A look from the beginning comes at most so often, and takes at most one part in `STRETCH` of the time.
const DOUBT_EVERY: Duration = Duration::from_secs(2);
const STRETCH: u32 = 50;

/// The place that the lookout and promotion share.
#[derive(Debug)]
pub(crate) struct Place(Mutex<State>);

#[derive(Debug)]
struct State {
    due_from: Option<DateTime<Utc>>,
    doubt_at: Instant,
}

impl Place {
    /// Nothing is known yet.
    pub(crate) fn new() -> Self {
        Self(Mutex::new(State {
            due_from: None,
            doubt_at: Instant::now(),
        }))
    }

    /// Where promotion begins; none: at the beginning.
    pub(crate) fn due_from(&self) -> Option<DateTime<Utc>> {
        self.state().due_from
    }

    /// Promotion came so far and has more to do.
    pub(crate) fn reach(&self, due_from: Option<DateTime<Utc>>) {
        self.state().due_from = due_from;
    }

    /// Where a look begins that is made now.
    pub(crate) fn for_look(&self, now: Instant) -> Option<DateTime<Utc>> {
        let state = self.state();
        state.due_from.filter(|_| now < state.doubt_at)
    }

    /// A look from the beginning took so long.
    pub(crate) fn looked_at_all(&self, ended: Instant, took: Duration) {
        self.state().doubt_at = ended + DOUBT_EVERY.max(took * STRETCH);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_doubted_the_less_often_the_longer_a_whole_look_takes() {
        let now = Instant::now();
        let place = Place::new();
        assert_eq!(place.for_look(now), None, "nothing is known");
        let there = Some(DateTime::UNIX_EPOCH);
        place.looked_at_all(now, Duration::from_secs(1));
        place.reach(there);
        let after = |seconds| now + Duration::from_secs(seconds);
        assert_eq!(place.for_look(after(49)), there);
        assert_eq!(place.for_look(after(50)), None);
        place.looked_at_all(after(50), Duration::ZERO);
        assert_eq!(place.for_look(after(51)), there);
        assert_eq!(place.for_look(after(52)), None);
    }
}
