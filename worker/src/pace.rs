//! How far ahead to claim: by how long jobs of a queue were seen to keep a handler busy. Claims ahead only what starts soon.
//!
//! The time is taken from getting a handler to giving it back, so it contains whatever the machine is short of;
//! handlers divided by it is the pace at which jobs start.

use std::time::Duration;

/// Most jobs claimed ahead: two claims' worth, so that one is under way while the other is worked off.
const AHEAD_MAX: usize = 2_000;

/// Jobs that keep a handler busy for more windows than this are not claimed ahead: where all handlers begin together, the job behind
/// them waits for as long as one takes. Of those that take between one window and so many, one is claimed for each handler.
const BUSY_MAX: f64 = 4.0;

/// Weight of a job that took longer than the mean, and of one that took less: bad news is believed sooner.
const SLOWER: f64 = 0.25;
const FASTER: f64 = 0.05;

/// The measured pace of one queue's jobs.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Pace {
    mean_s: Option<f64>,
}

impl Pace {
    /// Takes a finished job into account.
    pub(crate) fn note(&mut self, took: Duration) {
        let took = took.as_secs_f64();
        self.mean_s = Some(self.mean_s.map_or(took, |mean| {
            let weight = if took > mean { SLOWER } else { FASTER };
            mean + weight * (took - mean)
        }));
    }

    /// How many jobs `handlers` will start within `window`, or once each where a job takes longer than that; none where a single one takes
    /// much longer, or none was seen yet.
    pub(crate) fn ahead(&self, handlers: usize, window: Duration) -> usize {
        let window = window.as_secs_f64();
        match self.mean_s {
            Some(mean) if mean <= BUSY_MAX * window => {
                let starts = handlers as f64 * (window / mean.max(1e-9)).max(1.0);
                (starts as usize).min(AHEAD_MAX)
            }
            _ => 0,
        }
    }

    /// Jobs claimed ahead were not started in time: nothing is claimed ahead until jobs are seen to be fast again.
    pub(crate) fn slow_down(&mut self, seen: Duration) {
        let seen = seen.as_secs_f64();
        self.mean_s = Some(self.mean_s.map_or(seen, |mean| mean.max(seen)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Duration = Duration::from_millis(100);

    fn after(jobs: &[u64]) -> Pace {
        let mut pace = Pace::default();
        for ms in jobs {
            pace.note(Duration::from_millis(*ms));
        }
        pace
    }

    #[test]
    fn claims_ahead_what_starts_within_the_window() {
        assert_eq!(after(&[]).ahead(16, WINDOW), 0);
        assert_eq!(after(&[20]).ahead(16, WINDOW), 80);
        assert_eq!(after(&[400]).ahead(16, WINDOW), 16);
        assert_eq!(after(&[0]).ahead(16, WINDOW), AHEAD_MAX);
    }

    #[test]
    fn slow_jobs_are_not_hoarded() {
        assert_eq!(after(&[401]).ahead(16, WINDOW), 0);
        assert_eq!(after(&[1, 1, 1, 1, 1_800]).ahead(16, WINDOW), 0);
    }

    #[test]
    fn good_news_is_believed_later_than_bad() {
        let mut pace = after(&[1]);
        pace.slow_down(Duration::from_secs(1));
        assert_eq!(pace.ahead(16, WINDOW), 0);
        for _ in 0..60 {
            pace.note(Duration::from_millis(1));
        }
        assert!(pace.ahead(16, WINDOW) > 0);
    }
}
