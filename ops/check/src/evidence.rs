//! The histories put together: each claim with what its holder did, was answered, and what is known to have become of it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use fleet_queue::history::{ClaimedJob, EnqueuedJob, Event, Held};
use fleet_queue::{JobId, WorkerId};
use serde::Serialize;

use crate::facts::{Facts, JobFact};
use crate::read::Entry;

/// What the rules judge by.
#[derive(Debug, Default)]
pub struct Evidence {
    /// Every line, by time.
    pub(crate) entries: Vec<Entry>,
    /// The database's tables at the end; none: only the histories are there.
    pub(crate) facts: Option<Facts>,
    /// Everything was given the time to end, so what has not is lost.
    pub(crate) drained: bool,
    pub(crate) claims: Vec<ClaimStory>,
    /// Claims of a job, by number.
    pub(crate) by_job: BTreeMap<JobId, Vec<usize>>,
    /// The first line that acknowledged a job.
    pub(crate) enqueued: BTreeMap<JobId, (usize, EnqueuedJob)>,
    /// Lines that say that a job was to be sent round again.
    pub(crate) retried: HashMap<JobId, Vec<usize>>,
    /// Times of all entries can be compared.
    pub(crate) one_clock: bool,
    jobs: HashMap<JobId, usize>,
}

/// How much evidence there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Seen {
    /// Files.
    pub histories: usize,
    /// Lines.
    pub events: usize,
    /// Jobs whose enqueue was acknowledged.
    pub enqueued: usize,
    /// Claims of a job.
    pub claims: usize,
    /// Claims whose result was recorded.
    pub settled: usize,
    /// Jobs in the database, where it was named.
    pub rows: Option<usize>,
}

/// A claim and what became of it; numbers name entries.
#[derive(Clone, Debug)]
pub(crate) struct ClaimStory {
    pub(crate) held: Held,
    pub(crate) job: ClaimedJob,
    /// The line before the call.
    pub(crate) asked: Option<usize>,
    /// The line after its answer.
    pub(crate) answered: usize,
    /// The first line that says that a result was to be sent.
    pub(crate) settling: Option<usize>,
    /// The result was to end the job.
    pub(crate) ends: bool,
    /// Lines that say that a result was recorded for good.
    pub(crate) accepted: Vec<usize>,
}

impl Evidence {
    /// Puts histories, and what the database says at the end, together.
    #[must_use]
    pub fn of(entries: Vec<Entry>, facts: Option<Facts>, drained: bool) -> Self {
        let boots: BTreeSet<&str> = entries.iter().map(|e| e.source.boot.as_str()).collect();
        let mut evidence = Self {
            one_clock: boots.len() <= 1,
            facts,
            drained,
            ..Self::default()
        };
        let facts = evidence.facts.iter().flat_map(|facts| &facts.jobs);
        evidence.jobs = facts
            .enumerate()
            .map(|(n, job)| (JobId(job.id), n))
            .collect();
        evidence.gather(&entries);
        evidence.entries = entries;
        evidence
    }

    fn gather(&mut self, entries: &[Entry]) {
        let mut asked: HashMap<(WorkerId, i64), usize> = HashMap::new();
        let mut of: HashMap<Held, usize> = HashMap::new();
        for (n, entry) in entries.iter().enumerate() {
            match &entry.event {
                Event::Enqueued { jobs } => {
                    for job in jobs {
                        let first = self.enqueued.entry(job.job);
                        first.or_insert_with(|| (n, job.clone()));
                    }
                }
                Event::Retrying { job } => self.retried.entry(*job).or_default().push(n),
                Event::Claiming { worker, token, .. } => {
                    asked.insert((*worker, *token), n);
                }
                Event::Claimed {
                    worker,
                    token,
                    jobs,
                } => {
                    let asked = asked.get(&(*worker, *token)).copied();
                    for job in jobs {
                        let story = ClaimStory::new(job, (*worker, *token), asked, n);
                        of.insert(story.held, self.claims.len());
                        self.by_job
                            .entry(job.job)
                            .or_default()
                            .push(self.claims.len());
                        self.claims.push(story);
                    }
                }
                later => self.follow(later, n, &of),
            }
        }
    }

    /// What became of claims.
    fn follow(&mut self, event: &Event, n: usize, of: &HashMap<Held, usize>) {
        match event {
            Event::Settling { results, .. } => {
                for result in results {
                    if let Some(&claim) = of.get(&result.held) {
                        let story = &mut self.claims[claim];
                        story.settling.get_or_insert(n);
                        story.ends = result.ends;
                    }
                }
            }
            Event::Settled {
                answers,
                in_transaction: false,
            } => {
                for answer in answers.iter().filter(|answer| answer.accepted) {
                    if let Some(&claim) = of.get(&answer.held) {
                        self.claims[claim].accepted.push(n);
                    }
                }
            }
            Event::Committed { held } => {
                if let Some(&claim) = of.get(held) {
                    let story = &mut self.claims[claim];
                    story.accepted.push(n);
                    story.ends = true;
                }
            }
            _ => {}
        }
    }

    /// How much there is of everything.
    #[must_use]
    pub fn seen(&self) -> Seen {
        let files: BTreeSet<&str> = self
            .entries
            .iter()
            .map(|e| e.source.file.as_str())
            .collect();
        Seen {
            histories: files.len(),
            events: self.entries.len(),
            enqueued: self.enqueued.len(),
            claims: self.claims.len(),
            settled: self
                .claims
                .iter()
                .filter(|claim| !claim.accepted.is_empty())
                .count(),
            rows: self.facts.as_ref().map(|facts| facts.jobs.len()),
        }
    }

    /// A line's time.
    pub(crate) fn at(&self, entry: usize) -> u64 {
        self.entries[entry].at
    }

    /// A job's row.
    pub(crate) fn fact(&self, job: JobId) -> Option<&JobFact> {
        let facts = self.facts.as_ref()?;
        self.jobs.get(&job).map(|&n| &facts.jobs[n])
    }

    /// True where the claim was surely in force: its result was recorded, or the job's row still names it.
    /// A claim whose asynchronous commit was lost with the server is none.
    pub(crate) fn stood(&self, claim: &ClaimStory) -> bool {
        !claim.accepted.is_empty() || self.named_by(claim).is_some()
    }

    /// The job's row, if it still names the claim.
    fn named_by(&self, claim: &ClaimStory) -> Option<&JobFact> {
        self.fact(claim.held.job).filter(|job| {
            job.worker == Some(claim.held.worker.0) && job.claim_no == claim.job.claim_no
        })
    }

    /// The line before its holder gave the claim up, where it surely had it until then. What a rescue or a cancellation ended names its
    /// last claim too, but had been taken from its holder before.
    pub(crate) fn given_up(&self, claim: &ClaimStory) -> Option<usize> {
        let by_its_row = |job: &JobFact| matches!(job.state.as_str(), "completed" | "running");
        let surely = !claim.accepted.is_empty() || self.named_by(claim).is_some_and(by_its_row);
        claim.settling.filter(|_| surely)
    }

    /// From when to when the claim was surely in force, where its holder said when it was about to give it up.
    pub(crate) fn surely_ran(&self, claim: &ClaimStory) -> Option<(u64, u64)> {
        let settling = self.given_up(claim)?;
        Some((self.at(claim.answered), self.at(settling)))
    }

    /// Faults whose name begins so: when they began and when they were over.
    pub(crate) fn faults(&self, named: &str) -> Vec<(u64, u64)> {
        let mut found = Vec::new();
        let mut begun = None;
        for entry in &self.entries {
            if let Event::Fault { fault, over, .. } = &entry.event
                && fault.starts_with(named)
            {
                match (over, begun.take()) {
                    (false, _) => begun = Some(entry.at),
                    (true, Some(from)) => found.push((from, entry.at)),
                    (true, None) => {}
                }
            }
        }
        found.extend(begun.map(|from| (from, u64::MAX)));
        found
    }

    /// Starts of the server that workers saw.
    pub(crate) fn server_starts(&self) -> Vec<DateTime<Utc>> {
        let starts = self.entries.iter().filter_map(|entry| match entry.event {
            Event::Leased {
                server_started_at, ..
            } => server_started_at,
            _ => None,
        });
        starts.collect()
    }
}

impl ClaimStory {
    fn new(
        job: &ClaimedJob,
        (worker, token): (WorkerId, i64),
        asked: Option<usize>,
        answered: usize,
    ) -> Self {
        let held = Held {
            job: job.job,
            worker,
            token,
        };
        Self {
            held,
            job: job.clone(),
            asked,
            answered,
            settling: None,
            ends: false,
            accepted: Vec::new(),
        }
    }
}
