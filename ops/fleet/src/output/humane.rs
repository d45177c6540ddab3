//! Times, counts and sizes as people say them.

use std::fmt::Display;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

const SECOND: u64 = 1;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// How long ago, or in how long: `3s ago`, `in 5m`, `now`.
pub(crate) fn ago(now: DateTime<Utc>, then: DateTime<Utc>) -> String {
    let past = now - then;
    match past.num_seconds() {
        0 => "now".to_owned(),
        1.. => format!("{} ago", span(unsigned(past))),
        _ => format!("in {}", span(unsigned(-past))),
    }
}

/// A time to come, with its distance: `2026-11-21 08:00:00Z (in 5m)`.
pub(crate) fn until(now: DateTime<Utc>, then: DateTime<Utc>) -> String {
    format!("{} ({})", then.format("%Y-%m-%d %H:%M:%SZ"), ago(now, then))
}

/// A length of time in its two largest units: `840ms`, `3.2s`, `4m10s`, `2h`, `3d4h`.
pub(crate) fn span(length: Duration) -> String {
    let seconds = length.as_secs();
    match seconds {
        0 => format!("{}ms", length.as_millis()),
        1..10 if length.subsec_millis() >= 50 => format!("{:.1}s", length.as_secs_f64()),
        1..MINUTE => format!("{seconds}s"),
        MINUTE..HOUR => two(seconds, MINUTE, "m", SECOND, "s"),
        HOUR..DAY => two(seconds, HOUR, "h", MINUTE, "m"),
        _ => two(seconds, DAY, "d", HOUR, "h"),
    }
}

/// With a comma every three digits: `12,345`.
pub(crate) fn count(n: impl Into<i64>) -> String {
    let n: i64 = n.into();
    let digits = n.unsigned_abs().to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3 + 1);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if n < 0 { format!("-{text}") } else { text }
}

/// What few rows have; nothing where it is not there.
pub(crate) fn blank_or(value: Option<impl Display>) -> String {
    value.map_or(String::new(), |value| value.to_string())
}

/// A size in binary units: `840 B`, `1.5 MiB`.
pub(crate) fn bytes(n: u64) -> String {
    indicatif::BinaryBytes(n).to_string()
}

fn two(seconds: u64, large: u64, large_name: &str, small: u64, small_name: &str) -> String {
    match (seconds % large) / small {
        0 => format!("{}{large_name}", seconds / large),
        rest => format!("{}{large_name}{rest}{small_name}", seconds / large),
    }
}

fn unsigned(length: TimeDelta) -> Duration {
    length.to_std().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_have_at_most_two_units() {
        let said: Vec<_> = [0.84, 3.0, 3.24, 59.0, 250.0, 7200.0, 273_600.0]
            .map(|seconds| span(Duration::from_secs_f64(seconds)))
            .into();
        assert_eq!(said, ["840ms", "3s", "3.2s", "59s", "4m10s", "2h", "3d4h"]);
    }

    #[test]
    fn past_and_future_are_told_apart() {
        let now = DateTime::UNIX_EPOCH + TimeDelta::days(400);
        assert_eq!(ago(now, now - TimeDelta::seconds(3)), "3s ago");
        assert_eq!(ago(now, now + TimeDelta::minutes(5)), "in 5m");
        assert_eq!(ago(now, now + TimeDelta::milliseconds(5)), "now");
    }

    #[test]
    fn large_counts_have_commas() {
        assert_eq!(
            [0, 999, 1000, -1_234_567].map(count),
            ["0", "999", "1,000", "-1,234,567"]
        );
    }
}
