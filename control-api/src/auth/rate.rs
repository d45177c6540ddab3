//! How many requests a key may make: so many a second on average, with bursts, counted by each process for itself (I9).
//!
//! A key's bucket is one instant: when all that it has used will have been earned back. It is ahead of now by at most a burst.
//! Keys of the platform are not counted: they are the operator's own, and `in_flight_max` bounds what they can do together.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use uuid::Uuid;

/// Past so many buckets those that are full again are forgotten: a full bucket and none are the same.
const BUCKETS_MAX: usize = 10_000;

/// The buckets of the keys in use.
#[derive(Debug)]
pub(crate) struct Rates {
    /// What one request costs.
    cost: Duration,
    burst: u32,
    earned_back_at: Mutex<HashMap<Uuid, Instant>>,
}

/// How a key stands after a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    /// False: the request is over the rate.
    pub(crate) admitted: bool,
    /// Requests that may still come at once.
    pub(crate) remaining: u32,
    /// Until the next one is admitted; zero where that is now.
    pub(crate) wait: Duration,
    /// Until the whole burst may come again.
    pub(crate) reset: Duration,
}

impl Rates {
    pub(crate) fn new(per_second: u32, burst: u32) -> Self {
        Self {
            cost: Duration::from_secs(1) / per_second.max(1),
            burst: burst.max(1),
            earned_back_at: Mutex::default(),
        }
    }

    /// Requests that may come at once after a quiet time.
    pub(crate) fn burst(&self) -> u32 {
        self.burst
    }

    /// Counts a request of a key, unless it is over the rate: then it costs nothing, so that patience is never punished.
    pub(crate) fn take(&self, key: Uuid, now: Instant) -> Standing {
        let mut buckets = self
            .earned_back_at
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= BUCKETS_MAX {
            buckets.retain(|_, earned_back| *earned_back > now);
        }
        let earned_back = buckets.entry(key).or_insert(now);
        let used = earned_back.saturating_duration_since(now);
        let allowed = self.cost * self.burst;
        let admitted = used + self.cost <= allowed;
        let used = if admitted { used + self.cost } else { used };
        *earned_back = now + used;
        let left = allowed.saturating_sub(used);
        Standing {
            admitted,
            remaining: u32::try_from(left.as_nanos() / self.cost.as_nanos()).unwrap_or(u32::MAX),
            wait: self.cost.saturating_sub(left),
            reset: used,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_and_then_the_average_holds() {
        let (rates, key, start) = (Rates::new(10, 3), Uuid::from_u128(1), Instant::now());
        let left: Vec<_> = (0..3).map(|_| rates.take(key, start).remaining).collect();
        assert_eq!(left, [2, 1, 0]);
        let refused = rates.take(key, start);
        assert_eq!((refused.admitted, refused.wait), (false, rates.cost));
        assert!(
            rates.take(Uuid::from_u128(2), start).admitted,
            "another key"
        );

        // Ten seconds of asking a hundred times a second: what was refused cost nothing.
        let asked = (1..=1_000_u32).map(|n| start + Duration::from_millis(10) * n);
        let admitted = asked.filter(|at| rates.take(key, *at).admitted).count();
        assert_eq!(admitted, 100);
    }

    #[test]
    fn a_quiet_time_gives_the_burst_back_and_no_more() {
        let (rates, key, start) = (Rates::new(10, 3), Uuid::from_u128(1), Instant::now());
        while rates.take(key, start).admitted {}
        let later = start + Duration::from_secs(3600);
        let burst = (0..10).filter(|_| rates.take(key, later).admitted);
        assert_eq!(burst.count(), 3);
    }
}
