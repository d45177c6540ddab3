//! What people and time do to a job that waits or has ended.

use chrono::{DateTime, TimeDelta, Utc};
use fleet_queue::transitions::cancel::Cancelled;
use fleet_queue::transitions::retry::Retried;
use fleet_queue::{JobId, JobState};

use super::{Job, Model};
use crate::conformance::call::{Answer, Refusal};
use crate::conformance::engine::KEEP_DAYS;

impl Model {
    pub(super) fn cancel(&mut self, id: JobId) -> Answer {
        let Some(job) = self.jobs.get_mut(&id) else {
            return Answer::Cancelled(Cancelled::NotFound);
        };
        Answer::Cancelled(match (job.state, job.holder) {
            (state, _) if state.is_terminal() => Cancelled::AlreadyEnded(state),
            (_, Some((worker, token))) => {
                job.cancel = true;
                self.signals.insert((worker, id, token));
                Cancelled::Requested(worker)
            }
            (_, None) => {
                self.end(&[(id, JobState::Cancelled, Some("asked".to_owned()))]);
                Cancelled::Ended
            }
        })
    }

    pub(super) fn retry(&mut self, id: JobId) -> Answer {
        let now = self.now;
        let Some(job) = self.jobs.get(&id) else {
            return Answer::Retried(Retried::NotFound);
        };
        let state = job.state;
        let key_taken = self.jobs.values().any(|other| {
            other.is_live()
                && other.new.tenant == job.new.tenant
                && other.unique_key.is_some()
                && other.unique_key == job.unique_key
        });
        let job = self.jobs.get_mut(&id).expect("just found");
        match state {
            JobState::Scheduled | JobState::Available => {
                // It may only gain by it: one that waits already keeps its place.
                job.run_at = job.run_at.min(now);
                job.state = JobState::Available;
                Answer::Retried(Retried::Hastened)
            }
            JobState::Cancelled | JobState::Discarded if !key_taken => {
                revive(job, now);
                Answer::Retried(Retried::Revived)
            }
            _ => Answer::Refused(Refusal::WrongState(state)),
        }
    }

    pub(super) fn reschedule(&mut self, id: JobId, run_at: DateTime<Utc>) -> Answer {
        let due = self.waiting_state(run_at);
        self.move_waiting(id, |job| {
            job.run_at = run_at;
            if job.state != JobState::Blocked {
                job.state = due;
            }
        })
    }

    pub(super) fn reprioritize(&mut self, id: JobId, priority: i16) -> Answer {
        self.move_waiting(id, |job| job.priority = priority)
    }

    fn move_waiting(&mut self, id: JobId, how: impl FnOnce(&mut Job)) -> Answer {
        match self.jobs.get_mut(&id) {
            None => Answer::Found(false),
            Some(job) if job.runs() || !job.is_live() => {
                Answer::Refused(Refusal::WrongState(job.state))
            }
            Some(job) => {
                how(job);
                Answer::Found(true)
            }
        }
    }

    pub(super) fn promote(&mut self) -> Answer {
        let now = self.now;
        let due = |job: &&mut Job| job.state == JobState::Scheduled && job.run_at <= now;
        let due: Vec<_> = self.jobs.values_mut().filter(due).collect();
        let promoted = due.len();
        for job in due {
            job.state = JobState::Available;
        }
        Answer::Count(promoted)
    }

    pub(super) fn expire(&mut self) -> Answer {
        let late = self.jobs.values().filter(|job| {
            job.is_live()
                && job.claim_no == 0
                && job.expires_at.is_some_and(|expires| expires <= self.now)
        });
        let why = "expired: not started by its expires_at".to_owned();
        let late: Vec<_> = late
            .map(|job| (job.new.id, JobState::Discarded, Some(why.clone())))
            .collect();
        self.end(&late);
        Answer::Count(late.len())
    }

    pub(super) fn prune(&mut self) -> Answer {
        let oldest = self.now - TimeDelta::days(KEEP_DAYS.into());
        self.jobs
            .retain(|_, job| job.ended_at.is_none_or(|ended| ended >= oldest));
        Answer::Done
    }
}

/// Lets an ended job live again: its attempts and crashes are forgotten, its claims are not.
fn revive(job: &mut Job, now: DateTime<Utc>) {
    job.state = JobState::Available;
    job.run_at = now;
    job.expires_at = None;
    job.attempt = 0;
    job.crashes = 0;
    job.snoozes = 0;
    job.reason = None;
    job.ended_at = None;
}
