//! What can be seen of every job at one moment, and the first difference between two such looks.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use chrono::{DateTime, Utc};
use fleet_queue::{JobId, JobState, WorkerId};

/// All that an observer may rely on of one job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Where it stands.
    pub state: JobState,
    /// 0 most urgent to 3 least.
    pub priority: i16,
    /// Attempts begun that count.
    pub attempt: i16,
    /// Workers that died with it.
    pub crashes: i16,
    /// How often it put itself off.
    pub snoozes: i32,
    /// How often it was claimed.
    pub claim_no: i32,
    /// Not before.
    pub run_at: DateTime<Utc>,
    /// Jobs it waits for.
    pub blockers: i32,
    /// Who runs it, under which number.
    pub holder: Option<(WorkerId, i64)>,
    /// Its cancellation was asked for while it ran.
    pub cancelling: bool,
    /// The unique key it holds while it lives.
    pub unique_key: Option<String>,
    /// Its payload, as JSON.
    pub payload: String,
    /// Why it ended so; which of several lost dependencies is named is free.
    pub reason: Option<String>,
    /// Attempts that did not simply succeed: claim number, attempt, how each ended; by claim.
    pub past: Vec<(i32, i16, String)>,
}

/// Every job.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Board(pub BTreeMap<JobId, Row>);

impl Board {
    /// The first job that two boards tell differently.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Option<(JobId, Option<Row>, Option<Row>)> {
        let ids = self.0.keys().chain(other.0.keys());
        let differing = ids.filter(|id| self.0.get(id) != other.0.get(id));
        let id = *differing.min()?;
        Some((id, self.0.get(&id).cloned(), other.0.get(&id).cloned()))
    }

    /// A job a line, oldest first: state, attempt, crashes, reason.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        for row in self.0.values() {
            let _ = write!(text, "{} attempt={}", row.state, row.attempt);
            if row.crashes > 0 {
                let _ = write!(text, " crashes={}", row.crashes);
            }
            if let Some(reason) = &row.reason {
                let _ = write!(text, " because {reason}");
            }
            text.push('\n');
        }
        text.trim_end().to_owned()
    }
}

/// A lost dependency's reason without the dependency's name.
#[must_use]
pub(super) fn plain(reason: Option<String>) -> Option<String> {
    reason.map(|reason| {
        if reason.starts_with("depends on ") {
            "a dependency did not complete".to_owned()
        } else {
            reason
        }
    })
}
