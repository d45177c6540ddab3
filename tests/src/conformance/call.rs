//! The verbs as values: what is asked of an engine and what it answers, the same for the real one and the model.

use chrono::{DateTime, Utc};
use fleet_queue::limits::LimitRule;
use fleet_queue::transitions::cancel::Cancelled;
use fleet_queue::transitions::pause::PauseScope;
use fleet_queue::transitions::rescue::Rescued;
use fleet_queue::transitions::retry::Retried;
use fleet_queue::{Enqueued, JobId, JobState, NewJob, Outcome, Settled, TenantId, WorkerId};

/// A claim as both sides can name it: the real one, which is the right to settle, stays with the engine's adapter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Held {
    /// The job.
    pub job: JobId,
    /// Who holds it.
    pub worker: WorkerId,
    /// The claim's number.
    pub token: i64,
    /// The attempt that it is.
    pub attempt: i16,
    /// How many there may be.
    pub max_attempts: i16,
}

/// What a worker asks for in a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Want {
    /// The worker.
    pub worker: WorkerId,
    /// A number it never used before.
    pub token: i64,
    /// From this queue.
    pub queue: String,
    /// At most so many.
    pub limit: usize,
    /// Kinds it serves, each up to a version.
    pub kinds: Vec<(String, i16)>,
}

/// Upkeep that must change nothing that can be seen of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quiet {
    /// Lanes nobody walks to are announced.
    Sweep,
    /// Empty lanes leave the walk.
    Retire,
    /// Events are added up.
    Fold,
}

/// One call of a verb.
#[derive(Clone, Debug, PartialEq)]
#[allow(
    missing_docs,
    reason = "each is a verb of the engine, documented there"
)]
pub enum Call {
    /// Pins the clock.
    At(DateTime<Utc>),
    Register(WorkerId),
    Renew(WorkerId),
    Depart(WorkerId),
    Enqueue(Vec<NewJob>),
    Claim(Want),
    GiveBack {
        worker: WorkerId,
        queue: String,
        token: i64,
    },
    Settle(Vec<(Held, Outcome)>),
    Progress(Held),
    Review(WorkerId, Vec<(JobId, i64)>),
    Cancel(JobId),
    Retry(JobId),
    Reschedule(JobId, DateTime<Utc>),
    Reprioritize(JobId, i16),
    Promote,
    Expire,
    Age,
    Rescue,
    Quiet(Quiet),
    /// Signals, pauses and buckets that are over go.
    Clear,
    /// Ended jobs of more than thirty days go.
    Prune,
    Pause(PauseScope, String, Option<DateTime<Utc>>),
    Resume(PauseScope, String),
    SetLimit(LimitRule),
    RemoveLimit(String),
    SetWeight(TenantId, i16),
    SetDepth(String, Option<i32>),
}

/// What came of a call.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// It was done; there is nothing to say of it.
    Done,
    /// It was done, or there was nothing to do it to.
    Found(bool),
    /// So many.
    Count(usize),
    /// One a job.
    Enqueued(Vec<Enqueued>),
    /// In the order of the jobs' priority, time and id.
    Claimed(Vec<Held>),
    /// One a settlement.
    Settled(Vec<Settled>),
    /// Running jobs whose cancellation a worker hears of; sorted.
    Signals(Vec<(JobId, i64)>),
    /// Claims that stand, and whether their cancellation was asked for; sorted.
    Standing(Vec<(JobId, bool)>),
    /// What a cancel did.
    Cancelled(Cancelled),
    /// What a retry did.
    Retried(Retried),
    /// What a rescue did.
    Rescued(Rescued),
    /// Nothing was changed.
    Refused(Refusal),
}

/// Why nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The worker has no living lease.
    LeaseLost,
    /// The verb does not apply to a job in this state.
    WrongState(JobState),
    /// A new job depends on one that will not complete, or that nobody knows.
    Dependency,
    /// A field breaks a bound.
    Invalid(&'static str),
    /// Something that no call should meet.
    Unexpected(String),
}
