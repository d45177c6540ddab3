//! I4: a job's counters keep their bounds, and agree with how often it was claimed and why it went back.
//!
//! A job whose cancellation was asked for does not go back: its last attempt stays counted, whatever ended it.

use std::collections::HashMap;

use uuid::Uuid;

use super::NO_TABLES;
use crate::evidence::Evidence;
use crate::facts::JobFact;
use crate::verdict::{Ruling, Violation};

/// As `fleet_queue::transitions::rescue::CRASH_BUDGET`.
const CRASHES_MAX: i16 = fleet_queue::transitions::rescue::CRASH_BUDGET;

pub(super) fn check(evidence: &Evidence) -> Ruling {
    let Some(facts) = &evidence.facts else {
        return NO_TABLES;
    };
    let mut free: HashMap<Uuid, i32> = HashMap::new();
    for attempt in &facts.attempts {
        if ["crashed", "snoozed", "interrupted"].contains(&attempt.outcome.as_str()) {
            *free.entry(attempt.job).or_default() += 1;
        }
    }
    let mut broken = Vec::new();
    for job in &facts.jobs {
        let kept = i32::from(job.state == "cancelled");
        let free = (free.get(&job.id).copied().unwrap_or(0) - kept).max(0);
        broken.extend(wrong(job, free).map(|said| Violation::new(said, &[])));
    }
    Ruling::of(facts.jobs.len(), broken)
}

/// `free`: claims that ended in a way that costs no attempt.
fn wrong(job: &JobFact, free: i32) -> Option<String> {
    let JobFact {
        id,
        attempt,
        max_attempts,
        crashes,
        claim_no,
        ..
    } = job;
    if attempt > max_attempts || *attempt < 0 {
        return Some(format!(
            "job {id} has had {attempt} attempts of {max_attempts}"
        ));
    }
    if *crashes > CRASHES_MAX {
        return Some(format!(
            "job {id} has crashed {crashes} times, {CRASHES_MAX} are its budget"
        ));
    }
    (i32::from(*attempt) > claim_no - free).then(|| {
        format!(
            "job {id} was claimed {claim_no} times, {free} of them at no cost, and yet {attempt} attempts were counted"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{AttemptFact, Facts};
    use crate::story::Story;

    fn judged(job: JobFact, outcomes: &[&str]) -> Ruling {
        let attempt = |outcome: &&str| AttemptFact {
            job: job.id,
            outcome: (*outcome).to_owned(),
        };
        let attempts = outcomes.iter().map(attempt).collect();
        check(&Story::default().evidence_with(Facts {
            jobs: vec![job],
            attempts,
            ..Facts::default()
        }))
    }

    fn job(attempt: i16, crashes: i16, claim_no: i32) -> JobFact {
        JobFact {
            attempt,
            crashes,
            claim_no,
            max_attempts: 3,
            ..JobFact::default()
        }
    }

    #[test]
    fn counters_within_their_bounds_are_lawful() {
        let ruling = judged(job(1, 1, 3), &["crashed", "interrupted"]);
        assert_eq!(ruling, Ruling::Kept { looked_at: 1 });
    }

    #[test]
    fn a_job_cancelled_while_its_worker_died_keeps_its_attempt() {
        let cancelled = JobFact {
            state: "cancelled".to_owned(),
            ..job(1, 0, 1)
        };
        assert_eq!(
            judged(cancelled, &["crashed"]),
            Ruling::Kept { looked_at: 1 }
        );
    }

    #[test]
    fn each_bound_is_watched() {
        assert!(
            judged(job(4, 0, 4), &[]).violations()[0]
                .said
                .contains("4 attempts of 3")
        );
        assert!(
            judged(job(1, 4, 5), &[]).violations()[0]
                .said
                .contains("crashed 4 times")
        );
        let charged = judged(job(3, 1, 3), &["crashed"]);
        assert!(
            charged.violations()[0].said.contains("at no cost"),
            "{charged:?}"
        );
    }
}
