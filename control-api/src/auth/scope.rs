//! What a key may be allowed.

use std::str::FromStr;

/// A thing a key may be allowed to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Enqueue jobs.
    JobsEnqueue,
    /// Look at jobs, kinds and queues.
    JobsRead,
    /// Cancel, retry and move jobs.
    JobsManage,
    /// Set and run schedules.
    SchedulesManage,
    /// Decide what waits for a person.
    ApprovalsDecide,
    /// Bring the families' data in.
    Ingest,
    /// Read `/metrics`.
    Metrics,
    /// Everything; for the platform's own keys.
    Admin,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 8] = [
        Self::JobsEnqueue,
        Self::JobsRead,
        Self::JobsManage,
        Self::SchedulesManage,
        Self::ApprovalsDecide,
        Self::Ingest,
        Self::Metrics,
        Self::Admin,
    ];

    /// The word, as the API and the database have it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::JobsEnqueue => "jobs:enqueue",
            Self::JobsRead => "jobs:read",
            Self::JobsManage => "jobs:manage",
            Self::SchedulesManage => "schedules:manage",
            Self::ApprovalsDecide => "approvals:decide",
            Self::Ingest => "ingest",
            Self::Metrics => "metrics",
            Self::Admin => "admin",
        }
    }
}

/// The word is no scope.
#[derive(Debug, thiserror::Error)]
#[error(
    "\"{0}\" is no scope; there are jobs:enqueue, jobs:read, jobs:manage, schedules:manage, ingest, metrics, admin"
)]
pub struct UnknownScope(pub String);

impl FromStr for Scope {
    type Err = UnknownScope;
    fn from_str(word: &str) -> Result<Self, UnknownScope> {
        Self::ALL
            .into_iter()
            .find(|scope| scope.as_str() == word)
            .ok_or_else(|| UnknownScope(word.to_owned()))
    }
}
