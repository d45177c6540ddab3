//! What a campaign found out.

use std::collections::BTreeMap;

use fleet_check::{Evidence, Seen, Verdict, rescues};
use serde::Serialize;

/// The report of a campaign.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The seed that its harm followed from.
    pub seed: u64,
    /// How long harm was done, in seconds.
    pub lasted_s: f64,
    /// Faults that were survived, by name.
    pub faults: BTreeMap<String, u64>,
    /// What could not be done on this machine, and why.
    pub left_out: Vec<String>,
    /// Processes that ended and were started again.
    pub restarts: u64,
    /// Jobs whose enqueue was acknowledged to the portals.
    pub acknowledged: u64,
    /// Jobs that had not ended when the time to end was over.
    pub stuck: i64,
    /// How long the drain took, in seconds.
    pub drained_s: f64,
    /// Processes that would not stop in good order at the end.
    pub would_not_stop: Vec<String>,
    /// From a worker's kill to another claim of what it held; nothing else harmed meanwhile.
    pub rescues: Times,
    /// The same, whatever else was harmed.
    pub rescues_disturbed: Times,
    /// How much evidence there was.
    pub seen: Seen,
    /// What it says of the invariants.
    pub verdict: Verdict,
}

/// Times, in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Times {
    /// How many.
    pub n: usize,
    /// The middle one.
    pub p50_s: f64,
    /// One in a hundred took longer.
    pub p99_s: f64,
    /// The longest.
    pub most_s: f64,
}

impl Times {
    fn of(mut us: Vec<u64>) -> Self {
        us.sort_unstable();
        let Some(&most) = us.last() else {
            return Self::default();
        };
        let at =
            |share: f64| us[((us.len() as f64 * share).ceil() as usize).clamp(1, us.len()) - 1];
        let seconds = |us: u64| us as f64 / 1e6;
        Self {
            n: us.len(),
            p50_s: seconds(at(0.5)),
            p99_s: seconds(at(0.99)),
            most_s: seconds(most),
        }
    }

    /// Undisturbed, and all.
    pub(crate) fn of_rescues(evidence: &Evidence) -> (Self, Self) {
        let found = rescues(evidence, "worker killed", "default");
        let undisturbed = found.iter().filter(|rescue| !rescue.disturbed);
        (
            Self::of(undisturbed.map(|rescue| rescue.took_us).collect()),
            Self::of(found.iter().map(|rescue| rescue.took_us).collect()),
        )
    }
}

impl Report {
    /// Faults of all kinds.
    #[must_use]
    pub fn survived(&self) -> u64 {
        self.faults.values().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_times_that_were_measured() {
        let times = Times::of((1..=200).map(|n| n * 1_000_000).collect());
        let seconds = [times.p50_s, times.p99_s, times.most_s].map(|s| s.to_string());
        assert_eq!(
            (times.n, seconds),
            (200, ["100", "198", "200"].map(str::to_owned))
        );
        assert_eq!(Times::of(vec![2_000_000; 3]).p99_s.to_string(), "2");
        assert_eq!(Times::of(Vec::new()), Times::default());
    }
}
