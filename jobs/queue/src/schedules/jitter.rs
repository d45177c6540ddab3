//! Spreads ticks of many schedules that name the same moment; a pure function, so that every process agrees.

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use crate::policy::unit;

/// How long after a tick's time it is due: 0 to `most_s` seconds, always the same for the same schedule and tick.
pub(super) fn jitter(schedule: Uuid, tick: DateTime<Utc>, most_s: u32) -> TimeDelta {
    let share = unit(schedule, &tick.timestamp().to_le_bytes());
    TimeDelta::milliseconds((share * f64::from(most_s) * 1_000.0) as i64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// As [`unit`] does, for the same reason.
    #[test]
    fn is_the_same_in_every_version() {
        let tick = DateTime::from_timestamp(1_800_000_000, 0).expect("an instant");
        let millis = [1, 2].map(|id| jitter(Uuid::from_u128(id), tick, 600).num_milliseconds());
        assert_eq!(millis, [574_306, 162_418]);
    }

    proptest! {
        #[test]
        fn stays_in_its_window_and_repeats_itself(id: u128, second in 0_i64..4_000_000_000, most in 0_u32..86_400) {
            let tick = DateTime::from_timestamp(second, 0).expect("an instant");
            let first = jitter(Uuid::from_u128(id), tick, most);
            prop_assert_eq!(first, jitter(Uuid::from_u128(id), tick, most));
            prop_assert!(first >= TimeDelta::zero() && first <= TimeDelta::seconds(most.into()));
        }
    }
}
