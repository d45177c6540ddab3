//! Settle, and what follows from an end: jobs that waited for it are freed, or are lost with it.

use chrono::{DateTime, TimeDelta, Utc};
use fleet_queue::{JobId, JobState, Outcome, Settled};

use super::Model;
use crate::conformance::call::{Answer, Held};

impl Model {
    /// Whether a claim still stands.
    pub(super) fn stands(&self, held: &Held) -> Settled {
        match self.jobs.get(&held.job) {
            Some(job) if job.is_held_as(held) => Settled::Recorded,
            _ => Settled::LeaseLost,
        }
    }

    pub(super) fn settle(&mut self, settlements: &[(Held, Outcome)]) -> Answer {
        let answers: Vec<Settled> = settlements
            .iter()
            .map(|(held, _)| self.stands(held))
            .collect();
        let accepted: Vec<_> = settlements
            .iter()
            .zip(&answers)
            .filter(|(_, answer)| **answer == Settled::Recorded)
            .map(|(settlement, _)| settlement)
            .collect();
        for (held, outcome) in &accepted {
            if let Some(how) = recorded_as(outcome) {
                self.jobs
                    .get_mut(&held.job)
                    .expect("it stands")
                    .remember(how);
            }
        }
        let ends: Vec<_> = accepted
            .iter()
            .filter_map(|(held, outcome)| ending(held, outcome))
            .collect();
        self.end(&ends);
        for (held, outcome) in accepted {
            let (after, event) = match outcome {
                Outcome::Retry { after, .. } if held.attempt < held.max_attempts => {
                    (Some(after), "retried")
                }
                Outcome::Snooze { after } => (Some(after), "snoozed"),
                Outcome::Interrupted => (None, "interrupted"),
                _ => continue,
            };
            let wait = after.map(|after| TimeDelta::from_std(*after).expect("a few seconds"));
            self.hand_back(&held.job, wait.map(|wait| self.now + wait), event);
        }
        Answer::Settled(answers)
    }

    /// Gives a running job back; one whose cancellation was asked for ends instead.
    pub(super) fn hand_back(&mut self, id: &JobId, run_at: Option<DateTime<Utc>>, event: &str) {
        let state = self.waiting_state(run_at.unwrap_or(self.now));
        let job = self.jobs.get_mut(id).expect("it runs");
        if job.cancel {
            return self.end(&[(*id, JobState::Cancelled, Some("asked".to_owned()))]);
        }
        job.state = state;
        job.holder = None;
        job.run_at = run_at.unwrap_or(job.run_at);
        job.attempt -= i16::from(event != "retried");
        job.crashes += i16::from(event == "crashed");
        job.snoozes += i32::from(event == "snoozed");
    }

    /// Ends jobs together, and then those that are lost with them.
    pub(super) fn end(&mut self, ends: &[(JobId, JobState, Option<String>)]) {
        let ended_at = Some(self.now);
        for (id, state, reason) in ends {
            let job = self.jobs.get_mut(id).expect("it lives");
            job.state = *state;
            job.reason.clone_from(reason);
            if *state == JobState::Cancelled && reason.is_none() && job.cancel {
                job.reason = Some("asked".to_owned());
            }
            job.ended_at = ended_at;
            job.holder = None;
            job.cancel = false;
            job.waits_for.clear();
        }
        for (id, state, _) in ends {
            self.release(*id, *state);
        }
    }

    fn release(&mut self, ended: JobId, state: JobState) {
        let waiting = self
            .jobs
            .values()
            .filter(|job| job.waits_for.contains(&ended));
        let waiting: Vec<JobId> = waiting.map(|job| job.new.id).collect();
        for id in waiting {
            if state != JobState::Completed {
                // An earlier loss in this loop may have taken it along.
                if self.jobs[&id].is_live() {
                    let reason = format!("depends on {ended}, which was {state}");
                    self.end(&[(id, JobState::Cancelled, Some(reason))]);
                }
                continue;
            }
            let due = self.waiting_state(self.jobs[&id].run_at);
            let job = self.jobs.get_mut(&id).expect("just seen");
            job.waits_for.remove(&ended);
            if job.waits_for.is_empty() {
                job.state = due;
            }
        }
    }
}

/// How a settlement ends its job, if it does.
fn ending(held: &Held, outcome: &Outcome) -> Option<(JobId, JobState, Option<String>)> {
    let (state, reason) = match outcome {
        Outcome::Completed { .. } => (JobState::Completed, None),
        Outcome::Discard { reason, .. } => (JobState::Discarded, Some(reason.clone())),
        Outcome::Cancelled { reason } => (JobState::Cancelled, reason.clone()),
        Outcome::Retry { .. } if held.attempt >= held.max_attempts => {
            (JobState::Discarded, Some("attempts exhausted".to_owned()))
        }
        _ => return None,
    };
    Some((held.job, state, reason))
}

fn recorded_as(outcome: &Outcome) -> Option<&'static str> {
    match outcome {
        Outcome::Completed { .. } => None,
        Outcome::Retry { .. } => Some("failed"),
        Outcome::Snooze { .. } => Some("snoozed"),
        Outcome::Discard { .. } => Some("discarded"),
        Outcome::Cancelled { .. } => Some("cancelled"),
        Outcome::Interrupted => Some("interrupted"),
    }
}
