//! I3: every job whose enqueue was acknowledged is in the database; and, where everything was given the time to end, has ended.
//!
//! Looks within the retention of ended jobs: older ones are gone by design.

use super::NO_TABLES;
use crate::evidence::Evidence;
use crate::verdict::{Ruling, Violation};

pub(super) fn check(evidence: &Evidence) -> Ruling {
    let Some(facts) = &evidence.facts else {
        return NO_TABLES;
    };
    let mut broken = Vec::new();
    for (job, (line, _)) in &evidence.enqueued {
        if evidence.fact(*job).is_none() {
            let said = format!("job {job} was acknowledged, and is nowhere in the database");
            broken.push(Violation::new(said, &[&evidence.entries[*line]]));
        }
    }
    for job in facts.jobs.iter().filter(|job| job.live && evidence.drained) {
        let said = format!(
            "job {} ({}) is still {}, though everything had the time to end",
            job.id, job.kind, job.state
        );
        broken.push(Violation::new(said, &[]));
    }
    Ruling::of(evidence.enqueued.len(), broken)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::story::{Story, ended, live};

    #[test]
    fn an_acknowledged_job_that_is_gone_is_caught() {
        let mut story = Story::default();
        story.enqueue(7).enqueue(8);
        let kept = check(&story.evidence_with(ended(&[7, 8])));
        assert_eq!(kept, Ruling::Kept { looked_at: 2 });
        let broken = check(&story.evidence_with(ended(&[7])));
        assert_eq!(broken.violations().len(), 1);
        assert_eq!(check(&story.evidence()), NO_TABLES);
    }

    #[test]
    fn after_the_drain_what_lives_is_stuck() {
        let mut story = Story::default();
        story.enqueue(7);
        let kept = check(&story.evidence_with(live(&[7])));
        assert_eq!(kept, Ruling::Kept { looked_at: 1 });
        let broken = check(&story.drained().evidence_with(live(&[7])));
        assert!(
            broken.violations()[0].said.contains("is still available"),
            "{broken:?}"
        );
    }
}
