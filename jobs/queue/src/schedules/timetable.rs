//! The timetable: which instants a definition names, in order. Pure; every tick is a whole second.

use std::collections::VecDeque;

use chrono::{DateTime, FixedOffset, Offset, TimeDelta, Utc};
use chrono_tz::Tz;
use croner::Cron;
use schemars::JsonSchema;
use serde::Serialize;

use super::cron::{Moment, Times, next_match};
use super::definition::invalid;
use super::wall::{instant, local, next_shift, resolve, second_showing, whole_second};
use super::{Ambiguous, Definition, Nonexistent};
use crate::Error;

/// A definition's ticks.
#[derive(Clone, Debug)]
pub struct Timetable {
    ticking: Ticking,
    zone: Tz,
    nonexistent: Nonexistent,
    ambiguous: Ambiguous,
    starts_at: Option<DateTime<Utc>>,
    ends_at: Option<DateTime<Utc>>,
}

#[derive(Clone, Debug)]
enum Ticking {
    Pattern(Box<Cron>),
    Every(TimeDelta),
    /// Sorted, each once.
    List(Vec<DateTime<Utc>>),
}

/// How far back a preview looks for a past tick.
const PAST_MAX: TimeDelta = TimeDelta::days(40 * 366);
/// Most ticks of a preview, each way.
const PREVIEW_MAX: usize = 1_000;

impl Timetable {
    /// Reads a definition's times; a refusal names the field, `cron` or `zone`.
    pub fn of(definition: &Definition) -> Result<Self, Error> {
        let zone: Tz = definition
            .zone
            .parse()
            .map_err(|_| bad_zone(&definition.zone))?;
        let times = Times::parse(&definition.cron)?;
        let nonexistent = definition.nonexistent;
        let by_default = if times.is_recurring_within_the_day() {
            Ambiguous::Twice
        } else {
            Ambiguous::First
        };
        let ambiguous = definition.ambiguous.unwrap_or(by_default);
        let ticking = match times {
            Times::Pattern(cron) => Ticking::Pattern(cron),
            Times::Every(period) => Ticking::Every(period),
            Times::List(moments) => Ticking::List(listed(zone, &moments, nonexistent, ambiguous)),
        };
        Ok(Self {
            ticking,
            zone,
            nonexistent,
            ambiguous,
            starts_at: definition.starts_at,
            ends_at: definition.ends_at,
        })
    }

    /// The first tick after `at`.
    pub fn after(&self, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let just_before = |start: DateTime<Utc>| start - TimeDelta::nanoseconds(1);
        let at = self
            .starts_at
            .map_or(at, |start| at.max(just_before(start)));
        let tick = match &self.ticking {
            Ticking::Pattern(cron) => self.match_after(cron, at)?,
            Ticking::Every(period) => multiple_after(self.anchor(), *period, at)?,
            Ticking::List(list) => *list.get(list.partition_point(|tick| *tick <= at))?,
        };
        self.ends_at.is_none_or(|end| tick < end).then_some(tick)
    }

    /// Every tick after `at`, in order.
    pub fn ticks_after(&self, at: DateTime<Utc>) -> impl Iterator<Item = DateTime<Utc>> + '_ {
        std::iter::successors(self.after(at), |tick| self.after(*tick))
    }

    /// The last `n` ticks before `at`, in order.
    pub fn before(&self, at: DateTime<Utc>, n: usize) -> Vec<DateTime<Utc>> {
        // A window before `at` is searched forwards, and doubled until it holds enough: one way of counting, so both ways agree.
        let mut width = self.spacing(at) * i32::try_from(n + 1).unwrap_or(i32::MAX);
        loop {
            let from = at - width.min(PAST_MAX);
            let exhausted = width >= PAST_MAX || self.starts_at.is_some_and(|start| from < start);
            let mut last = VecDeque::with_capacity(n + 1);
            for tick in self.ticks_after(from).take_while(|tick| *tick < at) {
                last.push_back(tick);
                if last.len() > n {
                    last.pop_front();
                }
            }
            if last.len() >= n || exhausted {
                return last.into();
            }
            width = width * 2;
        }
    }

    /// The next and the last `n` ticks around `from`, for people; `n` is at most 1,000.
    pub fn preview(&self, from: DateTime<Utc>, n: usize) -> Preview {
        let n = n.min(PREVIEW_MAX);
        let shown = |at: DateTime<Utc>| PreviewedTick {
            at,
            local: self.with_offset(at),
        };
        Preview {
            zone: self.zone.name().to_owned(),
            past: self.before(from, n).into_iter().map(shown).collect(),
            next: self.ticks_after(from).take(n).map(shown).collect(),
        }
    }

    fn with_offset(&self, at: DateTime<Utc>) -> DateTime<FixedOffset> {
        let in_zone = at.with_timezone(&self.zone);
        let offset = in_zone.offset().fix();
        in_zone.with_timezone(&offset)
    }

    /// About how far ticks are apart near `at`; a guess to start from.
    fn spacing(&self, at: DateTime<Utc>) -> TimeDelta {
        let mut ticks = self.ticks_after(at);
        match (ticks.next(), ticks.next()) {
            (Some(first), Some(second)) => (second - first).max(TimeDelta::minutes(1)),
            _ => TimeDelta::days(1),
        }
    }

    /// Where `@every` counts from.
    fn anchor(&self) -> DateTime<Utc> {
        self.starts_at.map_or(DateTime::UNIX_EPOCH, whole_second_up)
    }

    /// The first instant after `at` whose local time the pattern matches, stretch by stretch of constant offset.
    fn match_after(&self, cron: &Cron, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let (mut from, mut inclusive) = self.first_local(at);
        let mut reached = at;
        loop {
            let matched = next_match(cron, from, inclusive)?;
            let found = instant(self.zone, matched, reached);
            let Some(shift) = next_shift(self.zone, reached, found) else {
                return Some(found);
            };
            // The clocks are set before they show the match, or instead of showing it.
            if shift.is_forward() && matched < shift.to && self.nonexistent == Nonexistent::Next {
                return Some(shift.at);
            }
            let shown_before = !shift.is_forward() && self.ambiguous == Ambiguous::First;
            (from, inclusive) = (if shown_before { shift.from } else { shift.to }, true);
            reached = shift.at;
        }
    }

    /// The local time to search from, and whether it counts itself.
    fn first_local(&self, at: DateTime<Utc>) -> (chrono::NaiveDateTime, bool) {
        if self.ambiguous == Ambiguous::First
            && let Some(shift) = second_showing(self.zone, at)
        {
            return (shift.from, true); // what the clocks show again until then has fired
        }
        (local(self.zone, at), false)
    }
}

fn bad_zone(zone: &str) -> Error {
    let problem = format!(
        "\"{zone}\" is no zone of the IANA database; a region and a city are expected, such as \"Europe/Berlin\", or \"UTC\""
    );
    invalid("zone", problem)
}

fn listed(
    zone: Tz,
    moments: &[Moment],
    nonexistent: Nonexistent,
    ambiguous: Ambiguous,
) -> Vec<DateTime<Utc>> {
    let instants = moments.iter().flat_map(|moment| match *moment {
        Moment::Instant(at) => vec![at],
        Moment::Local(time) => resolve(zone, time, nonexistent, ambiguous),
    });
    let mut list: Vec<_> = instants.collect();
    list.sort_unstable();
    list.dedup();
    list
}

fn multiple_after(
    anchor: DateTime<Utc>,
    period: TimeDelta,
    at: DateTime<Utc>,
) -> Option<DateTime<Utc>> {
    if at < anchor {
        return Some(anchor);
    }
    let turns = (at - anchor).num_seconds() / period.num_seconds() + 1;
    anchor.checked_add_signed(TimeDelta::seconds(turns.checked_mul(period.num_seconds())?))
}

fn whole_second_up(at: DateTime<Utc>) -> DateTime<Utc> {
    let down = whole_second(at);
    if down == at {
        at
    } else {
        down + TimeDelta::seconds(1)
    }
}

/// The next and the last `n` ticks around `from` of a cron in a zone, before anybody saves it.
pub fn preview(cron: &str, zone: &str, from: DateTime<Utc>, n: usize) -> Result<Preview, Error> {
    let definition = Definition {
        zone: zone.to_owned(),
        ..Definition::new("preview", "preview", cron)
    };
    Timetable::of(&definition).map(|table| table.preview(from, n))
}

/// Ticks around a moment.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Preview {
    /// The zone of `local`.
    pub zone: String,
    /// The last ones, oldest first.
    pub past: Vec<PreviewedTick>,
    /// The next ones.
    pub next: Vec<PreviewedTick>,
}

/// A tick, as an instant and as the zone's clocks show it.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct PreviewedTick {
    /// The instant.
    pub at: DateTime<Utc>,
    /// The same in the schedule's zone.
    pub local: DateTime<FixedOffset>,
}

#[cfg(test)]
mod tests;
