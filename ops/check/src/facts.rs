//! What the database says at the end of a run: plain rows, so that rules can be tested without one, and a check can be repeated
//! when the database is gone.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Write};
use std::path::Path;

use chrono::{DateTime, Utc};
use fleet_queue::JobId;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

/// The tables that the rules compare histories with.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
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

impl Facts {
    /// Writes them to a new file, or over an old one.
    pub fn keep(&self, path: &Path) -> io::Result<()> {
        let mut file = BufWriter::new(File::create(path)?);
        serde_json::to_writer(&mut file, self)?;
        file.flush()
    }

    /// Reads what [`Facts::keep`] wrote; an error of kind `InvalidData` where it is something else.
    pub fn kept(path: &Path) -> io::Result<Self> {
        let file = BufReader::new(File::open(path)?);
        Ok(serde_json::from_reader(file)?)
    }
}

/// A job.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
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
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AttemptFact {
    pub job: Uuid,
    pub outcome: String,
}

/// A trace that `diagnostics.effect` left.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EffectFact {
    pub key: String,
    pub job: Uuid,
}

/// A tick.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TickFact {
    pub schedule: Uuid,
    pub tick_at: DateTime<Utc>,
    pub job: Uuid,
}

/// A schedule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScheduleFact {
    pub id: Uuid,
    pub name: String,
    pub definition: Value,
    /// Nobody edited it, and a pause, if there was one, is still on: every tick between two others was promised.
    pub steady: bool,
    pub missed: i64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_are_read_as_they_were_kept() {
        let facts = Facts {
            jobs: vec![JobFact {
                kind: "diagnostics.noop".to_owned(),
                tick: Some((Uuid::from_u128(1), DateTime::UNIX_EPOCH)),
                ..JobFact::default()
            }],
            orphans: vec![JobId(Uuid::from_u128(2))],
            miscounts: vec![("default".to_owned(), 3, 2)],
            ..Facts::default()
        };
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("facts.json");
        facts.keep(&path).expect("written");
        assert_eq!(Facts::kept(&path).expect("read"), facts);
        std::fs::write(&path, "{}").expect("written");
        assert!(Facts::kept(&path).is_err(), "nothing is no facts");
    }
}
