//! The engine's promises in plain Rust: every job in one map, every rule worked out anew when it is asked for.
//!
//! It is slow and obvious on purpose. What is due is found by looking at all jobs; what runs under a limit is counted.
//! It knows nothing of lanes, heads, buckets, batches or locks: those are how the engine keeps these promises, not the promises.

mod choice;
mod claim;
mod enqueue;
mod limits;
mod settle;
mod steer;
mod workers;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use fleet_queue::limits::LimitRule;
use fleet_queue::transitions::pause::PauseScope;
use fleet_queue::{JobId, JobState, NewJob, TenantId, WorkerId};

use super::board::{Board, Row, plain};
use super::call::{Answer, Call, Held};

/// The whole fleet, as it should be.
#[derive(Clone, Debug)]
pub struct Model {
    now: DateTime<Utc>,
    jobs: BTreeMap<JobId, Job>,
    windows: BTreeMap<(TenantId, String), (JobId, DateTime<Utc>)>,
    workers: BTreeMap<WorkerId, Worker>,
    signals: BTreeSet<(WorkerId, JobId, i64)>,
    pauses: BTreeMap<(&'static str, String), Option<DateTime<Utc>>>,
    rules: BTreeMap<String, LimitRule>,
    starts: limits::Starts,
    depths: BTreeMap<String, i32>,
    /// Lanes were aged, so that a claim may prefer what waited longer than a minute.
    aged: bool,
}

#[derive(Clone, Debug)]
struct Job {
    new: NewJob,
    state: JobState,
    priority: i16,
    run_at: DateTime<Utc>,
    expires_at: Option<DateTime<Utc>>,
    attempt: i16,
    crashes: i16,
    snoozes: i32,
    claim_no: i32,
    holder: Option<(WorkerId, i64)>,
    cancel: bool,
    /// Held while it lives, or until it starts.
    unique_key: Option<String>,
    waits_for: BTreeSet<JobId>,
    reason: Option<String>,
    ended_at: Option<DateTime<Utc>>,
    past: Vec<(i32, i16, String)>,
}

#[derive(Clone, Debug)]
struct Worker {
    renewed_at: DateTime<Utc>,
    lease_until: DateTime<Utc>,
    ended: bool,
}

impl Job {
    fn is_live(&self) -> bool {
        !self.state.is_terminal()
    }

    fn runs(&self) -> bool {
        self.state == JobState::Running
    }

    /// Two workers died with it: each worker takes one of these at a time.
    fn is_suspect(&self) -> bool {
        self.crashes > 1
    }

    fn is_held_as(&self, held: &Held) -> bool {
        self.holder == Some((held.worker, held.token))
    }

    fn remember(&mut self, how: &str) {
        self.past
            .push((self.claim_no, self.attempt, how.to_owned()));
    }

    fn row(&self) -> Row {
        let mut past = self.past.clone();
        past.sort();
        Row {
            state: self.state,
            priority: self.priority,
            attempt: self.attempt,
            crashes: self.crashes,
            snoozes: self.snoozes,
            claim_no: self.claim_no,
            run_at: self.run_at,
            blockers: i32::try_from(self.waits_for.len()).unwrap_or(i32::MAX),
            holder: self.holder,
            cancelling: self.cancel,
            unique_key: self.unique_key.clone().filter(|_| self.is_live()),
            payload: self.new.payload.to_string(),
            reason: plain(self.reason.clone()),
            past,
        }
    }
}

impl Model {
    /// An empty fleet.
    #[must_use]
    pub fn new(now: DateTime<Utc>) -> Self {
        Self {
            now,
            jobs: BTreeMap::new(),
            windows: BTreeMap::new(),
            workers: BTreeMap::new(),
            signals: BTreeSet::new(),
            pauses: BTreeMap::new(),
            rules: BTreeMap::new(),
            starts: limits::Starts::default(),
            depths: BTreeMap::new(),
            aged: false,
        }
    }

    pub(super) fn look(&self) -> Board {
        Board(self.jobs.iter().map(|(id, job)| (*id, job.row())).collect())
    }

    /// Carries out a call as the engine did, where the engine had a choice, and says what it should have answered.
    ///
    /// # Errors
    /// Where the engine chose what it may not.
    pub fn follow(&mut self, call: &Call, answer: &Answer) -> Result<Answer, String> {
        if let (Call::Claim(want), Answer::Claimed(claimed)) = (call, answer) {
            let ids: Vec<JobId> = claimed.iter().map(|held| held.job).collect();
            self.judge(want, &ids)?;
            return Ok(self.take(want, &ids));
        }
        Ok(self.answer(call))
    }

    /// Carries out a call; of the choices a claim has it takes the plainest.
    pub(super) fn answer(&mut self, call: &Call) -> Answer {
        match call {
            Call::At(now) => self.at(*now),
            Call::Register(id) => self.register(*id),
            Call::Renew(id) => self.renew(*id),
            Call::Depart(id) => self.depart(*id),
            Call::Review(id, claims) => self.review(*id, claims),
            Call::Rescue => self.rescue(),
            Call::Enqueue(jobs) => self.enqueue(jobs),
            Call::Claim(want) => self.claim(want),
            Call::GiveBack { worker, token, .. } => self.give_back(*worker, *token),
            Call::Settle(settlements) => self.settle(settlements),
            Call::Progress(held) => self.progress(held),
            Call::Cancel(id) => self.cancel(*id),
            Call::Retry(id) => self.retry(*id),
            Call::Reschedule(id, at) => self.reschedule(*id, *at),
            Call::Reprioritize(id, priority) => self.reprioritize(*id, *priority),
            Call::Promote => self.promote(),
            Call::Expire => self.expire(),
            Call::Clear => self.clear(),
            Call::Prune => self.prune(),
            Call::Age => self.age(),
            _ => self.restrain(call),
        }
    }

    fn at(&mut self, now: DateTime<Utc>) -> Answer {
        self.now = now;
        Answer::Done
    }

    fn age(&mut self) -> Answer {
        self.aged = true;
        Answer::Done
    }

    /// Calls that steer the claim, and upkeep that changes nothing to be seen.
    fn restrain(&mut self, call: &Call) -> Answer {
        match call {
            Call::Pause(scope, name, until) => {
                self.pauses.insert((scope.as_str(), name.clone()), *until);
            }
            Call::Resume(scope, name) => {
                self.pauses.remove(&(scope.as_str(), name.clone()));
            }
            Call::SetLimit(rule) => {
                self.starts.forget(&rule.name);
                self.rules.insert(rule.name.clone(), rule.clone());
            }
            Call::RemoveLimit(name) => {
                self.starts.forget(name);
                return Answer::Found(self.rules.remove(name).is_some());
            }
            Call::SetDepth(queue, max) => {
                self.depths.remove(queue);
                self.depths.extend(max.map(|max| (queue.clone(), max)));
            }
            _ => {}
        }
        Answer::Done
    }

    fn is_paused(&self, scope: PauseScope, name: &str) -> bool {
        let pause = self.pauses.get(&(scope.as_str(), name.to_owned()));
        pause.is_some_and(|until| until.is_none_or(|until| until > self.now))
    }

    /// What a waiting job is when its time is this.
    fn waiting_state(&self, run_at: DateTime<Utc>) -> JobState {
        if run_at > self.now {
            JobState::Scheduled
        } else {
            JobState::Available
        }
    }

    fn running(&self) -> impl Iterator<Item = &Job> {
        self.jobs.values().filter(|job| job.runs())
    }
}
