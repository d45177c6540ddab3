//! When a duty's next round is: pure functions of its last round and of the outlook.

use std::time::Duration;

use fleet_queue::{Backoff, JobId, Outlook};
use tokio::time::Instant;
use uuid::Uuid;

/// What makes a duty due.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Rhythm {
    /// The outlook names its time.
    Foreseen(fn(&Outlook) -> Option<Duration>),
    /// So often while the fleet is busy, and so often while it is not; but it never takes more than one part in `stretch` of the time.
    Paced {
        busy: Duration,
        idle: Duration,
        stretch: u32,
    },
}

/// An outlook, and when it was had.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    pub(crate) at: Instant,
    pub(crate) outlook: Outlook,
}

/// How a duty's last round went.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Last {
    pub(crate) ended: Instant,
    pub(crate) took: Duration,
    /// Failures in a row; 0: it went well.
    pub(crate) failures: i16,
    /// It did something.
    pub(crate) fruitful: bool,
    /// It stopped at its batch: there is more to do.
    pub(crate) more: bool,
}

/// A foreseen round that found nothing was beaten to it by another process: that one is given time to commit.
const BEATEN: Duration = Duration::from_millis(250);
/// The database's clock and ours do not tick together; a round a moment early would find nothing.
const SLACK: Duration = Duration::from_millis(2);
/// So that every process is back within seconds of the database's return, and none hammers on it.
const RETRY_LONGEST: Duration = Duration::from_secs(2);
/// A duty that is seldom due can wait longer to be tried again; it may have failed because it was in somebody's way.
const RETRY_LONGEST_SELDOM: Duration = Duration::from_secs(60);

/// The wait after so many failures in a row; its jitter tells processes apart.
pub(crate) fn retry_wait(process: Uuid, failures: i16) -> Duration {
    retry_wait_up_to(RETRY_LONGEST, process, failures)
}

fn retry_wait_up_to(longest: Duration, process: Uuid, failures: i16) -> Duration {
    let backoff = Backoff {
        first: Duration::from_millis(250),
        factor: 2.0,
        longest,
        jitter: 0.5,
    };
    backoff.delay(JobId(process), failures)
}

impl Rhythm {
    /// When the next round is; `None`: not before another outlook.
    pub(crate) fn next(self, last: Option<&Last>, seen: &Seen, process: Uuid) -> Option<Instant> {
        let Some(last) = last else {
            return self.first(seen);
        };
        if last.failures > 0 {
            let wait = retry_wait_up_to(self.retry_longest(), process, last.failures);
            return Some(last.ended + wait);
        }
        if last.more {
            return Some(last.ended);
        }
        match self {
            // An outlook from before the round's end may speak of what the round has done.
            Self::Foreseen(_) if seen.at <= last.ended => None,
            Self::Foreseen(wait) => {
                let due = seen.at + wait(&seen.outlook)? + SLACK;
                let beaten = if last.fruitful {
                    Duration::ZERO
                } else {
                    BEATEN
                };
                Some(due.max(last.ended + beaten))
            }
            Self::Paced {
                busy,
                idle,
                stretch,
            } => {
                let pace = if seen.outlook.busy { busy } else { idle };
                Some(last.ended + pace.max(last.took * stretch))
            }
        }
    }

    fn retry_longest(self) -> Duration {
        match self {
            Self::Foreseen(_) => RETRY_LONGEST,
            Self::Paced { busy, .. } => busy.clamp(RETRY_LONGEST, RETRY_LONGEST_SELDOM),
        }
    }

    /// A paced duty starts with a round at once.
    fn first(self, seen: &Seen) -> Option<Instant> {
        match self {
            Self::Foreseen(wait) => wait(&seen.outlook).map(|wait| seen.at + wait + SLACK),
            Self::Paced { .. } => Some(seen.at),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROMOTE: Rhythm = Rhythm::Foreseen(|outlook| outlook.promotion);

    fn last(ended: Instant) -> Last {
        Last {
            ended,
            took: Duration::ZERO,
            failures: 0,
            fruitful: true,
            more: false,
        }
    }

    fn seen(at: Instant, promotion_ms: u64) -> Seen {
        let outlook = Outlook {
            promotion: Some(Duration::from_millis(promotion_ms)),
            ..Outlook::default()
        };
        Seen { at, outlook }
    }

    #[test]
    fn a_stale_outlook_triggers_nothing() {
        let now = Instant::now();
        let later = now + Duration::from_secs(1);
        assert_eq!(
            PROMOTE.next(Some(&last(later)), &seen(now, 0), Uuid::nil()),
            None
        );
        let due = PROMOTE.next(Some(&last(now)), &seen(later, 30), Uuid::nil());
        assert_eq!(due, Some(later + Duration::from_millis(30) + SLACK));
    }

    #[test]
    fn a_beaten_round_waits_for_the_other_to_commit() {
        let now = Instant::now();
        let beaten = Last {
            fruitful: false,
            ..last(now)
        };
        let soon = seen(now + Duration::from_millis(1), 0);
        assert_eq!(
            PROMOTE.next(Some(&beaten), &soon, Uuid::nil()),
            Some(now + BEATEN)
        );
    }

    #[test]
    fn a_slow_duty_is_paced_by_its_own_duration() {
        let now = Instant::now();
        let second = Duration::from_secs(1);
        let sweep = Rhythm::Paced {
            busy: 2 * second,
            idle: 20 * second,
            stretch: 50,
        };
        let slow = Last {
            took: second,
            ..last(now)
        };
        assert_eq!(
            sweep.next(Some(&slow), &seen(now, 0), Uuid::nil()),
            Some(now + 50 * second)
        );
        assert_eq!(
            sweep.next(Some(&last(now)), &seen(now, 0), Uuid::nil()),
            Some(now + 20 * second)
        );
    }

    #[test]
    fn failures_wait_longer_and_longer_up_to_two_seconds() {
        let process = Uuid::from_u128(7);
        let waits: Vec<_> = (1..30).map(|n| retry_wait(process, n)).collect();
        assert!(waits[0] < Duration::from_millis(400));
        assert!(waits.iter().all(|wait| *wait <= RETRY_LONGEST));
        let hourly = Rhythm::Paced {
            busy: Duration::from_secs(3600),
            idle: Duration::from_secs(3600),
            stretch: 1,
        };
        assert_eq!(hourly.retry_longest(), RETRY_LONGEST_SELDOM);
    }
}
