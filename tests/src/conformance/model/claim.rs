//! Claim: what may be taken, the plainest choice of it, and what being taken does to a job.

use std::collections::BTreeMap;

use fleet_queue::transitions::pause::PauseScope;
use fleet_queue::{JobId, JobState, WorkerId};

use super::limits::Scope;
use super::{Job, Model};
use crate::conformance::call::{Answer, Held, Refusal, Want};

impl Model {
    /// The plainest choice: most urgent first, then oldest, as far as the limits let.
    pub(super) fn claim(&mut self, want: &Want) -> Answer {
        let mut ready = self.ready(want);
        ready.sort_by_key(|job| (job.priority, job.run_at, job.new.id));
        let mut rooms = self.rooms(&ready, want.worker);
        let mut taken = Vec::new();
        for job in ready {
            let scopes = self.scopes(job, want.worker);
            if taken.len() < want.limit && scopes.iter().all(|scope| rooms[scope] > 0) {
                for scope in &scopes {
                    *rooms.get_mut(scope).expect("listed") -= 1;
                }
                taken.push(job.new.id);
            }
        }
        self.take(want, &taken)
    }

    /// Marks these jobs as running.
    pub(super) fn take(&mut self, want: &Want, ids: &[JobId]) -> Answer {
        if !self.may_claim(want.worker) {
            return Answer::Refused(Refusal::LeaseLost);
        }
        let mut claimed = Vec::new();
        for id in ids {
            let job = self.jobs[id].clone();
            self.use_starts(&job);
            let job = self.jobs.get_mut(id).expect("just seen");
            job.state = JobState::Running;
            job.holder = Some((want.worker, want.token));
            job.attempt += 1;
            job.claim_no += 1;
            let unique = job.new.rare.unique.as_ref();
            if unique.is_some_and(|unique| unique.scope == fleet_queue::UniqueScope::Started) {
                job.unique_key = None;
            }
            let (worker, token) = (want.worker, want.token);
            let (attempt, max_attempts) = (job.attempt, job.new.max_attempts);
            let order = (job.priority, job.run_at, *id);
            claimed.push((
                order,
                Held {
                    job: *id,
                    worker,
                    token,
                    attempt,
                    max_attempts,
                },
            ));
        }
        claimed.sort();
        Answer::Claimed(claimed.into_iter().map(|(_, held)| held).collect())
    }

    pub(super) fn may_claim(&self, worker: WorkerId) -> bool {
        let worker = self.workers.get(&worker);
        worker.is_some_and(|worker| !worker.ended && worker.lease_until > self.now)
    }

    /// Jobs that this claim may take, limits aside.
    pub(super) fn ready(&self, want: &Want) -> Vec<&Job> {
        let served = |job: &Job| {
            want.kinds
                .iter()
                .any(|(kind, version)| *kind == job.new.kind && job.new.version <= *version)
        };
        let paused = |job: &Job| {
            self.is_paused(PauseScope::Queue, &job.new.queue)
                || self.is_paused(PauseScope::Tenant, &job.new.tenant.to_string())
                || self.is_paused(PauseScope::Kind, &job.new.kind)
        };
        let due = |job: &Job| {
            let in_time = job.expires_at.is_none_or(|expires| expires > self.now);
            job.run_at <= self.now && (in_time || job.claim_no > 0)
        };
        let ready = self
            .jobs
            .values()
            .filter(|job| job.state == JobState::Available && job.new.queue == want.queue);
        ready
            .filter(|job| due(job) && served(job) && !paused(job))
            .collect()
    }

    pub(super) fn rooms(&self, jobs: &[&Job], worker: WorkerId) -> BTreeMap<Scope, i64> {
        let scoped = jobs.iter().flat_map(|job| {
            self.scopes(job, worker)
                .into_iter()
                .map(move |scope| (scope, *job))
        });
        scoped
            .map(|(scope, job)| (scope.clone(), self.room(&scope, job)))
            .collect()
    }
}
