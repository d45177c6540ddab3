//! Turns a test's steps into calls: remembers the jobs, the claims and the processes that the sequence made so far.

use chrono::{DateTime, TimeDelta, Utc};
use fleet_queue::transitions::pause::PauseScope;
use fleet_queue::transitions::settle::FailureKind;
use fleet_queue::{
    Concurrency, Failure, JobId, NewJob, Outcome, Policy, Unique, UniqueScope, WorkerId,
};
use serde_json::json;
use std::time::Duration;
use uuid::Uuid;

use super::call::{Answer, Call, Held, Want};
use super::op::{Draft, End, Op, rule, tenant};

/// Worker processes that live at a time.
const SLOTS: u8 = 3;

/// What a sequence made so far.
#[derive(Clone, Debug)]
pub struct Script {
    now: DateTime<Utc>,
    jobs: Vec<JobId>,
    claims: Vec<Held>,
    slots: [WorkerId; SLOTS as usize],
    started: u128,
    token: i64,
}

impl Default for Script {
    /// Begins an hour from now: a worker is dead only a lease after the server's own start, which lies behind.
    fn default() -> Self {
        let now = Utc::now() + TimeDelta::hours(1);
        let whole_second = DateTime::from_timestamp(now.timestamp(), 0);
        Self {
            now: whole_second.expect("a second that there is"),
            jobs: Vec::new(),
            claims: Vec::new(),
            slots: [worker(0); SLOTS as usize],
            started: 0,
            token: 0,
        }
    }
}

fn worker(n: u128) -> WorkerId {
    WorkerId(Uuid::from_u128(0x30 << 64 | n))
}

fn at<T: Copy>(of: &[T], n: u8) -> Option<T> {
    of.get(usize::from(n) % of.len().max(1)).copied()
}

impl Script {
    /// The time by the pinned clock.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        self.now
    }

    fn later(&self, seconds: i64) -> DateTime<Utc> {
        self.now + TimeDelta::seconds(seconds)
    }

    fn slot(&self, n: u8) -> WorkerId {
        self.slots[usize::from(n % SLOTS)]
    }

    fn job(&self, n: u8) -> Option<JobId> {
        at(&self.jobs, n)
    }

    /// The n-th claim from the newest.
    fn claim(&self, n: u8) -> Option<Held> {
        self.claims
            .iter()
            .rev()
            .nth(usize::from(n) % self.claims.len().max(1))
            .copied()
    }

    /// Remembers what a call gave.
    pub fn note(&mut self, answer: &Answer) {
        if let Answer::Claimed(claims) = answer {
            self.claims.extend(claims);
        }
    }

    /// The call that a step means here; `None` where it means nothing, because there is no job or claim yet.
    pub fn call(&mut self, op: &Op) -> Option<Call> {
        Some(match op {
            Op::Wait(quarters) => self.pass(TimeDelta::milliseconds(250 * i64::from(*quarters))),
            Op::Days(days) => self.pass(TimeDelta::days((*days).into())),
            Op::StepBack(seconds) => self.pass(TimeDelta::seconds(-i64::from(*seconds))),
            Op::Start(slot) => self.start(*slot),
            Op::Renew(slot) => Call::Renew(self.slot(*slot)),
            Op::Depart(slot) => Call::Depart(self.slot(*slot)),
            Op::Enqueue(drafts) => self.enqueue(drafts),
            Op::Claim {
                worker,
                queue,
                limit,
                serves,
            } => {
                self.token += 1;
                Call::Claim(Want {
                    worker: self.slot(*worker),
                    token: self.token,
                    queue: queue_name(*queue),
                    limit: usize::from(*limit),
                    kinds: served(*serves),
                })
            }
            Op::Settle(ends) => self.settle(ends)?,
            Op::Progress(claim) => Call::Progress(self.claim(*claim)?),
            Op::GiveBack(claim) => {
                let Held { worker, token, .. } = self.claim(*claim)?;
                Call::GiveBack {
                    worker,
                    queue: queue_name(0),
                    token,
                }
            }
            Op::Review(slot) => {
                let claims = self.claims.iter().map(|held| (held.job, held.token));
                Call::Review(self.slot(*slot), claims.collect())
            }
            steering => return self.steer(steering),
        })
    }

    /// The calls of people and of upkeep.
    fn steer(&self, op: &Op) -> Option<Call> {
        Some(match op {
            Op::Cancel(job) => Call::Cancel(self.job(*job)?),
            Op::Retry(job) => Call::Retry(self.job(*job)?),
            Op::Reschedule { job, in_s } => {
                Call::Reschedule(self.job(*job)?, self.later((*in_s).into()))
            }
            Op::Reprioritize { job, priority } => {
                Call::Reprioritize(self.job(*job)?, (priority % 4).into())
            }
            Op::Promote => Call::Promote,
            Op::Expire => Call::Expire,
            Op::Age => Call::Age,
            Op::Rescue => Call::Rescue,
            Op::Quiet(quiet) => Call::Quiet(*quiet),
            Op::Clear => Call::Clear,
            Op::Prune => Call::Prune,
            Op::Pause { what, for_s } => {
                let (scope, name) = pausable(*what);
                Call::Pause(scope, name, for_s.map(|s| self.later(s.into())))
            }
            Op::Resume(what) => {
                let (scope, name) = pausable(*what);
                Call::Resume(scope, name)
            }
            Op::Limit(n) => Call::SetLimit(rule(*n)),
            Op::Unlimit(n) => Call::RemoveLimit(rule(*n).name),
            Op::Weigh { tenant: n, weight } => Call::SetWeight(tenant(*n), (1 + weight % 5).into()),
            Op::Deepen { queue, max } => {
                Call::SetDepth(queue_name(*queue), max.map(|n| 1 + i32::from(n)))
            }
            _ => return None,
        })
    }

    fn pass(&mut self, time: TimeDelta) -> Call {
        self.now += time;
        Call::At(self.now)
    }

    fn start(&mut self, slot: u8) -> Call {
        self.started += 1;
        let id = worker(self.started);
        self.slots[usize::from(slot % SLOTS)] = id;
        Call::Register(id)
    }

    fn settle(&self, ends: &[(u8, End)]) -> Option<Call> {
        let mut settlements: Vec<(Held, Outcome)> = Vec::new();
        for (claim, end) in ends {
            let held = self.claim(*claim)?;
            // A claim is no copy: nobody can settle it twice in one call.
            if !settlements.iter().any(|(other, _)| *other == held) {
                settlements.push((held, outcome(*end)));
            }
        }
        Some(Call::Settle(settlements))
    }

    fn enqueue(&mut self, drafts: &[Draft]) -> Call {
        let first = self.jobs.len();
        let ids =
            (first..first + drafts.len()).map(|n| JobId(Uuid::from_u128(0x10b << 64 | n as u128)));
        self.jobs.extend(ids);
        let jobs = drafts
            .iter()
            .enumerate()
            .map(|(n, draft)| self.new_job(first + n, draft));
        Call::Enqueue(jobs.collect())
    }

    fn new_job(&self, n: usize, draft: &Draft) -> NewJob {
        let policy = Policy {
            priority: (draft.priority % 4).into(),
            max_attempts: i16::from(draft.retries % 4) + 1,
            ..Policy::DEFAULT
        };
        let version = i16::from(draft.version % 2) + 1;
        let kind = format!("k{}", draft.kind % 2);
        let mut job = NewJob::new(&kind, version, &policy, json!(n)).tenant(tenant(draft.tenant));
        job.id = self.jobs[n];
        job.queue = queue_name(draft.queue);
        job.run_at = draft.due_in_s.map(|s| self.later(s.into()));
        job.rare.expires_at = draft.expires_in_s.map(|s| self.later(s.into()));
        job.rare.unique = draft.unique.map(|unique| Unique {
            key: format!("u{}", unique.key % 2),
            scope: unique.scope,
            window_s: (unique.scope == UniqueScope::Window).then_some(10),
            on_duplicate: unique.on_duplicate,
        });
        job.rare.concurrency = draft.concurrency.map(|key| Concurrency {
            key: format!("c{key}"),
            limit: i16::from(key % 2) + 1,
        });
        job.rare.depends_on = draft.after.iter().filter_map(|n| self.job(*n)).collect();
        job
    }
}

fn queue_name(n: u8) -> String {
    format!("q{}", n % 2)
}

fn served(n: u8) -> Vec<(String, i16)> {
    let served: &[(&str, i16)] = match n % 4 {
        0 => &[("k0", 2), ("k1", 2)],
        1 => &[("k0", 1), ("k1", 1)],
        2 => &[("k0", 2)],
        _ => &[("k1", 1), ("k9", 1)],
    };
    served
        .iter()
        .map(|(kind, version)| ((*kind).to_owned(), *version))
        .collect()
}

fn pausable(n: u8) -> (PauseScope, String) {
    match n % 7 {
        n @ 0..2 => (PauseScope::Queue, queue_name(n)),
        n @ 2..5 => (PauseScope::Tenant, tenant(n - 2).to_string()),
        n => (PauseScope::Kind, format!("k{}", n - 5)),
    }
}

pub(super) fn outcome(end: End) -> Outcome {
    let failure = Failure {
        how: FailureKind::Failed,
        error: "as told".to_owned(),
    };
    let seconds = |s: u8| Duration::from_secs(s.into());
    match end {
        End::Complete => Outcome::Completed { output: None },
        End::Retry { after_s } => Outcome::Retry {
            after: seconds(after_s),
            failure,
        },
        End::Snooze { after_s } => Outcome::Snooze {
            after: seconds(after_s),
        },
        End::Discard => Outcome::Discard {
            reason: "of no use".to_owned(),
            failure,
        },
        End::Cancelled => Outcome::Cancelled {
            reason: Some("stopped as asked".to_owned()),
        },
        End::Interrupted => Outcome::Interrupted,
    }
}
