//! Results on their way to the database, in the shape a settle call takes, and what is noted of the answers.

use std::collections::HashMap;
use std::sync::Arc;

use fleet_queue::{Claimed, Settled, Settlement, WorkerId, telemetry};
use tokio::time::Instant;

use crate::verdict::{self, word};

/// An attempt's result.
pub(crate) struct Finished {
    /// The claim and how it ended.
    pub(crate) settlement: Settlement,
    /// The job, for metrics and logs.
    pub(crate) job: Arc<Claimed>,
}

/// Results to be settled in one call.
pub(crate) struct Batch {
    settlements: Vec<Settlement>,
    jobs: Vec<Arc<Claimed>>,
    /// A call was sent for them already and brought no answer, so they may be recorded.
    tried: bool,
    given_up: bool,
    since: Instant,
}

impl Batch {
    /// These results; leaves the vector empty, with its room.
    pub(crate) fn of(results: &mut Vec<Finished>) -> Self {
        let both = results.drain(..).map(|done| (done.settlement, done.job));
        let (settlements, jobs) = both.unzip();
        Self {
            settlements,
            jobs,
            tried: false,
            given_up: false,
            since: Instant::now(),
        }
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.settlements.len()
    }

    /// What the call takes.
    pub(crate) fn settlements(&self) -> &[Settlement] {
        &self.settlements
    }

    /// When they were gathered.
    pub(crate) fn since(&self) -> Instant {
        self.since
    }

    /// A call was sent for them.
    pub(crate) fn sent(&mut self) {
        self.tried = true;
    }

    /// Keeps the first half and gives the other, so that the one that is refused is found in few calls.
    pub(crate) fn halve(&mut self) -> Self {
        let half = self.len() / 2;
        Self {
            settlements: self.settlements.split_off(half),
            jobs: self.jobs.split_off(half),
            ..*self
        }
    }

    /// Drops the results of workers that this process no longer is: others have those jobs (I1).
    pub(crate) fn keep_only(&mut self, worker: WorkerId) {
        let is_ours = |settlement: &Settlement| settlement.claim.worker() == worker;
        if self.settlements.iter().all(is_ours) {
            return;
        }
        let settlements = std::mem::take(&mut self.settlements);
        let jobs = std::mem::take(&mut self.jobs);
        for (settlement, job) in settlements.into_iter().zip(jobs) {
            if is_ours(&settlement) {
                self.settlements.push(settlement);
                self.jobs.push(job);
            } else {
                lease_lost(&job);
            }
        }
    }

    /// Gives the jobs up, because the database will not take their results.
    pub(crate) fn give_up(&mut self, why: &str) {
        self.given_up = true;
        for (settlement, job) in self.settlements.iter_mut().zip(&self.jobs) {
            tracing::error!(job.id = %job.id, job.kind, error = why, "the database refuses this result; the job is given up");
            settlement.outcome =
                verdict::discard(format!("the database refuses its result: {why}"));
        }
    }

    /// True where that was done already.
    pub(crate) fn is_given_up(&self) -> bool {
        self.given_up
    }

    /// Counts and logs what the database answered.
    pub(crate) fn note(self, answers: &[Settled]) {
        let mut recorded: HashMap<(&str, &str, &'static str), u64> = HashMap::new();
        for ((settlement, job), answer) in self.settlements.iter().zip(&self.jobs).zip(answers) {
            match answer {
                Settled::Recorded => {
                    let labels = (
                        job.queue.as_str(),
                        job.kind.as_str(),
                        word(&settlement.outcome),
                    );
                    *recorded.entry(labels).or_default() += 1;
                }
                // A call whose answer was lost may have been carried out.
                Settled::LeaseLost if self.tried => {
                    tracing::info!(job.id = %job.id, job.kind, "settled by the call whose answer was lost, or no longer ours");
                }
                Settled::LeaseLost => lease_lost(job),
            }
        }
        for ((queue, kind, outcome), count) in recorded {
            count_settled(queue, kind, outcome, count);
        }
    }
}

/// Counts settled attempts.
pub(crate) fn count_settled(queue: &str, kind: &str, outcome: &'static str, count: u64) {
    metrics::counter!(telemetry::SETTLED, "queue" => queue.to_owned(), "kind" => kind.to_owned(), "outcome" => outcome)
        .increment(count);
}

/// Counts a result that does not count, because the claim no longer stood.
pub(crate) fn lease_lost(job: &Claimed) {
    metrics::counter!(telemetry::LEASE_LOST).increment(1);
    tracing::warn!(job.id = %job.id, job.kind, "the lease was lost; its result is dropped");
}
