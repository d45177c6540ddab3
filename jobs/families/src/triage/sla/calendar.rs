//! Business time: how much of a span lies within a tenant's hours, and when so much of it will have passed.

use std::collections::BTreeSet;

use chrono::{
    DateTime, Datelike, Days, LocalResult, NaiveDate, NaiveTime, TimeDelta, TimeZone, Utc,
};
use chrono_tz::Tz;

/// Days that are looked ahead at most; a calendar of holidays only has no end.
const DAYS_MAX: u64 = 3_660;

/// When a tenant is at work.
#[derive(Clone, Debug, PartialEq)]
pub struct Calendar {
    /// Where.
    pub zone: Tz,
    /// 1 is Monday.
    pub work_days: Vec<u8>,
    /// Minutes after midnight, on the clocks of the zone.
    pub opens: u16,
    /// At most 1440: the end of the day.
    pub closes: u16,
    /// Days on which nobody is.
    pub holidays: BTreeSet<NaiveDate>,
}

impl Default for Calendar {
    /// Monday to Friday, 9 to 17 UTC.
    fn default() -> Self {
        Self {
            zone: Tz::UTC,
            work_days: (1..=5).collect(),
            opens: 540,
            closes: 1_020,
            holidays: BTreeSet::new(),
        }
    }
}

impl Calendar {
    /// Business minutes of a span; 0 where it ends before it begins.
    pub fn minutes_between(&self, from: DateTime<Utc>, to: DateTime<Utc>) -> f64 {
        let windows = self.windows(from).take_while(|(opens, _)| *opens < to);
        windows
            .map(|(opens, closes)| minutes(opens.max(from), closes.min(to)).max(0.0))
            .sum()
    }

    /// The moment at which so many business minutes have passed since `from`.
    pub fn after(&self, from: DateTime<Utc>, wanted: f64) -> DateTime<Utc> {
        let mut left = wanted.max(0.0);
        let mut last = from;
        if left == 0.0 {
            return from;
        }
        for (opens, closes) in self.windows(from) {
            let begins = opens.max(from);
            let open = minutes(begins, closes).max(0.0);
            if open >= left {
                return begins + TimeDelta::microseconds((left * 60e6).round() as i64);
            }
            left -= open;
            last = closes;
        }
        last
    }

    /// Hours of work from the day of `from` on, in order.
    fn windows(
        &self,
        from: DateTime<Utc>,
    ) -> impl Iterator<Item = (DateTime<Utc>, DateTime<Utc>)> + '_ {
        // A day early: midnight of a zone may lie behind the day's window of another.
        let first = from.with_timezone(&self.zone).date_naive() - Days::new(1);
        (0..DAYS_MAX)
            .map_while(move |days| first.checked_add_days(Days::new(days)))
            .filter(|day| self.is_worked(*day))
            .map(|day| {
                (
                    self.instant(day, self.opens),
                    self.instant(day, self.closes),
                )
            })
            .filter(move |(_, closes)| *closes > from)
    }

    fn is_worked(&self, day: NaiveDate) -> bool {
        let weekday = day.weekday().number_from_monday() as u8;
        self.work_days.contains(&weekday) && !self.holidays.contains(&day)
    }

    /// A minute on the wall's clock; one that the clocks jump over is the moment of the jump, one that they show twice the first.
    fn instant(&self, day: NaiveDate, minute: u16) -> DateTime<Utc> {
        let wall = day.and_time(NaiveTime::MIN) + TimeDelta::minutes(minute.into());
        match self.zone.from_local_datetime(&wall) {
            LocalResult::Single(at) | LocalResult::Ambiguous(at, _) => at.to_utc(),
            LocalResult::None => {
                let steps = (1..=24).map(|quarters| wall + TimeDelta::minutes(15 * quarters));
                let mut there =
                    steps.filter_map(|wall| self.zone.from_local_datetime(&wall).earliest());
                there.next().map_or(wall.and_utc(), |at| at.to_utc())
            }
        }
    }
}

fn minutes(from: DateTime<Utc>, to: DateTime<Utc>) -> f64 {
    (to - from).num_microseconds().unwrap_or(i64::MAX) as f64 / 60e6
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().expect("an instant")
    }

    /// Whole minutes, so that they can be compared.
    fn passed(calendar: &Calendar, from: DateTime<Utc>, to: DateTime<Utc>) -> i64 {
        calendar.minutes_between(from, to).round() as i64
    }

    fn berlin() -> Calendar {
        Calendar {
            zone: Tz::Europe__Berlin,
            ..Calendar::default()
        }
    }

    #[test]
    fn a_weekend_and_a_holiday_do_not_count() {
        let mut calendar = Calendar::default();
        // Friday 16:00 and two hours: an hour on Friday, one on Monday.
        let friday = at("2026-11-20T16:00:00Z");
        assert_eq!(calendar.after(friday, 120.0), at("2026-11-23T10:00:00Z"));
        calendar
            .holidays
            .insert("2026-11-23".parse().expect("a date"));
        assert_eq!(calendar.after(friday, 120.0), at("2026-11-24T10:00:00Z"));
        assert_eq!(passed(&calendar, friday, at("2026-11-24T10:00:00Z")), 120);
    }

    #[test]
    fn hours_are_those_of_the_wall_when_the_clocks_are_set() {
        // Berlin went to summer time on 29 March 2026: nine o'clock is 08:00 UTC before and 07:00 after.
        let friday = at("2026-03-27T15:00:00Z");
        assert_eq!(berlin().after(friday, 60.0), at("2026-03-27T16:00:00Z"));
        assert_eq!(berlin().after(friday, 120.0), at("2026-03-30T08:00:00Z"));
        // Round the clock, the day of the jump has 23 hours.
        let always = Calendar {
            work_days: (1..=7).collect(),
            opens: 0,
            closes: 1_440,
            ..berlin()
        };
        let (from, to) = (at("2026-03-28T23:00:00Z"), at("2026-03-29T22:00:00Z"));
        assert_eq!(passed(&always, from, to), 23 * 60);
        let (from, to) = (at("2026-10-24T22:00:00Z"), at("2026-10-25T23:00:00Z"));
        assert_eq!(passed(&always, from, to), 25 * 60);
    }

    #[test]
    fn hours_that_begin_in_the_gap_begin_at_its_end() {
        let night = Calendar {
            work_days: vec![7],
            opens: 150, // 02:30, which 29 March 2026 did not have
            closes: 300,
            ..berlin()
        };
        let begins = night.after(at("2026-03-29T00:00:00Z"), 1.0);
        assert_eq!(begins, at("2026-03-29T01:01:00Z"));
    }

    #[test]
    fn a_calendar_without_a_day_of_work_ends_the_search() {
        let never = Calendar {
            work_days: vec![],
            ..Calendar::default()
        };
        let now = at("2026-11-20T16:00:00Z");
        assert_eq!(passed(&never, now, now + TimeDelta::days(30)), 0);
        assert_eq!(never.after(now, 60.0), now);
    }

    fn zones() -> impl Strategy<Value = Tz> {
        prop::sample::select(vec![
            Tz::UTC,
            Tz::Europe__Berlin,
            Tz::America__New_York,
            Tz::Asia__Kolkata,
            Tz::Australia__Lord_Howe,
            Tz::Pacific__Apia,
            Tz::America__Sao_Paulo,
        ])
    }

    proptest! {
        #[test]
        fn what_was_added_has_passed(zone in zones(), opens in 0u16..1_400, length in 10u16..1_440, start in 0i64..1_500_000, wanted in 1.0f64..10_000.0) {
            let calendar = Calendar { zone, opens, closes: (opens + length).min(1_440), ..Calendar::default() };
            let from = at("2026-01-01T00:00:00Z") + TimeDelta::minutes(start);
            let due = calendar.after(from, wanted);
            prop_assert!(due > from);
            prop_assert!((calendar.minutes_between(from, due) - wanted).abs() < 0.01);
            prop_assert!(calendar.after(from, wanted + 1.0) > due);
        }
    }
}
