//! What a history says: plain data, one event a line of JSON.
//!
//! Ids and numbers as the engine has them; payloads and outputs stay out, so that a history may be shown to anybody.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::kept::{Answer, Change, ClaimedJob, EnqueuedJob, Held, Intent};
use crate::{Enqueued, JobId, NewJob, Settled, Settlement, WorkerId};

/// One thing that a process did, was answered, or saw.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The process began; the first line of its history.
    Began {
        /// What it is: worker, scheduler, api, campaign.
        role: String,
        /// Its process id.
        pid: u32,
        /// The machine's boot; times of two boots cannot be compared.
        boot: String,
    },
    /// An enqueue was committed; its caller is told after this line.
    Enqueued {
        /// Those that were inserted.
        jobs: Vec<EnqueuedJob>,
    },
    /// A claim is about to be sent.
    Claiming {
        /// Who claims.
        worker: WorkerId,
        /// The call's number in its process.
        token: i64,
        /// Of which queue.
        queue: String,
        /// At most so many.
        limit: usize,
    },
    /// A claim was answered; none of its handlers has started yet.
    Claimed {
        /// Who claimed.
        worker: WorkerId,
        /// The call's number in its process.
        token: i64,
        /// What it got.
        jobs: Vec<ClaimedJob>,
    },
    /// Results are about to be sent.
    Settling {
        /// How each attempt ended.
        results: Vec<Intent>,
        /// Inside a handler's own transaction: an answer is worth nothing before its commit.
        in_transaction: bool,
    },
    /// Results were answered.
    Settled {
        /// One a result.
        answers: Vec<Answer>,
        /// Inside a handler's own transaction, which may still roll back.
        in_transaction: bool,
    },
    /// A handler said that it committed its effect together with its job's completion.
    Committed {
        /// The claim it completed under.
        #[serde(flatten)]
        held: Held,
    },
    /// A lease was given or renewed over a server seen for the first time.
    Leased {
        /// Whose.
        worker: WorkerId,
        /// When the server says that it started.
        server_started_at: Option<DateTime<Utc>>,
    },
    /// A worker learned that it was ended.
    LeaseEnded {
        /// Which.
        worker: WorkerId,
    },
    /// Jobs were taken from workers whose lease ran out.
    Rescued {
        /// Workers found dead.
        workers: usize,
        /// Jobs given back.
        returned: usize,
        /// Jobs given up.
        discarded: usize,
    },
    /// A tick was committed with its job.
    Ticked {
        /// The schedule's name.
        schedule: String,
        /// The tick.
        tick_at: DateTime<Utc>,
        /// Its job; or the one in its way.
        job: JobId,
        /// False where a job of an earlier tick was in its way.
        fired: bool,
    },
    /// Somebody is about to send a job round again, which may have ended.
    Retrying {
        /// Which.
        job: JobId,
    },
    /// A limit or a pause is about to be changed.
    Changing {
        /// To what.
        change: Change,
    },
    /// A limit or a pause was changed.
    Changed {
        /// To what.
        change: Change,
    },
    /// A campaign did harm, or undid it.
    Fault {
        /// Which.
        fault: String,
        /// On whom: a process id, or what was cut.
        target: String,
        /// False where it begins, true where it is over.
        over: bool,
    },
}

impl Event {
    /// The event of an enqueue that was committed.
    pub fn enqueued<'a>(made: impl IntoIterator<Item = (&'a NewJob, &'a Enqueued)>) -> Self {
        let jobs = made.into_iter();
        Self::Enqueued {
            jobs: jobs
                .filter_map(|(job, it)| EnqueuedJob::of(job, it))
                .collect(),
        }
    }

    /// The event of results that are about to be sent.
    #[must_use]
    pub fn settling(settlements: &[Settlement], in_transaction: bool) -> Self {
        let results = settlements.iter().map(Intent::of).collect();
        Self::Settling {
            results,
            in_transaction,
        }
    }

    /// The event of their answers.
    #[must_use]
    pub fn settled(settlements: &[Settlement], answers: &[Settled], in_transaction: bool) -> Self {
        let pairs = settlements.iter().zip(answers);
        let answer = |(settlement, answer): (&Settlement, &Settled)| Answer {
            held: Held::from(&settlement.claim),
            accepted: *answer == Settled::Recorded,
        };
        Self::Settled {
            answers: pairs.map(answer).collect(),
            in_transaction,
        }
    }
}
