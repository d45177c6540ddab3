//! Overlap: what a tick does while jobs of earlier ones live. Pure.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::JobId;

/// What a tick does while a job of an earlier one lives: waits, runs, or waits to be tried again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Overlap {
    /// Nothing.
    #[default]
    Skip,
    /// Enqueues a job that starts when the one before it ends, unless one waits so already.
    BufferOne,
    /// Enqueues a job that starts when all before it have ended; at most 100 live at a time.
    BufferAll,
    /// Calls the earlier ones off, and enqueues a job that starts when they have stopped.
    CancelRunning,
    /// Enqueues a job that may run beside the others.
    Allow,
}

/// What becomes of a tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Decision {
    pub(super) tick_at: DateTime<Utc>,
    /// The job it gets, or the one in its way.
    pub(super) job: JobId,
    pub(super) fires: bool,
}

/// As many jobs of a schedule are looked for; so many live at a time at most, unless it allows any.
pub(super) const LIVE_MAX: usize = 100;

impl Overlap {
    /// True where the schedule's jobs run one at a time, in order.
    pub(super) fn serializes(self) -> bool {
        matches!(
            self,
            Self::BufferOne | Self::BufferAll | Self::CancelRunning
        )
    }

    /// How many of its jobs may live at a time.
    fn room(self) -> usize {
        match self {
            Self::Skip => 1,
            Self::BufferOne => 2,
            Self::BufferAll => LIVE_MAX,
            Self::CancelRunning | Self::Allow => usize::MAX,
        }
    }

    /// Decides over ticks in order; each meets what those before it enqueued. `live` has the newest first.
    pub(super) fn decide(
        self,
        ticks: &[DateTime<Utc>],
        live: &[JobId],
        mut new_job: impl FnMut() -> JobId,
    ) -> Vec<Decision> {
        if self == Self::CancelRunning {
            return only_newest(ticks, new_job());
        }
        let mut newest = live.first().copied();
        let mut alive = live.len();
        let decide = |tick_at: &DateTime<Utc>| {
            let in_the_way = newest.filter(|_| alive >= self.room());
            let job = in_the_way.unwrap_or_else(&mut new_job);
            let fires = in_the_way.is_none();
            alive += usize::from(fires);
            newest = Some(job);
            Decision {
                tick_at: *tick_at,
                job,
                fires,
            }
        };
        ticks.iter().map(decide).collect()
    }
}

/// Of several ticks at once each would call off the one before: only the newest is worth starting.
fn only_newest(ticks: &[DateTime<Utc>], job: JobId) -> Vec<Decision> {
    let newest = ticks.last();
    let decide = |tick_at: &DateTime<Utc>| Decision {
        tick_at: *tick_at,
        job,
        fires: Some(tick_at) == newest,
    };
    ticks.iter().map(decide).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fired(overlap: Overlap, ticks: i64, live: usize) -> String {
        let ticks: Vec<_> = (0..ticks)
            .filter_map(|s| DateTime::from_timestamp(s, 0))
            .collect();
        let live: Vec<_> = std::iter::repeat_with(JobId::generate).take(live).collect();
        let decisions = overlap.decide(&ticks, &live, JobId::generate);
        let shown = decisions.iter().map(|d| if d.fires { 'F' } else { '-' });
        shown.collect()
    }

    #[test]
    fn decides_by_the_table() {
        for (overlap, idle, one_lives, two_live) in [
            (Overlap::Skip, "F--", "---", "---"),
            (Overlap::BufferOne, "FF-", "F--", "---"),
            (Overlap::BufferAll, "FFF", "FFF", "FFF"),
            (Overlap::CancelRunning, "--F", "--F", "--F"),
            (Overlap::Allow, "FFF", "FFF", "FFF"),
        ] {
            let shown = [0, 1, 2].map(|live| fired(overlap, 3, live));
            assert_eq!(shown, [idle, one_lives, two_live], "{overlap:?}");
        }
    }

    #[test]
    fn buffer_all_is_bounded() {
        assert_eq!(fired(Overlap::BufferAll, 3, LIVE_MAX - 1), "F--");
    }

    #[test]
    fn a_skipped_tick_names_the_job_in_its_way() {
        let busy = JobId::generate();
        let decisions = Overlap::Skip.decide(&[DateTime::UNIX_EPOCH], &[busy], JobId::generate);
        assert_eq!((decisions[0].job, decisions[0].fires), (busy, false));
    }
}
