//! What a person says of a schedule, and what makes it refused.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Ambiguous, Missed, Nonexistent, Overlap, Timetable};
use crate::{Concurrency, Error, JobId, NewJob, Policy, Rare, TenantId};

/// A schedule as a person defines it; what is left out has the default said with it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Definition {
    /// Unique within the tenant.
    pub name: String,
    /// Kind of the jobs.
    pub kind: String,
    /// Payload of each of them; `{}` by default.
    #[serde(default = "no_fields")]
    pub payload: Value,
    /// Their options; the kind's by default.
    #[serde(default)]
    pub options: JobOptions,
    /// When: cron of five fields, or six with the second first; `@every 90s`; or `@at` with a list of times.
    pub cron: String,
    /// IANA zone whose clocks the cron and the list mean; `UTC` by default.
    #[serde(default = "utc")]
    pub zone: String,
    /// No tick before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starts_at: Option<DateTime<Utc>>,
    /// No tick then or after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_at: Option<DateTime<Utc>>,
    /// Each tick is fired so many seconds late at most, always the same for the same tick; less than the time between two ticks. 0 by default.
    #[serde(default)]
    pub jitter_s: u32,
    /// A local time that the clocks jump over: fires at the jump (`next`, the default), or not that day (`skip`).
    #[serde(default)]
    pub nonexistent: Nonexistent,
    /// A local time that the clocks show twice: fires the `first` time, or `twice`.
    /// By default once where the cron names the hour, twice where the hour is `*` or a step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ambiguous: Option<Ambiguous>,
    /// What a tick does while a job of an earlier one lives; `skip` by default.
    #[serde(default)]
    pub overlap: Overlap,
    /// What becomes of ticks that nobody could fire within a minute of their time; `latest` by default.
    #[serde(default)]
    pub missed: Missed,
    /// A tick whose job is not started so many seconds after its time is dropped; never by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_after_s: Option<u32>,
}

/// Options of a schedule's jobs. There is no unique key: a tick is unique by itself.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct JobOptions {
    /// Their queue.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue: Option<String>,
    /// 0 most urgent to 3 least.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<i16>,
    /// Attempts before one is discarded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_attempts: Option<i16>,
    /// Longest an attempt may run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<i32>,
    /// Words to find them by.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Kept with them, beside `schedule`, which says where they come from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<serde_json::Map<String, Value>>,
    /// At most so many running with the same key; only where overlap is `skip` or `allow`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<Concurrency>,
}

fn no_fields() -> Value {
    json!({})
}

fn utc() -> String {
    "UTC".to_owned()
}

/// Which tick a job is for.
#[derive(Clone, Copy, Debug)]
pub(super) struct JobOfTick {
    pub(super) job: JobId,
    pub(super) tick_at: DateTime<Utc>,
    pub(super) cause: &'static str,
}

/// The defaults of the schedule's kind, as registered.
#[derive(Clone, Debug)]
pub(super) struct KindDefaults {
    pub(super) version: i16,
    pub(super) queue: String,
    pub(super) priority: i16,
    pub(super) max_attempts: i16,
    pub(super) timeout_ms: i32,
}

impl Definition {
    /// A schedule of the kind's own defaults, in UTC.
    #[must_use]
    pub fn new(name: &str, kind: &str, cron: &str) -> Self {
        Self {
            name: name.to_owned(),
            kind: kind.to_owned(),
            payload: no_fields(),
            options: JobOptions::default(),
            cron: cron.to_owned(),
            zone: utc(),
            starts_at: None,
            ends_at: None,
            jitter_s: 0,
            nonexistent: Nonexistent::default(),
            ambiguous: None,
            overlap: Overlap::default(),
            missed: Missed::default(),
            expires_after_s: None,
        }
    }

    /// As it is stored; an older binary may meet one that a newer one wrote.
    pub(super) fn read(stored: Value) -> Result<Self, Error> {
        serde_json::from_value(stored).map_err(|error| {
            let problem =
                format!("was written by another version and cannot be read by this one: {error}");
            invalid("definition", problem)
        })
    }

    /// Refuses what could not be fired, naming the field. `now` is the database's.
    pub(super) fn check(&self, kind: &KindDefaults, now: DateTime<Utc>) -> Result<(), Error> {
        bound(
            "name",
            (1..=100).contains(&self.name.len()),
            "must have 1 to 100 bytes",
        )?;
        bound(
            "ends_at",
            !matches!((self.starts_at, self.ends_at), (Some(start), Some(end)) if start >= end),
            "must be after starts_at",
        )?;
        bound(
            "expires_after_s",
            self.expires_after_s != Some(0),
            "must be at least 1 second",
        )?;
        bound(
            "options.concurrency",
            self.options.concurrency.is_none() || !self.overlap.serializes(),
            "goes with overlap \"skip\" or \"allow\" only; with the others the schedule runs its jobs one by one itself",
        )?;
        self.missed.check()?;
        self.check_times(now)?;
        let sample = JobOfTick {
            job: JobId(Uuid::nil()),
            tick_at: now,
            cause: "time",
        };
        self.job(TenantId::PLATFORM, Uuid::nil(), kind, sample)
            .check()
    }

    fn check_times(&self, now: DateTime<Utc>) -> Result<(), Error> {
        let table = Timetable::of(self)?;
        let ticks: Vec<_> = table.ticks_after(now).take(10).collect();
        if ticks.is_empty() {
            let problem =
                "has no tick to come: its times are over, or ends_at is before the first of them";
            return Err(invalid("cron", problem.to_owned()));
        }
        let gap = ticks
            .windows(2)
            .map(|pair| (pair[1] - pair[0]).num_seconds())
            .min();
        bound(
            "jitter_s",
            self.jitter_s == 0 || gap.is_none_or(|gap| i64::from(self.jitter_s) < gap),
            "must be less than the time between two ticks",
        )?;
        bound("jitter_s", self.jitter_s <= 86_400, "is over a day")
    }

    /// The job of one tick.
    pub(super) fn job(
        &self,
        tenant: TenantId,
        schedule: Uuid,
        kind: &KindDefaults,
        tick: JobOfTick,
    ) -> NewJob {
        let options = &self.options;
        let mut metadata = options.metadata.clone().unwrap_or_default();
        let origin = json!({ "id": schedule, "name": self.name, "tick_at": tick.tick_at, "cause": tick.cause });
        metadata.insert("schedule".to_owned(), origin);
        let timeout_ms = options.timeout_ms.unwrap_or(kind.timeout_ms);
        let serial = self.overlap.serializes().then(|| Concurrency {
            key: format!("schedule:{schedule}"),
            limit: 1,
        });
        NewJob {
            id: tick.job,
            tenant,
            queue: options.queue.clone().unwrap_or_else(|| kind.queue.clone()),
            priority: options.priority.unwrap_or(kind.priority),
            max_attempts: options.max_attempts.unwrap_or(kind.max_attempts),
            timeout: std::time::Duration::from_millis(u64::try_from(timeout_ms).unwrap_or(0)),
            rare: Rare {
                expires_at: self
                    .expires_after_s
                    .map(|s| tick.tick_at + chrono::TimeDelta::seconds(s.into())),
                concurrency: serial.or_else(|| options.concurrency.clone()),
                tags: options.tags.clone(),
                metadata: Some(Value::Object(metadata)),
                ..Rare::default()
            },
            ..NewJob::new(
                &self.kind,
                kind.version,
                &Policy::DEFAULT,
                self.payload.clone(),
            )
        }
    }

    /// What decides when it ticks; an edit that leaves it alone loses no tick that is due.
    pub(super) fn same_times(&self, other: &Self) -> bool {
        let times = |d: &Self| {
            let span = (d.starts_at, d.ends_at, d.jitter_s);
            (
                d.cron.clone(),
                d.zone.clone(),
                span,
                d.nonexistent,
                d.ambiguous,
            )
        };
        times(self) == times(other)
    }
}

pub(super) fn bound(field: &'static str, kept: bool, problem: &str) -> Result<(), Error> {
    if kept {
        Ok(())
    } else {
        Err(invalid(field, problem.to_owned()))
    }
}

pub(super) fn invalid(field: &'static str, problem: String) -> Error {
    Error::Invalid { field, problem }
}
