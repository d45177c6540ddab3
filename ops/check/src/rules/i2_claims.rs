//! I2: no two claim calls share a token, no job is handed out twice under one number, and what runs has a living holder.
//!
//! A claim that a crash of the server lost (its commit is asynchronous) is handed out again under the same number: lawful, but only
//! across a crash.

use std::collections::HashMap;

use fleet_queue::WorkerId;
use fleet_queue::history::Event;

use crate::evidence::{ClaimStory, Evidence};
use crate::read::Entry;
use crate::verdict::{Ruling, Violation};

pub(super) fn check(evidence: &Evidence) -> Ruling {
    let mut broken = shared_tokens(evidence);
    for claims in evidence.by_job.values() {
        broken.extend(handed_out_twice(evidence, claims));
    }
    for job in evidence.facts.iter().flat_map(|facts| &facts.orphans) {
        let said = format!("job {job} is running, and its worker is ended or unknown");
        broken.push(Violation::new(said, &[]));
    }
    Ruling::of(evidence.claims.len(), broken)
}

fn shared_tokens(evidence: &Evidence) -> Vec<Violation> {
    let mut calls: HashMap<(WorkerId, i64), &Entry> = HashMap::new();
    let mut broken = Vec::new();
    for entry in &evidence.entries {
        if let Event::Claiming { worker, token, .. } = entry.event
            && let Some(before) = calls.insert((worker, token), entry)
        {
            let said = format!("two claim calls of worker {worker} have the token {token}");
            broken.push(Violation::new(said, &[before, entry]));
        }
    }
    broken
}

fn handed_out_twice(evidence: &Evidence, claims: &[usize]) -> Vec<Violation> {
    let mut by_no: HashMap<i32, &ClaimStory> = HashMap::new();
    let mut broken = Vec::new();
    for claim in claims.iter().map(|&n| &evidence.claims[n]) {
        if let Some(before) = by_no.insert(claim.job.claim_no, claim)
            && !crashed_between(evidence, before, claim)
        {
            let (job, no) = (claim.held.job, claim.job.claim_no);
            let said = format!(
                "claim {no} of job {job} was given twice, with no crash of the server between"
            );
            let shown = [before, claim].map(|claim| &evidence.entries[claim.answered]);
            broken.push(Violation::new(said, &[shown[0], shown[1]]));
        }
    }
    broken
}

fn crashed_between(evidence: &Evidence, before: &ClaimStory, after: &ClaimStory) -> bool {
    let asked = evidence.at(before.asked.unwrap_or(before.answered));
    let answered = evidence.at(after.answered);
    let harmed = evidence.faults("postgres").into_iter();
    let seen = evidence.server_starts().into_iter();
    harmed
        .filter(|(from, to)| *from <= answered && *to >= asked)
        .count()
        > 0
        || seen
            .filter(|at| *at >= before.job.started_at && *at <= after.job.started_at)
            .count()
            > 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Facts;
    use crate::story::{Story, job};

    #[test]
    fn a_number_is_given_again_only_after_a_crash() {
        let mut story = Story::default();
        story.claim_no(1, 1, 7, 1).claim_no(2, 2, 7, 1);
        assert_eq!(check(&story.evidence()).violations().len(), 1);

        let mut story = Story::default();
        story
            .claim_no(1, 1, 7, 1)
            .fault("postgres")
            .claim_no(2, 2, 7, 1);
        assert_eq!(check(&story.evidence()), Ruling::Kept { looked_at: 2 });
    }

    #[test]
    fn a_token_is_used_once() {
        let mut story = Story::default();
        story.claim(1, 1, 7).give_back(1, 7).claim(1, 1, 7);
        let broken = check(&story.evidence());
        assert!(
            broken.violations()[0].said.contains("have the token 1"),
            "{broken:?}"
        );
    }

    #[test]
    fn what_runs_under_a_dead_worker_is_caught() {
        let facts = Facts {
            orphans: vec![job(7)],
            ..Facts::default()
        };
        assert_eq!(
            check(&Story::default().evidence_with(facts))
                .violations()
                .len(),
            1
        );
    }
}
