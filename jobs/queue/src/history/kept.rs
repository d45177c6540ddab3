//! What is kept of jobs, claims and results in a history.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::limits::LimitRule;
use crate::transitions::pause::PauseScope;
use crate::{
    Claim, Claimed, EnqueueOutcome, Enqueued, JobId, NewJob, Outcome, Settlement, TenantId,
    UniqueScope, WorkerId,
};

/// A claim, by what tells it from every other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Held {
    /// The job.
    pub job: JobId,
    /// Who holds it.
    pub worker: WorkerId,
    /// The claim call's number.
    pub token: i64,
}

impl From<&Claim> for Held {
    fn from(claim: &Claim) -> Self {
        Self {
            job: claim.id(),
            worker: claim.worker(),
            token: claim.token(),
        }
    }
}

/// A job as it was enqueued.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EnqueuedJob {
    /// Its id.
    pub job: JobId,
    /// Whose it is.
    pub tenant: TenantId,
    /// Its kind.
    pub kind: String,
    /// Its queue.
    pub queue: String,
    /// Attempts before it is discarded.
    pub max_attempts: i16,
    /// Its unique key, where it holds for as long as the job lives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unique_key: Option<String>,
    /// Its concurrency key and how many may run with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<(String, i16)>,
}

impl EnqueuedJob {
    /// What is kept of an enqueue; nothing where it made no job.
    #[must_use]
    pub fn of(job: &NewJob, enqueued: &Enqueued) -> Option<Self> {
        if enqueued.outcome != EnqueueOutcome::Inserted {
            return None;
        }
        let unique = job.rare.unique.as_ref();
        let lives = unique.filter(|unique| unique.scope == UniqueScope::Live);
        let concurrency = job.rare.concurrency.as_ref();
        Some(Self {
            job: enqueued.id,
            tenant: job.tenant,
            kind: job.kind.clone(),
            queue: job.queue.clone(),
            max_attempts: job.max_attempts,
            unique_key: lives.map(|unique| unique.key.clone()),
            concurrency: concurrency.map(|of| (of.key.clone(), of.limit)),
        })
    }
}

/// A job as it was claimed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClaimedJob {
    /// Its id.
    pub job: JobId,
    /// Whose it is.
    pub tenant: TenantId,
    /// Its kind.
    pub kind: String,
    /// Its queue.
    pub queue: String,
    /// This attempt, from 1.
    pub attempt: i16,
    /// How often it was claimed, this time included.
    pub claim_no: i32,
    /// When, by the database's clock.
    pub started_at: DateTime<Utc>,
}

impl From<&Claimed> for ClaimedJob {
    fn from(job: &Claimed) -> Self {
        Self {
            job: job.id,
            tenant: job.tenant,
            kind: job.kind.clone(),
            queue: job.queue.clone(),
            attempt: job.attempt,
            claim_no: job.claim_no,
            started_at: job.started_at,
        }
    }
}

/// A result that is about to be sent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Intent {
    /// Of which claim.
    #[serde(flatten)]
    pub held: Held,
    /// completed, retry, snooze, discard, cancelled or interrupted.
    pub outcome: String,
    /// True where the job does not wait again afterwards.
    pub ends: bool,
}

impl Intent {
    pub(super) fn of(settlement: &Settlement) -> Self {
        let last = settlement.attempt >= settlement.max_attempts;
        let (outcome, ends) = match &settlement.outcome {
            Outcome::Completed { .. } => ("completed", true),
            Outcome::Retry { .. } => ("retry", last),
            Outcome::Snooze { .. } => ("snooze", false),
            Outcome::Discard { .. } => ("discard", true),
            Outcome::Cancelled { .. } => ("cancelled", true),
            Outcome::Interrupted => ("interrupted", false),
        };
        Self {
            held: Held::from(&settlement.claim),
            outcome: outcome.to_owned(),
            ends,
        }
    }
}

/// What became of a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// Of which claim.
    #[serde(flatten)]
    pub held: Held,
    /// True where it was recorded, false where the lease was lost.
    pub accepted: bool,
}

/// A limit or a pause, as it is to be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// This rule holds.
    Limit(LimitRule),
    /// No rule of this name holds.
    NoLimit(String),
    /// Nothing of it is claimed.
    Pause {
        /// What kind of thing.
        scope: PauseScope,
        /// Which one.
        name: String,
        /// Lifted by itself then.
        until: Option<DateTime<Utc>>,
    },
    /// It is claimed again.
    Resume {
        /// What kind of thing.
        scope: PauseScope,
        /// Which one.
        name: String,
    },
}
