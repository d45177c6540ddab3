//! Reads what a schedule says of its times: cron, `@every`, `@at`. Refuses what can never come.

use std::str::FromStr;

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, TimeDelta, Utc};
use croner::errors::CronError;
use croner::parser::{CronParser, Seconds, Year};
use croner::{Cron, Weekday};

use crate::Error;

/// When, as read.
#[derive(Clone, Debug)]
pub(super) enum Times {
    /// Local times that a pattern matches.
    Pattern(Box<Cron>),
    /// Every so often, counted from the schedule's start or else from 1970, whatever clocks show.
    Every(TimeDelta),
    /// These and no others.
    List(Vec<Moment>),
}

/// One entry of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    /// Given with its offset.
    Instant(DateTime<Utc>),
    /// Given as the zone's clocks show it.
    Local(NaiveDateTime),
}

const CRON_EXAMPLE: &str = "five fields are expected (minute, hour, day of month, month, day of week), or six with the second first, such as \"30 6 * * mon-fri\"";
const EVERY_EXAMPLE: &str =
    "such as \"@every 90s\" or \"@every 1h30m\"; 1s to 366d in whole seconds are allowed";
const AT_EXAMPLE: &str =
    "such as \"@at 2027-01-31T09:00:00, 2027-02-28T09:00:00+01:00\"; 1 to 1,000 times are allowed";
const LIST_MAX: usize = 1_000;
const EVERY_MAX: TimeDelta = TimeDelta::days(366);
/// Within 28 years every date, leap days too, falls on every day of the week.
const DAYS_OF_EVERY_KIND: usize = 28 * 366;

impl Times {
    pub(super) fn parse(text: &str) -> Result<Self, Error> {
        let text = text.trim();
        if let Some(list) = text.strip_prefix("@at ") {
            return read_list(list);
        }
        if let Some(period) = text.strip_prefix("@every ") {
            return read_period(period.trim()).map(Self::Every);
        }
        read_pattern(text)
    }

    /// True where the pattern names hours by a star or a step: it means "every so often" and not "at that time of the day".
    pub(super) fn is_recurring_within_the_day(&self) -> bool {
        let Self::Pattern(cron) = self else {
            return true;
        };
        let fields: Vec<&str> = cron.as_str().split_whitespace().collect();
        let hour = if fields.len() == 6 {
            fields.get(2)
        } else {
            fields.get(1)
        };
        hour.is_some_and(|hour| hour.starts_with('*'))
    }
}

fn refuse(problem: String) -> Error {
    Error::Invalid {
        field: "cron",
        problem,
    }
}

fn read_pattern(text: &str) -> Result<Times, Error> {
    let parser = CronParser::builder()
        .seconds(Seconds::Optional)
        .year(Year::Disallowed)
        .build();
    let cron = parser.parse(text).map_err(|error| {
        refuse(format!(
            "\"{text}\" cannot be read ({error}); {CRON_EXAMPLE}"
        ))
    })?;
    if !comes_at_all(&cron) {
        let problem = format!(
            "\"{text}\" never comes: no year has such a day; a day that every month has is 1 to 28, and L is the last one"
        );
        return Err(refuse(problem));
    }
    Ok(Times::Pattern(Box::new(cron)))
}

/// True where the calendar has a day for the pattern; every day has all hours, and zones come later and can only move what matches.
///
/// Asked of days and not by a search for the next match, which for the 30th of February would walk through thousands of years.
fn comes_at_all(cron: &Cron) -> bool {
    let first = NaiveDate::from_ymd_opt(2001, 1, 1).expect("a date");
    first.iter_days().take(DAYS_OF_EVERY_KIND).any(|day| {
        let (year, month, day_of_month) = (day.year(), day.month(), day.day());
        let weekday = Weekday::from_days_from_sunday(day.weekday().num_days_from_sunday());
        let fits = |matched: Result<bool, CronError>| matched.is_ok_and(|fits| fits);
        fits(cron.pattern.month_match(month))
            && fits(cron.pattern.day_match(year, month, day_of_month, weekday))
    })
}

/// The first local time from `from` on, or after it, that the pattern matches.
pub(super) fn next_match(
    cron: &Cron,
    from: NaiveDateTime,
    inclusive: bool,
) -> Option<NaiveDateTime> {
    cron.find_next_occurrence(&from.and_utc(), inclusive)
        .ok()
        .map(|found| found.naive_utc())
}

fn read_period(text: &str) -> Result<TimeDelta, Error> {
    let wrong = || refuse(format!("\"{text}\" is no period; {EVERY_EXAMPLE}"));
    let mut total = TimeDelta::zero();
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let number: u32 = rest[..digits].parse().map_err(|_| wrong())?;
        let unit = rest[digits..].chars().next().ok_or_else(wrong)?;
        let seconds = match unit {
            's' => 1,
            'm' => 60,
            'h' => 3_600,
            'd' => 86_400,
            _ => return Err(wrong()),
        };
        total += TimeDelta::seconds(i64::from(number) * seconds);
        rest = &rest[digits + unit.len_utf8()..];
    }
    if (TimeDelta::seconds(1)..=EVERY_MAX).contains(&total) {
        Ok(total)
    } else {
        Err(wrong())
    }
}

fn read_list(text: &str) -> Result<Times, Error> {
    let moments: Vec<Moment> = text
        .split(',')
        .map(|entry| read_moment(entry.trim()))
        .collect::<Result<_, _>>()?;
    if moments.len() > LIST_MAX {
        return Err(refuse(format!(
            "lists {} times; {AT_EXAMPLE}",
            moments.len()
        )));
    }
    Ok(Times::List(moments))
}

fn read_moment(entry: &str) -> Result<Moment, Error> {
    let moment = DateTime::parse_from_rfc3339(entry)
        .map(|at| Moment::Instant(at.to_utc()))
        .or_else(|_| NaiveDateTime::from_str(entry).map(Moment::Local));
    let moment = moment
        .map_err(|error| refuse(format!("\"{entry}\" is no time ({error}); {AT_EXAMPLE}")))?;
    if fraction(moment) == 0 {
        Ok(moment)
    } else {
        Err(refuse(format!(
            "\"{entry}\" is no whole second; {AT_EXAMPLE}"
        )))
    }
}

fn fraction(moment: Moment) -> u32 {
    match moment {
        Moment::Instant(at) => at.timestamp_subsec_nanos(),
        Moment::Local(at) => at.and_utc().timestamp_subsec_nanos(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(text: &str) -> String {
        let error = Times::parse(text).expect_err("refused");
        assert!(matches!(error, Error::Invalid { field: "cron", .. }));
        error.to_string()
    }

    #[test]
    fn reads_what_people_write() {
        for text in [
            "0 6 * * *",
            "*/15 * * * * *",
            "0 9 * JAN-MAR mon,WED-fri",
            "0 0 L * *",
            "0 12 * * FRI#2",
            "0 0 * * 5L",
            "15,45 8-18/2 1-7 * *",
            "@daily",
            "@every 90s",
            "@every 1d12h",
            "@at 2027-01-31T09:00:00, 2027-02-28T09:00:00+01:00",
        ] {
            assert!(Times::parse(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn refuses_with_the_field_what_is_wrong_and_an_example() {
        assert!(problem("61 * * * *").contains("30 6 * * mon-fri"));
        assert!(problem("").contains("five fields"));
        assert!(problem("* * *").contains("five fields"));
        assert!(problem("0 0 1 1 * 2027 7").contains("five fields"));
        assert!(problem("@every 90").contains("@every 90s"));
        assert!(problem("@every 0s").contains("1s to 366d"));
        assert!(problem("@every 99999999999h").contains("no period"));
        assert!(problem("@at tomorrow").contains("\"tomorrow\" is no time"));
        assert!(problem("@at 2027-01-31T09:00:00.5Z").contains("whole second"));
    }

    #[test]
    fn a_list_has_a_thousand_times_at_most() {
        let list = |n| format!("@at {}", vec!["2027-01-31T09:00:00Z"; n].join(","));
        assert!(Times::parse(&list(LIST_MAX)).is_ok());
        assert!(problem(&list(LIST_MAX + 1)).contains("lists 1001 times"));
    }

    #[test]
    fn refuses_days_that_no_year_has() {
        for text in ["0 0 30 2 *", "0 0 31 4,6,9,11 *", "0 0 31 2 *"] {
            assert!(problem(text).contains("never comes"), "{text}");
        }
        for text in ["0 0 29 2 *", "0 0 29 2 +mon", "0 0 * 2 fri#5"] {
            assert!(Times::parse(text).is_ok(), "{text} comes in some year");
        }
    }

    #[test]
    fn tells_times_of_the_day_from_every_so_often() {
        for (text, recurring) in [
            ("*/5 * * * *", true),
            ("0 */2 * * *", true),
            ("0 30 * * * *", true),
            ("30 1 * * *", false),
            ("0 30 1 * * *", false),
            ("0 8-18 * * *", false),
        ] {
            let times = Times::parse(text).expect(text);
            assert_eq!(times.is_recurring_within_the_day(), recurring, "{text}");
        }
    }
}
