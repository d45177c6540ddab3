//! What an operator can turn. The binary maps its configuration onto this; nothing here is read from the environment.

use std::time::Duration;

use crate::SchedulerError;

/// Settings of a scheduler process.
#[derive(Clone, Debug, PartialEq)]
pub struct SchedulerSettings {
    /// The host's name, for people to see.
    pub host: String,
    /// Longest time without a look at what is due, while nothing happens. An idle scheduler costs little more than one statement so often.
    pub tick_max: Duration,
    /// The same while jobs are being enqueued and claimed: how late a job can become available that was scheduled for the next moment.
    pub tick_busy: Duration,
    /// Length of a worker's lease: the same as the workers use. After a start of the server every lease gets its full length again.
    pub lease_ttl: Duration,
    /// Ended jobs, logs, results, ticks and counts are kept so many days.
    pub keep_days: i32,
    /// Most rows that one round of a duty takes.
    pub batch: i64,
    /// Most schedules that one round fires.
    pub tick_batch: i64,
    /// Days for which partitions are made ahead.
    pub partitions_ahead: i32,
    /// Whether the schedules of `default_schedules.toml` are applied.
    pub default_schedules: bool,
}

impl Default for SchedulerSettings {
    fn default() -> Self {
        Self {
            host: "unknown".to_owned(),
            tick_max: Duration::from_millis(1500),
            tick_busy: Duration::from_millis(250),
            lease_ttl: Duration::from_secs(8),
            keep_days: 30,
            batch: 5_000,
            tick_batch: 100,
            partitions_ahead: 3,
            default_schedules: true,
        }
    }
}

impl SchedulerSettings {
    /// Refuses what would not work, naming the setting.
    pub fn validate(&self) -> Result<(), SchedulerError> {
        let second = Duration::from_secs(1);
        within(
            "tick_max",
            self.tick_max,
            Duration::from_millis(100),
            10 * second,
        )?;
        within(
            "tick_busy",
            self.tick_busy,
            Duration::from_millis(20),
            self.tick_max,
        )?;
        within("lease_ttl", self.lease_ttl, second, 600 * second)?;
        within("keep_days", self.keep_days, 1, 3650)?;
        within("batch", self.batch, 1, 100_000)?;
        within("tick_batch", self.tick_batch, 1, 1_000)?;
        within("partitions_ahead", self.partitions_ahead, 1, 30)
    }
}

fn within<T: Copy + PartialOrd + std::fmt::Debug>(
    setting: &'static str,
    value: T,
    least: T,
    most: T,
) -> Result<(), SchedulerError> {
    if least <= value && value <= most {
        return Ok(());
    }
    let problem = format!("is {value:?}, {least:?} to {most:?} are allowed");
    Err(SchedulerError::Setting { setting, problem })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_hold_and_a_bad_one_is_named() {
        assert!(SchedulerSettings::default().validate().is_ok());
        let settings = SchedulerSettings {
            tick_busy: Duration::from_secs(60),
            ..SchedulerSettings::default()
        };
        let error = settings.validate().expect_err("busy is slower than idle");
        assert_eq!(
            error.to_string(),
            "scheduler setting tick_busy: is 60s, 20ms to 1.5s are allowed"
        );
    }
}
