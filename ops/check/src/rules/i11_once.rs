//! I11: what ended stays ended, ends once, and no effect is there twice, whoever was killed meanwhile.

use std::collections::HashMap;
use std::ops::RangeBounds;

use crate::evidence::{ClaimStory, Evidence};
use crate::facts::{EffectFact, Facts};
use crate::verdict::{Ruling, Violation};

pub(super) fn check(evidence: &Evidence) -> Ruling {
    let (mut looked_at, mut broken) = (0, Vec::new());
    for claims in evidence.by_job.values() {
        let claims = claims.iter().map(|&n| &evidence.claims[n]);
        let ended = claims.filter(|claim| claim.ends && !claim.accepted.is_empty());
        let ended: Vec<&ClaimStory> = ended.collect();
        looked_at += ended.len();
        broken.extend(ended_twice(evidence, &ended));
        broken.extend(ended.iter().filter_map(|claim| came_back(evidence, claim)));
    }
    for claim in evidence
        .claims
        .iter()
        .filter(|claim| claim.accepted.len() > 1)
    {
        let said = format!(
            "claim {} of job {} was settled twice",
            claim.job.claim_no, claim.held.job
        );
        let shown = [claim.accepted[0], claim.accepted[1]].map(|n| &evidence.entries[n]);
        broken.push(Violation::new(said, &[shown[0], shown[1]]));
    }
    broken.extend(evidence.facts.iter().flat_map(doubled));
    Ruling::of(looked_at, broken)
}

fn ended_twice(evidence: &Evidence, ended: &[&ClaimStory]) -> Option<Violation> {
    let mut pairs = ended.windows(2).map(|pair| (pair[0], pair[1]));
    let (first, second) =
        pairs.find(|(first, second)| !is_retried(evidence, first, ..second.accepted[0]))?;
    let said = format!(
        "job {} ended twice, under claims {} and {}",
        first.held.job, first.job.claim_no, second.job.claim_no
    );
    let shown = [first.accepted[0], second.accepted[0]].map(|n| &evidence.entries[n]);
    Some(Violation::new(said, &[shown[0], shown[1]]))
}

/// True where somebody sent the job round again after it had ended under this claim, by a line in `lines`.
fn is_retried(evidence: &Evidence, ended: &ClaimStory, lines: impl RangeBounds<usize>) -> bool {
    let retried = evidence.retried.get(&ended.held.job);
    let mut retried = retried.into_iter().flatten();
    retried.any(|n| *n > ended.accepted[0] && lines.contains(n))
}

/// An end that was acknowledged and is not in the database: its commit was lost.
fn came_back(evidence: &Evidence, claim: &ClaimStory) -> Option<Violation> {
    let job = evidence.fact(claim.held.job).filter(|job| job.live)?;
    if is_retried(evidence, claim, ..) {
        return None;
    }
    let said = format!(
        "job {} is {}, though its end was recorded",
        job.id, job.state
    );
    Some(Violation::new(
        said,
        &[&evidence.entries[claim.accepted[0]]],
    ))
}

fn doubled(facts: &Facts) -> Vec<Violation> {
    let mut by_key: HashMap<&str, &EffectFact> = HashMap::new();
    let mut broken = Vec::new();
    for effect in &facts.effects {
        if let Some(other) = by_key.insert(&effect.key, effect) {
            let said = format!(
                "effect \"{}\" is there twice, from jobs {} and {}",
                effect.key, other.job, effect.job
            );
            broken.push(Violation::new(said, &[]));
        }
    }
    broken
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::story::{Story, ended, id, live};

    #[test]
    fn an_end_is_recorded_once_and_stays() {
        let mut story = Story::default();
        story.claim(1, 1, 7).settle(1, 7, true);
        assert_eq!(
            check(&story.evidence_with(ended(&[7]))),
            Ruling::Kept { looked_at: 1 }
        );
        let back = check(&story.evidence_with(live(&[7])));
        assert!(
            back.violations()[0]
                .said
                .contains("though its end was recorded"),
            "{back:?}"
        );
    }

    #[test]
    fn a_second_end_is_caught() {
        let mut story = Story::default();
        story
            .claim(1, 1, 7)
            .settle(1, 7, true)
            .claim(2, 2, 7)
            .settle(2, 7, true);
        assert!(
            check(&story.evidence()).violations()[0]
                .said
                .contains("ended twice")
        );
    }

    #[test]
    fn who_is_sent_round_again_ends_again() {
        let mut story = Story::default();
        story.claim(1, 1, 7).settle(1, 7, true).retry(7);
        let revived = check(&story.evidence_with(live(&[7])));
        assert_eq!(revived, Ruling::Kept { looked_at: 1 });
        story.claim(2, 2, 7).settle(2, 7, true);
        assert_eq!(check(&story.evidence()), Ruling::Kept { looked_at: 2 });
        story.claim(3, 3, 7).settle(3, 7, true);
        let third = check(&story.evidence());
        assert!(
            third.violations()[0].said.contains("under claims 2 and 3"),
            "{third:?}"
        );
    }

    #[test]
    fn a_claim_that_is_settled_again_is_caught() {
        let mut story = Story::default();
        story.claim(1, 1, 7).settle(1, 7, true).settle(1, 7, true);
        assert!(
            check(&story.evidence()).violations()[0]
                .said
                .contains("settled twice")
        );
    }

    #[test]
    fn an_effect_that_is_there_twice_is_caught() {
        let effect = |job| EffectFact {
            key: "a".to_owned(),
            job: id(job),
        };
        let facts = Facts {
            effects: vec![effect(7), effect(8)],
            ..ended(&[7, 8])
        };
        assert_eq!(
            check(&Story::default().evidence_with(facts))
                .violations()
                .len(),
            1
        );
    }
}
