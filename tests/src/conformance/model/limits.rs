//! What a job counts in while it runs, and how much room there is: rules, concurrency keys, and one suspect a worker.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use fleet_queue::limits::LimitRule;
use fleet_queue::{TenantId, WorkerId};

use super::{Job, Model};

/// Something that at most so many jobs may be under.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Scope {
    /// A rule, for all or for one tenant.
    Rule(String, Option<TenantId>),
    /// A tenant's concurrency key.
    Key(TenantId, String),
    /// A worker's jobs that killed two workers.
    Suspects(WorkerId),
}

/// Starts that rates have left, by rule and tenant; what is not listed is full.
#[derive(Clone, Debug, Default)]
pub(super) struct Starts(BTreeMap<(String, Option<TenantId>), (f64, DateTime<Utc>)>);

impl Starts {
    /// A rule set anew begins full.
    pub(super) fn forget(&mut self, rule: &str) {
        self.0.retain(|(name, _), _| name != rule);
    }

    fn left(&self, rule: &LimitRule, tenant: Option<TenantId>, now: DateTime<Utc>) -> f64 {
        let burst = f64::from(rule.burst.unwrap_or(0));
        let Some((left, at)) = self.0.get(&(rule.name.clone(), tenant)) else {
            return burst;
        };
        let milliseconds = (now - *at).num_milliseconds().max(0);
        let seconds = f64::from(i32::try_from(milliseconds).unwrap_or(i32::MAX)) / 1000.0;
        burst.min(left + rule.rate.unwrap_or(0.0) * seconds)
    }

    fn take(&mut self, rule: &LimitRule, tenant: Option<TenantId>, now: DateTime<Utc>) {
        let left = self.left(rule, tenant, now) - 1.0;
        self.0.insert((rule.name.clone(), tenant), (left, now));
    }
}

fn selects(rule: &LimitRule, job: &Job) -> bool {
    rule.queue
        .as_ref()
        .is_none_or(|queue| *queue == job.new.queue)
        && rule.kind.as_ref().is_none_or(|kind| *kind == job.new.kind)
        && rule
            .tenant_id
            .is_none_or(|tenant| tenant == job.new.tenant.0)
}

fn tenant_of(rule: &LimitRule, job: &Job) -> Option<TenantId> {
    rule.per_tenant.then_some(job.new.tenant)
}

impl Model {
    /// Everything that a job counts in, or would, where this worker runs it.
    pub(super) fn scopes(&self, job: &Job, worker: WorkerId) -> Vec<Scope> {
        let rules = self.rules.values().filter(|rule| selects(rule, job));
        let rules = rules.map(|rule| Scope::Rule(rule.name.clone(), tenant_of(rule, job)));
        let key = job.new.rare.concurrency.as_ref();
        let key = key.map(|concurrency| Scope::Key(job.new.tenant, concurrency.key.clone()));
        let suspects = job.is_suspect().then_some(Scope::Suspects(worker));
        rules.chain(key).chain(suspects).collect()
    }

    /// How many more may start in a scope, one of `job`'s.
    pub(super) fn room(&self, scope: &Scope, job: &Job) -> i64 {
        let running = self.running().filter(|other| {
            let (worker, _) = other.holder.expect("what runs is held");
            self.scopes(other, worker).contains(scope)
        });
        let running = i64::try_from(running.count()).unwrap_or(i64::MAX);
        let room = match scope {
            Scope::Suspects(_) => 1 - running,
            Scope::Key(..) => {
                let concurrency = job.new.rare.concurrency.as_ref();
                concurrency.map_or(0, |concurrency| i64::from(concurrency.limit)) - running
            }
            Scope::Rule(name, tenant) => {
                let rule = &self.rules[name];
                let cap = rule.cap.map_or(i64::MAX, |cap| i64::from(cap) - running);
                let starts = rule.rate.map(|_| self.starts.left(rule, *tenant, self.now));
                #[allow(clippy::cast_possible_truncation, reason = "a burst is small")]
                starts.map_or(cap, |left| cap.min(left.floor() as i64))
            }
        };
        room.max(0)
    }

    /// Uses up one start of every rate that a job is under.
    pub(super) fn use_starts(&mut self, job: &Job) {
        let rated = self
            .rules
            .values()
            .filter(|rule| rule.rate.is_some() && selects(rule, job));
        for rule in rated {
            self.starts.take(rule, tenant_of(rule, job), self.now);
        }
    }
}
