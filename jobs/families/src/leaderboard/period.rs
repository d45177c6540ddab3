//! Which days a board counts.

use chrono::{Datelike, Days, Months, NaiveDate};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The span of a board.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Period {
    /// One day; by default yesterday.
    Day,
    /// Seven days; by default the last whole week, Monday to Sunday.
    Week,
    /// A calendar month's length; by default the last whole one.
    Month,
    /// Thirty days; by default those up to and with today, which makes the board nearly live.
    #[serde(rename = "rolling_30d")]
    Rolling30d,
    /// Everything there is.
    All,
}

/// Days counted: from `start` up to, and without, `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Window {
    /// The first day counted.
    pub start: NaiveDate,
    /// The first day not counted any more.
    pub end: NaiveDate,
}

/// Before any metric: where "everything" begins.
const BEGINNING: NaiveDate = NaiveDate::from_ymd_opt(2000, 1, 1).expect("a date");

impl Period {
    /// The name in the database and in payloads.
    pub fn name(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
            Self::Rolling30d => "rolling_30d",
            Self::All => "all",
        }
    }

    /// What people call it.
    pub fn words(self) -> &'static str {
        match self {
            Self::Day => "the day",
            Self::Week => "the week",
            Self::Month => "the month",
            Self::Rolling30d => "the last 30 days",
            Self::All => "all time",
        }
    }

    /// The period of that name.
    pub fn named(name: &str) -> Option<Self> {
        [
            Self::Day,
            Self::Week,
            Self::Month,
            Self::Rolling30d,
            Self::All,
        ]
        .into_iter()
        .find(|period| period.name() == name)
    }

    /// The days that end before `end`, or before the latest end that makes sense today. `None` where the calendar does.
    pub fn window(self, end: Option<NaiveDate>, today: NaiveDate) -> Option<Window> {
        let end = end.or_else(|| self.latest_end(today))?;
        let start = match self {
            Self::Day => end.checked_sub_days(Days::new(1)),
            Self::Week => end.checked_sub_days(Days::new(7)),
            Self::Month => end.checked_sub_months(Months::new(1)),
            Self::Rolling30d => end.checked_sub_days(Days::new(30)),
            Self::All => Some(BEGINNING),
        }?;
        (start < end).then_some(Window { start, end })
    }

    /// Day, week and month are shown when they are over; the others run up to today.
    fn latest_end(self, today: NaiveDate) -> Option<NaiveDate> {
        match self {
            Self::Day => Some(today),
            Self::Week => {
                today.checked_sub_days(Days::new(today.weekday().num_days_from_monday().into()))
            }
            Self::Month => today.with_day(1),
            Self::Rolling30d | Self::All => today.succ_opt(),
        }
    }
}

impl Window {
    /// How many days it has.
    pub fn days(&self) -> i64 {
        (self.end - self.start).num_days()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(period: Period, end: Option<&str>, today: &str) -> String {
        let date = |text: &str| text.parse::<NaiveDate>().expect("a date");
        let window = period.window(end.map(date), date(today)).expect("a window");
        format!("{} {}", window.start, window.end)
    }

    #[test]
    fn closed_periods_end_with_the_last_whole_one_and_open_ones_with_today() {
        let today = "2026-11-21"; // a Saturday
        assert_eq!(window(Period::Day, None, today), "2026-11-20 2026-11-21");
        assert_eq!(window(Period::Week, None, today), "2026-11-09 2026-11-16");
        assert_eq!(window(Period::Month, None, today), "2026-10-01 2026-11-01");
        assert_eq!(
            window(Period::Rolling30d, None, today),
            "2026-10-23 2026-11-22"
        );
        assert_eq!(window(Period::All, None, today), "2000-01-01 2026-11-22");
    }

    #[test]
    fn a_given_end_is_kept() {
        assert_eq!(
            window(Period::Week, Some("2026-11-05"), "2026-11-21"),
            "2026-10-29 2026-11-05"
        );
        assert_eq!(
            window(Period::Month, Some("2026-03-31"), "2026-11-21"),
            "2026-02-28 2026-03-31"
        );
    }

    #[test]
    fn an_end_before_the_beginning_has_no_window() {
        let end = Some(BEGINNING);
        assert_eq!(Period::All.window(end, BEGINNING), None);
        assert_eq!(Period::Day.window(Some(NaiveDate::MIN), BEGINNING), None);
    }

    #[test]
    fn every_name_is_found_again_and_is_the_serialized_one() {
        for period in [
            Period::Day,
            Period::Week,
            Period::Month,
            Period::Rolling30d,
            Period::All,
        ] {
            assert_eq!(Period::named(period.name()), Some(period));
            assert_eq!(serde_json::json!(period), period.name());
        }
        assert_eq!(Period::named("fortnight"), None);
    }
}
