//! Enqueue: a batch is taken as a whole or refused as a whole; a duplicate or a full queue is an answer and no refusal.

use std::collections::BTreeSet;

use fleet_queue::{
    EnqueueOutcome, Enqueued, JobId, JobState, NewJob, OnDuplicate, Unique, UniqueScope,
};

use super::{Job, Model};
use crate::conformance::call::{Answer, Refusal};

impl Model {
    pub(super) fn enqueue(&mut self, batch: &[NewJob]) -> Answer {
        let before = self.clone();
        let answers = self.try_enqueue(batch);
        answers.map_or_else(
            |refusal| {
                *self = before;
                Answer::Refused(refusal)
            },
            Answer::Enqueued,
        )
    }

    fn try_enqueue(&mut self, batch: &[NewJob]) -> Result<Vec<Enqueued>, Refusal> {
        if waits_in_a_circle(batch) {
            return Err(Refusal::Invalid("depends_on"));
        }
        let full: Vec<bool> = batch
            .iter()
            .map(|job| self.is_full(&job.queue, batch))
            .collect();
        let mut inserted = BTreeSet::new();
        for (job, full) in batch.iter().zip(&full) {
            if !full && self.is_free(job) {
                self.insert(job);
                inserted.insert(job.id);
            }
        }
        for job in batch.iter().filter(|job| inserted.contains(&job.id)) {
            self.tie(job)?;
        }
        let answer = |(job, full): (&NewJob, bool)| {
            if inserted.contains(&job.id) {
                self.enqueued(job.id, EnqueueOutcome::Inserted)
            } else if full {
                Enqueued {
                    id: job.id,
                    outcome: EnqueueOutcome::QueueFull,
                    state: None,
                }
            } else {
                self.meet_duplicate(job)
            }
        };
        Ok(batch.iter().zip(full).map(answer).collect())
    }

    fn enqueued(&self, id: JobId, outcome: EnqueueOutcome) -> Enqueued {
        let state = self.jobs.get(&id).map(|job| job.state);
        Enqueued { id, outcome, state }
    }

    /// With the batch the queue would hold more than it may.
    fn is_full(&self, queue: &str, batch: &[NewJob]) -> bool {
        let live = self
            .jobs
            .values()
            .filter(|job| job.is_live() && job.new.queue == queue)
            .count();
        let coming = batch.iter().filter(|job| job.queue == queue).count();
        let depth = self
            .depths
            .get(queue)
            .and_then(|max| usize::try_from(*max).ok());
        depth.is_some_and(|max| live + coming > max)
    }

    /// Nobody holds its unique key; where the key is a window's, it is taken with this.
    fn is_free(&mut self, job: &NewJob) -> bool {
        let Some(unique) = &job.rare.unique else {
            return true;
        };
        if unique.scope != UniqueScope::Window {
            return self.key_holder(job, unique).is_none();
        }
        let slot = (job.tenant, unique.key.clone());
        let taken = self
            .windows
            .get(&slot)
            .is_some_and(|(_, until)| *until > self.now);
        if !taken {
            let width = chrono::TimeDelta::seconds(unique.window_s.unwrap_or(0).into());
            self.windows.insert(slot, (job.id, self.now + width));
        }
        !taken
    }

    fn key_holder(&self, job: &NewJob, unique: &Unique) -> Option<JobId> {
        let holds = |other: &&Job| {
            other.is_live()
                && other.new.tenant == job.tenant
                && other.unique_key.as_ref() == Some(&unique.key)
        };
        self.jobs.values().find(holds).map(|other| other.new.id)
    }

    fn insert(&mut self, new: &NewJob) {
        let run_at = new.run_at.unwrap_or(self.now);
        let kept = new
            .rare
            .unique
            .as_ref()
            .filter(|unique| unique.scope != UniqueScope::Window);
        let job = Job {
            state: self.waiting_state(run_at),
            priority: new.priority,
            run_at,
            expires_at: new.rare.expires_at,
            attempt: 0,
            crashes: 0,
            snoozes: 0,
            claim_no: 0,
            holder: None,
            cancel: false,
            unique_key: kept.map(|unique| unique.key.clone()),
            waits_for: BTreeSet::new(),
            reason: None,
            ended_at: None,
            past: Vec::new(),
            new: new.clone(),
        };
        self.jobs.insert(new.id, job);
    }

    /// Lets a job wait for what it depends on, as far as that has not completed.
    fn tie(&mut self, new: &NewJob) -> Result<(), Refusal> {
        let mut waits_for = BTreeSet::new();
        for dependency in &new.rare.depends_on {
            let found = self
                .jobs
                .get(dependency)
                .filter(|job| job.new.tenant == new.tenant);
            match found.ok_or(Refusal::Dependency)?.state {
                JobState::Completed => {}
                JobState::Cancelled | JobState::Discarded => return Err(Refusal::Dependency),
                _ => drop(waits_for.insert(*dependency)),
            }
        }
        if let Some(job) = self.jobs.get_mut(&new.id).filter(|_| !waits_for.is_empty()) {
            job.state = JobState::Blocked;
            job.waits_for = waits_for;
        }
        Ok(())
    }

    fn meet_duplicate(&mut self, new: &NewJob) -> Enqueued {
        let unique = new
            .rare
            .unique
            .as_ref()
            .expect("only a unique job can be a duplicate");
        if unique.scope == UniqueScope::Window {
            let slot = (new.tenant, unique.key.clone());
            return self.enqueued(self.windows[&slot].0, EnqueueOutcome::Duplicate);
        }
        let id = self
            .key_holder(new, unique)
            .expect("somebody stood in its way");
        let run_at = new.run_at.unwrap_or(self.now);
        let state = self.waiting_state(run_at);
        let job = self.jobs.get_mut(&id).expect("just found");
        let outcome = match unique.on_duplicate {
            _ if job.runs() => EnqueueOutcome::Duplicate,
            OnDuplicate::Return => EnqueueOutcome::Duplicate,
            OnDuplicate::Replace => {
                job.new.payload = new.payload.clone();
                EnqueueOutcome::Replaced
            }
            OnDuplicate::Push => {
                job.run_at = run_at;
                if job.state != JobState::Blocked {
                    job.state = state;
                }
                EnqueueOutcome::Pushed
            }
        };
        self.enqueued(id, outcome)
    }
}

/// Jobs of the batch that wait for each other would wait for ever.
fn waits_in_a_circle(batch: &[NewJob]) -> bool {
    let mut left: Vec<&NewJob> = batch.iter().collect();
    loop {
        let ids: BTreeSet<JobId> = left.iter().map(|job| job.id).collect();
        let before = left.len();
        left.retain(|job| job.rare.depends_on.iter().any(|id| ids.contains(id)));
        if left.len() == before {
            return !left.is_empty();
        }
    }
}
