//! How a kind of job is treated: its defaults, and how long it waits before it is tried again.

use std::time::Duration;

use uuid::Uuid;

use crate::JobId;

/// The defaults of a kind; every one can be overridden for a single job.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Policy {
    /// Queue it goes to.
    pub queue: &'static str,
    /// 0 most urgent to 3 least.
    pub priority: i16,
    /// Attempts before it is discarded; crashes, snoozes and interruptions do not count.
    pub max_attempts: i16,
    /// Longest a single attempt may run.
    pub timeout: Duration,
    /// Waits between attempts.
    pub backoff: Backoff,
}

impl Policy {
    /// Twenty attempts over about two days, one minute each, in the queue `default`.
    pub const DEFAULT: Self = Self {
        queue: "default",
        priority: 2,
        max_attempts: 20,
        timeout: Duration::from_secs(60),
        backoff: Backoff::DEFAULT,
    };
}

impl Default for Policy {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// Exponential: `first * factor^(attempt-1)`, at most `longest`, spread by ± `jitter`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Backoff {
    /// Wait after the first failure.
    pub first: Duration,
    /// Growth from one failure to the next; at least 1.
    pub factor: f64,
    /// Never longer than this, jitter included.
    pub longest: Duration,
    /// Share of the wait by which it is spread; 0 to 1.
    pub jitter: f64,
}

impl Backoff {
    /// 2 s, 4 s, 8 s … up to 6 hours, ± 20 %.
    pub const DEFAULT: Self = Self {
        first: Duration::from_secs(2),
        factor: 2.0,
        longest: Duration::from_secs(6 * 3600),
        jitter: 0.2,
    };

    /// The wait after failed attempt number `attempt` (from 1) of a job.
    ///
    /// A pure function: the jitter comes from the job's id and the attempt, so that a test and a second process agree.
    #[must_use]
    pub fn delay(&self, job: JobId, attempt: i16) -> Duration {
        let exponent = f64::from(attempt.max(1) - 1).min(1024.0);
        let plain = (self.first.as_secs_f64() * self.factor.max(1.0).powf(exponent))
            .min(self.longest.as_secs_f64());
        let spread =
            1.0 + self.jitter.clamp(0.0, 1.0) * (2.0 * unit(job.0, &attempt.to_le_bytes()) - 1.0);
        Duration::from_secs_f64((plain * spread).clamp(0.0, self.longest.as_secs_f64()))
    }
}

/// A number in [0, 1) from an id and what tells its uses apart, by FNV-1a and a final mix (splitmix64).
pub(crate) fn unit(id: Uuid, salt: &[u8]) -> f64 {
    let seed = id
        .as_bytes()
        .iter()
        .chain(salt)
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
        });
    let mut x = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((x ^ (x >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn doubles_until_the_longest() {
        let backoff = Backoff {
            jitter: 0.0,
            ..Backoff::DEFAULT
        };
        let seconds: Vec<u64> = [1, 2, 3, 4, 13, 14, 15, 1000]
            .map(|n| backoff.delay(JobId(Uuid::nil()), n).as_secs())
            .into();
        assert_eq!(seconds, [2, 4, 8, 16, 8192, 16384, 21600, 21600]);
    }

    /// Old and new binaries run side by side during a deploy, and must agree on when a tick is due.
    #[test]
    fn jitter_is_the_same_in_every_version() {
        let first = JobId(Uuid::from_u128(1));
        let second = JobId(Uuid::from_u128(2));
        let micros: Vec<u128> = [(first, 1), (first, 5), (second, 1), (second, 5)]
            .map(|(job, attempt)| Backoff::DEFAULT.delay(job, attempt).as_micros())
            .into();
        assert_eq!(micros, [2_253_578, 34_777_439, 1_961_373, 35_260_019]);
        let share = unit(first.0, &1_i16.to_le_bytes());
        assert_eq!(share.to_bits(), 0x3fea_24a4_e135_ad50);
    }

    proptest! {
        #[test]
        fn stays_within_its_spread_and_repeats_itself(id: u128, attempt in 1_i16..1000) {
            let job = JobId(Uuid::from_u128(id));
            let plain = Backoff { jitter: 0.0, ..Backoff::DEFAULT }.delay(job, attempt).as_secs_f64();
            let spread = Backoff::DEFAULT.delay(job, attempt).as_secs_f64();
            prop_assert!(spread >= plain * 0.799 && spread <= (plain * 1.201).min(21600.0));
            prop_assert_eq!(Backoff::DEFAULT.delay(job, attempt), Backoff::DEFAULT.delay(job, attempt));
        }

        #[test]
        fn jitter_differs_between_jobs(a: u128, b: u128) {
            prop_assume!(a != b);
            let delay = |id| Backoff::DEFAULT.delay(JobId(Uuid::from_u128(id)), 5);
            prop_assert!(delay(a) != delay(b) || unit(Uuid::from_u128(a), &[5, 0]).to_bits() == unit(Uuid::from_u128(b), &[5, 0]).to_bits());
        }
    }
}
