//! The states of a job and what may follow what; the diagram is in ARCHITECTURE.md.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where a job stands. The first four are live (`fleet.job`), the last three ended (`fleet.job_history`).
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum JobState {
    /// Waits for other jobs to complete.
    Blocked,
    /// Waits for its time.
    Scheduled,
    /// Waits for a worker.
    Available,
    /// Claimed by a worker.
    Running,
    /// Done.
    Completed,
    /// Called off by a person, a key, or a dependency that did not complete.
    Cancelled,
    /// Given up: attempts or crashes exhausted, expired, or refused by its handler. Can be retried by hand.
    Discarded,
}

impl JobState {
    /// Every state, live ones first.
    pub const ALL: [Self; 7] = [
        Self::Blocked,
        Self::Scheduled,
        Self::Available,
        Self::Running,
        Self::Completed,
        Self::Cancelled,
        Self::Discarded,
    ];

    /// The word for it in the database, the API and the CLI.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Blocked => "blocked",
            Self::Scheduled => "scheduled",
            Self::Available => "available",
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Cancelled => "cancelled",
            Self::Discarded => "discarded",
        }
    }

    /// True once nothing will happen to the job by itself any more.
    #[must_use]
    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Completed | Self::Cancelled | Self::Discarded)
    }
}

impl fmt::Display for JobState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The word is none of the seven states.
#[derive(Debug, thiserror::Error)]
#[error(
    "\"{0}\" is no job state; the states are blocked, scheduled, available, running, completed, cancelled, discarded"
)]
pub struct UnknownState(pub String);

impl FromStr for JobState {
    type Err = UnknownState;
    fn from_str(text: &str) -> Result<Self, UnknownState> {
        Self::ALL
            .into_iter()
            .find(|state| state.as_str() == text)
            .ok_or_else(|| UnknownState(text.to_owned()))
    }
}

impl TryFrom<String> for JobState {
    type Error = UnknownState;
    fn try_from(text: String) -> Result<Self, UnknownState> {
        text.parse()
    }
}

/// Read from `state::text`: the enum's own type would need its name looked up on every connection.
impl sqlx::Type<sqlx::Postgres> for JobState {
    fn type_info() -> sqlx::postgres::PgTypeInfo {
        <str as sqlx::Type<sqlx::Postgres>>::type_info()
    }
}

impl<'r> sqlx::Decode<'r, sqlx::Postgres> for JobState {
    fn decode(value: sqlx::postgres::PgValueRef<'r>) -> Result<Self, sqlx::error::BoxDynError> {
        let word = <&str as sqlx::Decode<sqlx::Postgres>>::decode(value)?;
        Ok(word.parse()?)
    }
}
