//! Catch-up: which of the ticks that are due are worth firing. Pure.
//!
//! A tick is on time within a minute of being due and is always fired; one that nobody could fire by then was missed, and the policy decides.
//! What this drops it counts, and the watermark passes it: a dropped tick never comes back (I7).

use chrono::{DateTime, TimeDelta, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::definition::bound;
use super::jitter::jitter;
use super::{Definition, Timetable};
use crate::Error;

/// What becomes of missed ticks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Missed {
    /// None is fired.
    None,
    /// Only the newest is fired, and only where no tick is on time.
    #[default]
    Latest,
    /// All are fired, oldest first.
    All,
    /// The newest `cap` of those missed within the last `within_s` seconds.
    Window {
        /// Seconds.
        within_s: u32,
        /// At most so many.
        cap: u16,
    },
}

/// Later than this a tick was missed.
const ON_TIME: TimeDelta = TimeDelta::seconds(60);
/// Most ticks of a schedule that one round fires; the rest come with the next.
pub(super) const ROUND_MAX: usize = 100;
/// Missed ticks are counted up to here: a schedule of every second that slept for a month need not be counted out.
const COUNTED_MAX: usize = 1_000;

impl Missed {
    pub(super) fn check(self) -> Result<(), Error> {
        let Self::Window { within_s, cap } = self else {
            return Ok(());
        };
        bound(
            "missed.window.within_s",
            within_s > 0,
            "must be at least 1 second",
        )?;
        let cap_holds = (1..=ROUND_MAX).contains(&usize::from(cap));
        bound("missed.window.cap", cap_holds, "1 to 100 ticks are allowed")
    }
}

/// A schedule's ticks, and how it treats them.
pub(super) struct Clockwork<'a> {
    pub(super) id: Uuid,
    pub(super) definition: &'a Definition,
    pub(super) table: Timetable,
}

/// What to do now.
#[derive(Debug, PartialEq)]
pub(super) struct Plan {
    /// To be fired, in order.
    pub(super) fire: Vec<DateTime<Utc>>,
    /// How many more were due and are dropped.
    pub(super) dropped: usize,
    /// Everything up to here is decided.
    pub(super) watermark: DateTime<Utc>,
    /// The tick to wait for.
    pub(super) next: Option<DateTime<Utc>>,
}

impl<'a> Clockwork<'a> {
    pub(super) fn of(id: Uuid, definition: &'a Definition) -> Result<Self, Error> {
        let table = Timetable::of(definition)?;
        Ok(Self {
            id,
            definition,
            table,
        })
    }

    /// When a tick is due: its time and its jitter.
    pub(super) fn due(&self, tick: DateTime<Utc>) -> DateTime<Utc> {
        tick + jitter(self.id, tick, self.definition.jitter_s)
    }

    /// Decides over every tick after the watermark that is due.
    pub(super) fn plan(&self, watermark: DateTime<Utc>, now: DateTime<Utc>) -> Plan {
        let fire = match self.definition.missed {
            Missed::All => self.oldest(watermark, now),
            Missed::None => self.newest(ROUND_MAX, watermark, now, |late| late <= ON_TIME),
            Missed::Latest => self.latest(watermark, now),
            Missed::Window { within_s, cap } => {
                let within = TimeDelta::seconds(within_s.into()).max(ON_TIME);
                self.newest(cap.into(), watermark, now, |late| late <= within)
            }
        };
        let last = if fire.len() == ROUND_MAX {
            fire.last().copied() // there may be more, for the next round
        } else {
            self.due_ticks(1, watermark, now).pop()
        };
        let last = last.unwrap_or(watermark);
        let passed = self
            .table
            .ticks_after(watermark)
            .take_while(|tick| *tick <= last);
        Plan {
            dropped: passed.take(COUNTED_MAX + fire.len()).count() - fire.len(),
            watermark: last,
            next: self.table.after(last),
            fire,
        }
    }

    fn latest(&self, watermark: DateTime<Utc>, now: DateTime<Utc>) -> Vec<DateTime<Utc>> {
        let on_time = self.newest(ROUND_MAX, watermark, now, |late| late <= ON_TIME);
        if on_time.is_empty() {
            return self.newest(1, watermark, now, |_| true);
        }
        on_time
    }

    /// The newest due ticks that are not too late.
    fn newest(
        &self,
        most: usize,
        watermark: DateTime<Utc>,
        now: DateTime<Utc>,
        in_time: impl Fn(TimeDelta) -> bool,
    ) -> Vec<DateTime<Utc>> {
        let mut ticks = self.due_ticks(most, watermark, now);
        ticks.retain(|tick| in_time(now - self.due(*tick)) && !self.expired(*tick, now));
        ticks
    }

    /// The oldest due ticks, for who wants all of them.
    fn oldest(&self, watermark: DateTime<Utc>, now: DateTime<Utc>) -> Vec<DateTime<Utc>> {
        let lifetime = self
            .definition
            .expires_after_s
            .map(|s| TimeDelta::seconds(s.into()));
        let from = lifetime.map_or(watermark, |lifetime| watermark.max(now - lifetime));
        let due = self
            .table
            .ticks_after(from)
            .take_while(|tick| self.due(*tick) <= now);
        due.take(ROUND_MAX).collect()
    }

    fn expired(&self, tick: DateTime<Utc>, now: DateTime<Utc>) -> bool {
        let lifetime = self.definition.expires_after_s;
        lifetime.is_some_and(|s| tick + TimeDelta::seconds(s.into()) <= now)
    }

    /// The newest `most` ticks after the watermark that are due, in order. A tick never overtakes an earlier one, whatever their jitter.
    fn due_ticks(
        &self,
        most: usize,
        watermark: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Vec<DateTime<Utc>> {
        let surely = now - TimeDelta::seconds(self.definition.jitter_s.into());
        let after_surely = surely + TimeDelta::nanoseconds(1);
        let mut ticks = self.table.before(after_surely, most);
        ticks.retain(|tick| *tick > watermark);
        let recent = self.table.ticks_after(surely.max(watermark));
        ticks.extend(recent.take_while(|tick| self.due(*tick) <= now));
        ticks.split_off(ticks.len().saturating_sub(most))
    }
}

#[cfg(test)]
mod tests;
