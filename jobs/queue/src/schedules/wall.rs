//! The clock on the wall of a zone: which instants a local time names, when clocks jump forward over it or back onto it.
//!
//! A zone is a row of stretches with a constant offset; between two of them the clocks shift. Everything here follows from that,
//! so no case of daylight saving needs a rule of its own.

use chrono::{DateTime, Days, NaiveDateTime, Offset, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a local time does that the clocks jump over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Nonexistent {
    /// It fires at the next valid instant: the moment of the jump.
    #[default]
    Next,
    /// It does not fire that day.
    Skip,
}

/// What a local time does that the clocks show twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Ambiguous {
    /// It fires the first time.
    First,
    /// It fires both times.
    Twice,
}

/// A moment at which a zone's clocks are set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shift {
    pub(super) at: DateTime<Utc>,
    /// What the clocks show at that moment before they are set.
    pub(super) from: NaiveDateTime,
    /// What they show after.
    pub(super) to: NaiveDateTime,
}

impl Shift {
    pub(super) fn is_forward(&self) -> bool {
        self.from < self.to
    }
}

/// No zone has set its clocks back by more; a date line has been crossed by 24 hours.
const LONGEST_SHIFT: TimeDelta = TimeDelta::hours(25);
/// Zones keep an offset for weeks; the shortest stretch on record is some days.
const STRIDE: Days = Days::new(1);

/// What the clocks show.
pub(super) fn local(zone: Tz, at: DateTime<Utc>) -> NaiveDateTime {
    at.naive_utc() + offset(zone, at)
}

/// The instant at which they show it, in the stretch that `during` lies in.
pub(super) fn instant(zone: Tz, local: NaiveDateTime, during: DateTime<Utc>) -> DateTime<Utc> {
    (local - offset(zone, during)).and_utc()
}

fn offset(zone: Tz, at: DateTime<Utc>) -> TimeDelta {
    let seconds = zone
        .offset_from_utc_datetime(&at.naive_utc())
        .fix()
        .local_minus_utc();
    TimeDelta::seconds(i64::from(seconds))
}

/// The first shift after `after` and not after `until`.
pub(super) fn next_shift(zone: Tz, after: DateTime<Utc>, until: DateTime<Utc>) -> Option<Shift> {
    let mut low = after;
    while low < until {
        let high = low
            .checked_add_days(STRIDE)
            .map_or(until, |high| high.min(until));
        if offset(zone, low) != offset(zone, high) {
            return Some(pin_down(zone, low, high));
        }
        low = high;
    }
    None
}

/// The shift between two instants with different offsets, by halving, to the second.
fn pin_down(zone: Tz, mut low: DateTime<Utc>, mut high: DateTime<Utc>) -> Shift {
    let before = offset(zone, low);
    while high - low > TimeDelta::seconds(1) {
        let middle = low + TimeDelta::seconds((high - low).num_seconds() / 2);
        if offset(zone, middle) == before {
            low = middle;
        } else {
            high = middle;
        }
    }
    // Shifts happen on whole seconds, and `high` is at most a second past one.
    let at = whole_second(high);
    Shift {
        at,
        from: at.naive_utc() + before,
        to: local(zone, at),
    }
}

/// The backward shift in whose second showing `at` lies, if it lies in one.
pub(super) fn second_showing(zone: Tz, at: DateTime<Utc>) -> Option<Shift> {
    let mut from = at - LONGEST_SHIFT;
    let mut last = None;
    while let Some(shift) = next_shift(zone, from, at) {
        from = shift.at;
        last = Some(shift);
    }
    last.filter(|shift| !shift.is_forward() && local(zone, at) < shift.from)
}

/// The instants that a single local time names.
pub(super) fn resolve(
    zone: Tz,
    time: NaiveDateTime,
    nonexistent: Nonexistent,
    ambiguous: Ambiguous,
) -> Vec<DateTime<Utc>> {
    use chrono::LocalResult::{Ambiguous as Twofold, None as Jumped, Single};
    match (zone.from_local_datetime(&time), ambiguous, nonexistent) {
        (Single(at), ..) => vec![at.to_utc()],
        (Twofold(first, _), Ambiguous::First, _) => vec![first.to_utc()],
        (Twofold(first, second), Ambiguous::Twice, _) => vec![first.to_utc(), second.to_utc()],
        (Jumped, _, Nonexistent::Skip) => Vec::new(),
        (Jumped, _, Nonexistent::Next) => {
            let near = time.and_utc();
            next_shift(zone, near - LONGEST_SHIFT, near + LONGEST_SHIFT)
                .map(|shift| shift.at)
                .into_iter()
                .collect()
        }
    }
}

/// Cut to the second.
pub(super) fn whole_second(at: DateTime<Utc>) -> DateTime<Utc> {
    DateTime::from_timestamp(at.timestamp(), 0).expect("an instant without its fraction is one")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utc(text: &str) -> DateTime<Utc> {
        text.parse().expect("an instant")
    }

    #[test]
    fn finds_the_second_at_which_clocks_are_set() {
        let berlin = chrono_tz::Europe::Berlin;
        let shift = next_shift(
            berlin,
            utc("2026-01-01T00:00:00Z"),
            utc("2026-12-31T00:00:00Z"),
        );
        let shift = shift.expect("Berlin shifts in March");
        assert_eq!(shift.at, utc("2026-03-29T01:00:00Z"));
        assert!(shift.is_forward());
        assert_eq!((shift.to - shift.from).num_minutes(), 60);
        assert_eq!(
            next_shift(berlin, shift.at, utc("2026-10-25T00:59:59Z")),
            None
        );
    }

    #[test]
    fn knows_the_second_showing_of_an_hour() {
        let new_york = chrono_tz::America::New_York;
        assert!(
            second_showing(new_york, utc("2026-11-01T05:30:00Z")).is_none(),
            "01:30 EDT"
        );
        assert!(
            second_showing(new_york, utc("2026-11-01T06:30:00Z")).is_some(),
            "01:30 EST"
        );
        assert!(
            second_showing(new_york, utc("2026-11-01T07:00:00Z")).is_none(),
            "02:00 EST"
        );
    }

    #[test]
    fn a_whole_day_left_out_at_the_date_line_resolves_to_the_jump() {
        let apia = chrono_tz::Pacific::Apia;
        let noon = utc("2011-12-30T12:00:00Z").naive_utc();
        let jump = resolve(apia, noon, Nonexistent::Next, Ambiguous::First);
        assert_eq!(jump, [utc("2011-12-30T10:00:00Z")]);
        assert!(resolve(apia, noon, Nonexistent::Skip, Ambiguous::First).is_empty());
    }
}
