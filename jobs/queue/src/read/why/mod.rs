//! Why a job stands where it stands: what it waits for, in words and as data.
//!
//! Facts are gathered with bounded reads ([`facts`]), judged by a pure function ([`reasons`]) and told in words ([`words`]).
//! A session sees reasons only in what it may see: a tenant learns of pauses and limits that concern it, and counts only its own jobs.

mod facts;
mod reasons;
mod words;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;

use super::queues::PauseInfo;
use crate::{Error, JobId, JobState, WorkerId};

/// How far jobs ahead are counted.
pub(super) const AHEAD_MAX: i64 = 10_000;

/// The answer: a summary for people, the reasons for programs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Why {
    /// The job.
    pub id: JobId,
    /// Where it stands.
    pub state: JobState,
    /// All of it in a sentence or a few.
    pub summary: String,
    /// Each thing that holds it back, or what became of it. Never empty.
    pub reasons: Vec<Reason>,
}

/// One reason.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "code", rename_all = "snake_case")]
pub enum Reason {
    /// It waits for its time.
    Time {
        /// Not before.
        run_at: DateTime<Utc>,
        /// How long that is from now.
        in_s: f64,
        /// How its last attempt ended, where it waits because of that.
        after: Option<String>,
    },
    /// It waits for other jobs to complete.
    Dependencies {
        /// How many.
        n: i32,
        /// The first hundred of them.
        jobs: Vec<Dependency>,
    },
    /// Its queue, tenant or kind is paused.
    Paused(PauseInfo),
    /// A cap lets no more run.
    Cap {
        /// The rule's name.
        rule: String,
        /// What it is over, in words.
        scope: String,
        /// At most so many.
        cap: i32,
        /// So many run.
        running: i64,
    },
    /// A rate lets no more start at the moment.
    Rate {
        /// The rule's name.
        rule: String,
        /// What it is over, in words.
        scope: String,
        /// Starts a second.
        rate: f64,
        /// When the next start is free, if nobody else takes it.
        next_in_s: f64,
    },
    /// Jobs with the same concurrency key run.
    ConcurrencyKey {
        /// The key.
        key: String,
        /// At most so many.
        limit: i16,
        /// So many run.
        running: i64,
    },
    /// No living worker would take it.
    NoWorker {
        /// What is missing, in words.
        problem: String,
        /// Living workers in all.
        living: i64,
        /// Living workers that serve its queue.
        serve_queue: i64,
        /// Of these, such as serve its kind too.
        serve_kind: i64,
        /// Of these, such as are not draining.
        taking: i64,
    },
    /// Others are before it.
    Behind(QueueAhead),
    /// It runs.
    Running {
        /// Where.
        worker: Option<WorkerId>,
        /// On which host.
        host: Option<String>,
        /// Since when.
        since: Option<DateTime<Utc>>,
        /// Which attempt it is.
        attempt: i16,
        /// When its cancellation was asked for.
        cancel_requested_at: Option<DateTime<Utc>>,
    },
    /// It ended.
    Ended {
        /// How.
        state: JobState,
        /// When.
        at: Option<DateTime<Utc>>,
        /// Why, where it did not simply complete.
        reason: Option<String>,
        /// Its last error.
        error: Option<String>,
    },
}

/// A job that another one waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Dependency {
    /// The job.
    pub id: JobId,
    /// Its kind; none where it is gone.
    pub kind: Option<String>,
    /// Where it stands; none where it is gone.
    pub state: Option<JobState>,
}

/// How many are before it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct QueueAhead {
    /// Due jobs of its own tenant before it in its queue; counted to 10,000.
    pub of_tenant: i64,
    /// Due jobs before it in its queue that the asker may see; counted to 10,000. Tenants take turns, so few of them matter.
    pub of_queue: i64,
    /// One of the counts stopped at 10,000.
    pub over: bool,
    /// When it starts, by the pace at which its tenant's jobs of the queue started in the last ten minutes.
    pub estimate_s: Option<f64>,
}

/// Why a job stands where it stands; `None` where there is no such job, or none the session may see.
pub async fn why(conn: &mut PgConnection, id: JobId) -> Result<Option<Why>, Error> {
    let Some(job) = facts::job(conn, id).await? else {
        return Ok(None);
    };
    let reasons = if job.state.is_terminal() || job.state == JobState::Running {
        vec![reasons::of_settled(&job)]
    } else {
        reasons::of_waiting(&job, &facts::gather(conn, &job).await?)
    };
    Ok(Some(Why {
        id,
        state: job.state,
        summary: words::summary(&job, &reasons),
        reasons,
    }))
}

#[cfg(test)]
mod tests;
