//! Small histories for tests: each step is told a millisecond after the one before.
//!
//! Jobs, workers and schedules go by small numbers; a result always ends its job, unless it is given back.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use fleet_queue::history::{Answer, Change, ClaimedJob, EnqueuedJob, Event, Held, Intent};
use fleet_queue::limits::LimitRule;
use fleet_queue::{JobId, TenantId, WorkerId};
use uuid::Uuid;

use crate::evidence::Evidence;
use crate::facts::{Facts, JobFact};
use crate::read::{Entry, Source};

/// A history in the making.
#[derive(Default)]
pub(crate) struct Story {
    entries: Vec<Entry>,
    now_ms: u64,
    claims: HashMap<u128, i32>,
    tokens: HashMap<(u128, u128), i64>,
    drained: bool,
}

pub(crate) fn id(n: u128) -> Uuid {
    Uuid::from_u128(n)
}

pub(crate) fn job(n: u128) -> JobId {
    JobId(id(n))
}

/// A cap over everything.
pub(crate) fn cap(n: i32) -> LimitRule {
    LimitRule {
        name: "all".to_owned(),
        cap: Some(n),
        ..LimitRule::default()
    }
}

/// The database's tables where these jobs completed.
pub(crate) fn ended(jobs: &[u128]) -> Facts {
    tables(jobs, "completed", false)
}

/// The database's tables where these jobs wait.
pub(crate) fn live(jobs: &[u128]) -> Facts {
    tables(jobs, "available", true)
}

fn tables(jobs: &[u128], state: &str, live: bool) -> Facts {
    let fact = |n: &u128| JobFact {
        id: id(*n),
        state: state.to_owned(),
        live,
        ..JobFact::default()
    };
    Facts {
        jobs: jobs.iter().map(fact).collect(),
        ..Facts::default()
    }
}

impl Story {
    fn tell(&mut self, event: Event) -> &mut Self {
        self.now_ms += 1;
        self.entries.push(Entry {
            source: Arc::new(Source::default()),
            line: self.entries.len() + 1,
            at: self.now_ms * 1_000,
            event,
        });
        self
    }

    pub(crate) fn wait(&mut self, ms: u64) -> &mut Self {
        self.now_ms += ms;
        self
    }

    pub(crate) fn drained(&mut self) -> &mut Self {
        self.drained = true;
        self
    }

    pub(crate) fn enqueue(&mut self, n: u128) -> &mut Self {
        self.enqueued(n, None, None)
    }

    pub(crate) fn enqueue_unique(&mut self, n: u128, key: &str) -> &mut Self {
        self.enqueued(n, Some(key.to_owned()), None)
    }

    pub(crate) fn enqueue_with_key(&mut self, n: u128, key: &str) -> &mut Self {
        self.enqueued(n, None, Some((key.to_owned(), 1)))
    }

    fn enqueued(
        &mut self,
        n: u128,
        unique_key: Option<String>,
        concurrency: Option<(String, i16)>,
    ) -> &mut Self {
        self.tell(Event::Enqueued {
            jobs: vec![EnqueuedJob {
                job: job(n),
                tenant: TenantId(id(1)),
                kind: "diagnostics.noop".to_owned(),
                queue: "default".to_owned(),
                max_attempts: 5,
                unique_key,
                concurrency,
            }],
        })
    }

    pub(crate) fn claim(&mut self, worker: u128, token: i64, n: u128) -> &mut Self {
        self.claim_many(worker, token, &[n], 1)
    }

    pub(crate) fn claim_many(
        &mut self,
        worker: u128,
        token: i64,
        jobs: &[u128],
        limit: usize,
    ) -> &mut Self {
        let numbers: Vec<_> = jobs
            .iter()
            .map(|n| (*n, self.claims.get(n).copied().unwrap_or(0) + 1))
            .collect();
        self.claims_of(worker, token, &numbers, limit)
    }

    /// A claim with a number of one's own choice.
    pub(crate) fn claim_no(&mut self, worker: u128, token: i64, n: u128, no: i32) -> &mut Self {
        self.claims_of(worker, token, &[(n, no)], 1)
    }

    fn claims_of(
        &mut self,
        worker: u128,
        token: i64,
        jobs: &[(u128, i32)],
        limit: usize,
    ) -> &mut Self {
        self.tell(Event::Claiming {
            worker: WorkerId(id(worker)),
            token,
            queue: "default".to_owned(),
            limit,
        });
        for (n, no) in jobs {
            self.claims.insert(*n, *no);
            self.tokens.insert((worker, *n), token);
        }
        let started_at = self.clock();
        let claimed = |(n, no): &(u128, i32)| ClaimedJob {
            job: job(*n),
            tenant: TenantId(id(1)),
            kind: "diagnostics.noop".to_owned(),
            queue: "default".to_owned(),
            attempt: 1,
            claim_no: *no,
            started_at,
        };
        self.tell(Event::Claimed {
            worker: WorkerId(id(worker)),
            token,
            jobs: jobs.iter().map(claimed).collect(),
        })
    }

    /// The database's clock, which goes with ours.
    fn clock(&self) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::milliseconds(self.now_ms as i64)
    }

    pub(crate) fn settle(&mut self, worker: u128, n: u128, accepted: bool) -> &mut Self {
        self.result(worker, n, accepted, true)
    }

    pub(crate) fn give_back(&mut self, worker: u128, n: u128) -> &mut Self {
        self.result(worker, n, true, false)
    }

    pub(crate) fn retry(&mut self, n: u128) -> &mut Self {
        self.tell(Event::Retrying { job: job(n) })
    }

    fn result(&mut self, worker: u128, n: u128, accepted: bool, ends: bool) -> &mut Self {
        let held = Held {
            job: job(n),
            worker: WorkerId(id(worker)),
            token: self.tokens.get(&(worker, n)).copied().unwrap_or(0),
        };
        let outcome = if ends { "completed" } else { "interrupted" };
        self.tell(Event::Settling {
            results: vec![Intent {
                held,
                outcome: outcome.to_owned(),
                ends,
            }],
            in_transaction: false,
        });
        self.tell(Event::Settled {
            answers: vec![Answer { held, accepted }],
            in_transaction: false,
        })
    }

    pub(crate) fn tick(&mut self, tick_at: DateTime<Utc>, n: u128) -> &mut Self {
        self.tell(Event::Ticked {
            schedule: "beat".to_owned(),
            tick_at,
            job: job(n),
            fired: true,
        })
    }

    pub(crate) fn rescue(&mut self, workers: usize) -> &mut Self {
        self.tell(Event::Rescued {
            workers,
            returned: 0,
            discarded: 0,
        })
    }

    pub(crate) fn change(&mut self, change: &Change) -> &mut Self {
        let change = change.clone();
        self.tell(Event::Changing {
            change: change.clone(),
        });
        self.tell(Event::Changed { change })
    }

    pub(crate) fn fault(&mut self, fault: &str) -> &mut Self {
        for over in [false, true] {
            self.tell(Event::Fault {
                fault: fault.to_owned(),
                target: "the server".to_owned(),
                over,
            });
        }
        self
    }

    /// A worker's process is killed.
    pub(crate) fn kill(&mut self, pid: u32) -> &mut Self {
        self.tell(Event::Fault {
            fault: "worker killed".to_owned(),
            target: pid.to_string(),
            over: false,
        })
    }

    pub(crate) fn evidence(&self) -> Evidence {
        Evidence::of(self.entries.clone(), None, self.drained)
    }

    pub(crate) fn evidence_with(&self, facts: Facts) -> Evidence {
        Evidence::of(self.entries.clone(), Some(facts), self.drained)
    }
}
