//! I1: a result counts only under a claim, and only while no later claim of the job stands.
//!
//! A claim whose answer is on record before a stale holder sent its result proves that the result came too late, so a recorded one
//! broke the fence. Sees nothing of writes that leave no line, such as progress.

use std::collections::HashSet;

use fleet_queue::history::{Event, Held};

use super::NO_CLOCK;
use crate::evidence::{ClaimStory, Evidence};
use crate::verdict::{Ruling, Violation};

pub(super) fn check(evidence: &Evidence) -> Ruling {
    if !evidence.one_clock {
        return NO_CLOCK;
    }
    let mut broken = without_a_claim(evidence);
    let mut looked_at = 0;
    for claim in &evidence.claims {
        looked_at += claim.accepted.len();
        broken.extend(too_late(evidence, claim));
    }
    Ruling::of(looked_at, broken)
}

/// Results recorded of claims that nobody was given.
fn without_a_claim(evidence: &Evidence) -> Vec<Violation> {
    let given: HashSet<Held> = evidence.claims.iter().map(|claim| claim.held).collect();
    let mut broken = Vec::new();
    for entry in &evidence.entries {
        let Event::Settled { answers, .. } = &entry.event else {
            continue;
        };
        for answer in answers {
            if answer.accepted && !given.contains(&answer.held) {
                let said = format!(
                    "a result of job {} was recorded without a claim",
                    answer.held.job
                );
                broken.push(Violation::new(said, &[entry]));
            }
        }
    }
    broken
}

fn too_late(evidence: &Evidence, claim: &ClaimStory) -> Option<Violation> {
    let (&accepted, settling) = (claim.accepted.first()?, claim.settling?);
    let later = evidence.by_job[&claim.held.job].iter();
    let later = later.map(|&n| &evidence.claims[n]).find(|other| {
        other.job.claim_no > claim.job.claim_no
            && evidence.at(other.answered) < evidence.at(settling)
    })?;
    let said = format!(
        "job {}: the result of claim {} was recorded, though claim {} had been given before it was sent",
        claim.held.job, claim.job.claim_no, later.job.claim_no
    );
    let lines = [claim.answered, later.answered, settling, accepted];
    let shown = lines.map(|n| &evidence.entries[n]);
    Some(Violation::new(
        said,
        &[shown[0], shown[1], shown[2], shown[3]],
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::story::Story;

    #[test]
    fn the_holder_of_the_newest_claim_may_settle_and_nobody_before_it() {
        let story = |stale_is_taken| {
            let mut story = Story::default();
            story.claim(1, 1, 7).claim(2, 2, 7);
            story
                .settle(1, 7, stale_is_taken)
                .settle(2, 7, !stale_is_taken);
            check(&story.evidence())
        };
        assert_eq!(story(false), Ruling::Kept { looked_at: 1 });
        let broken = story(true);
        let said = &broken.violations()[0].said;
        assert!(
            said.contains("claim 1 was recorded, though claim 2"),
            "{said}"
        );
        assert_eq!(broken.violations()[0].shown_by.len(), 4);
    }

    #[test]
    fn a_result_that_was_given_back_before_the_next_claim_is_lawful() {
        let mut story = Story::default();
        story
            .claim(1, 1, 7)
            .give_back(1, 7)
            .claim(2, 2, 7)
            .settle(2, 7, true);
        assert_eq!(check(&story.evidence()), Ruling::Kept { looked_at: 2 });
    }

    #[test]
    fn a_result_without_any_claim_is_caught() {
        let mut story = Story::default();
        story.settle(1, 7, true);
        assert_eq!(check(&story.evidence()).violations().len(), 1);
    }
}
