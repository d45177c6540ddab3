//! What the database says at the end of a run: plain rows, so that rules can be tested without one.

use chrono::{DateTime, Utc};
use fleet_queue::JobId;
use serde_json::Value;
use uuid::Uuid;

/// The tables that the rules compare histories with.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// Live and ended jobs.
    pub jobs: Vec<JobFact>,
    /// Attempts that did not simply succeed.
    pub attempts: Vec<AttemptFact>,
    /// Effects of `diagnostics.effect`.
    pub effects: Vec<EffectFact>,
    /// Ticks by time that were decided.
    pub ticks: Vec<TickFact>,
    /// Schedules.
    pub schedules: Vec<ScheduleFact>,
    /// Running jobs whose worker is ended or unknown.
    pub orphans: Vec<JobId>,
    /// Workers whose lease ran out.
    pub dead_workers: usize,
    /// Queues whose totals do not count what is there: name, counted, there.
    pub miscounts: Vec<(String, i64, i64)>,
}

/// A job.
#[derive(Clone, Debug, Default)]
pub struct JobFact {
    pub id: Uuid,
    pub kind: String,
    pub state: String,
    /// Not ended.
    pub live: bool,
    pub reason: Option<String>,
    pub attempt: i16,
    pub max_attempts: i16,
    pub crashes: i16,
    pub snoozes: i32,
    pub claim_no: i32,
    pub worker: Option<Uuid>,
    /// The schedule and the tick that it is for.
    pub tick: Option<(Uuid, DateTime<Utc>)>,
}

/// An attempt that did not simply succeed.
#[derive(Clone, Debug)]
pub struct AttemptFact {
    pub job: Uuid,
    pub outcome: String,
}

/// A trace that `diagnostics.effect` left.
#[derive(Clone, Debug)]
pub struct EffectFact {
    pub key: String,
    pub job: Uuid,
}

/// A tick.
#[derive(Clone, Debug)]
pub struct TickFact {
    pub schedule: Uuid,
    pub tick_at: DateTime<Utc>,
    pub job: Uuid,
}

/// A schedule.
#[derive(Clone, Debug)]
pub struct ScheduleFact {
    pub id: Uuid,
    pub name: String,
    pub definition: Value,
    /// Nobody edited it, and a pause, if there was one, is still on: every tick between two others was promised.
    pub steady: bool,
    pub missed: i64,
}
