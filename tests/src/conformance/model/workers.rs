//! Workers' lives: lease, signals, end, rescue.

use chrono::TimeDelta;
use fleet_queue::transitions::rescue::{CRASH_BUDGET, Rescued};
use fleet_queue::{JobId, JobState, WorkerId};

use super::{Model, Worker};
use crate::conformance::call::{Answer, Held, Refusal};
use crate::conformance::engine::LEASE;

impl Model {
    fn lease_end(&self) -> chrono::DateTime<chrono::Utc> {
        self.now + TimeDelta::from_std(LEASE).expect("a few seconds")
    }

    pub(super) fn register(&mut self, id: WorkerId) -> Answer {
        let worker = Worker {
            renewed_at: self.now,
            lease_until: self.lease_end(),
            ended: false,
        };
        self.workers.insert(id, worker);
        Answer::Done
    }

    pub(super) fn renew(&mut self, id: WorkerId) -> Answer {
        let (now, lease_until) = (self.now, self.lease_end());
        let living = self.workers.get_mut(&id).filter(|worker| !worker.ended);
        let Some(worker) = living else {
            return Answer::Refused(Refusal::LeaseLost);
        };
        worker.renewed_at = now;
        worker.lease_until = lease_until;
        let heard = self.signals.iter().filter(|(worker, ..)| *worker == id);
        let heard: Vec<_> = heard.map(|(_, job, token)| (*job, *token)).collect();
        self.signals.retain(|(worker, ..)| *worker != id);
        Answer::Signals(heard)
    }

    pub(super) fn review(&self, id: WorkerId, claims: &[(JobId, i64)]) -> Answer {
        let stands = |(job, token): &(JobId, i64)| {
            let job = self
                .jobs
                .get(job)
                .filter(|job| job.holder == Some((id, *token)));
            job.map(|job| (job.new.id, job.cancel))
        };
        let mut standing: Vec<_> = claims.iter().filter_map(stands).collect();
        standing.sort();
        Answer::Standing(standing)
    }

    pub(super) fn depart(&mut self, id: WorkerId) -> Answer {
        let living = self.workers.get_mut(&id).filter(|worker| !worker.ended);
        let Some(worker) = living else {
            return Answer::Count(0);
        };
        worker.ended = true;
        let held = self.held_by(|worker, _| worker == id);
        for job in &held {
            self.remember(job, "interrupted");
            self.hand_back(job, None, "interrupted");
        }
        Answer::Count(held.len())
    }

    pub(super) fn give_back(&mut self, id: WorkerId, token: i64) -> Answer {
        let held = self.held_by(|worker, number| worker == id && number == token);
        for job in &held {
            self.hand_back(job, None, "interrupted");
        }
        Answer::Count(held.len())
    }

    pub(super) fn rescue(&mut self) -> Answer {
        let (now, lease_end) = (self.now, self.lease_end());
        // Where the clock went back, a lease runs one term from now.
        let ahead = |worker: &&mut Worker| !worker.ended && worker.renewed_at > now;
        for worker in self.workers.values_mut().filter(ahead) {
            worker.renewed_at = now;
            worker.lease_until = lease_end;
        }
        let late = self
            .workers
            .iter()
            .filter(|(_, worker)| !worker.ended && worker.lease_until < now);
        let late: Vec<WorkerId> = late.map(|(id, _)| *id).collect();
        for id in &late {
            self.workers.get_mut(id).expect("just seen").ended = true;
        }
        let held = self.held_by(|worker, _| late.contains(&worker));
        let mut rescued = Rescued {
            workers: late.len(),
            ..Rescued::default()
        };
        for id in held {
            self.remember(&id, "crashed");
            let job = self.jobs.get_mut(&id).expect("just seen");
            if job.crashes + 1 < CRASH_BUDGET {
                rescued.returned += 1;
                self.hand_back(&id, None, "crashed");
            } else {
                rescued.discarded += 1;
                job.crashes += 1;
                job.attempt -= 1;
                self.end(&[(id, JobState::Discarded, Some("crash loop".to_owned()))]);
            }
        }
        Answer::Rescued(rescued)
    }

    fn held_by(&self, held: impl Fn(WorkerId, i64) -> bool) -> Vec<JobId> {
        let held = self.running().filter(|job| {
            job.holder
                .is_some_and(|(worker, token)| held(worker, token))
        });
        held.map(|job| job.new.id).collect()
    }

    fn remember(&mut self, id: &JobId, how: &str) {
        self.jobs.get_mut(id).expect("it is held").remember(how);
    }

    /// Signals and pauses that are over go.
    pub(super) fn clear(&mut self) -> Answer {
        let jobs = &self.jobs;
        self.signals.retain(|(worker, id, token)| {
            jobs.get(id)
                .is_some_and(|job| job.holder == Some((*worker, *token)))
        });
        Answer::Done
    }

    pub(super) fn progress(&self, held: &Held) -> Answer {
        Answer::Settled(vec![self.stands(held)])
    }
}
