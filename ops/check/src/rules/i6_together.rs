//! I6: a `diagnostics.effect` job left its trace if, and only if, it completed.
//!
//! The trace and the completion are one transaction; each without the other shows that they were not.

use std::collections::HashSet;

use fleet_queue::JobId;

use super::NO_TABLES;
use crate::evidence::Evidence;
use crate::verdict::{Ruling, Violation};

const KIND: &str = "diagnostics.effect";

pub(super) fn check(evidence: &Evidence) -> Ruling {
    let Some(facts) = &evidence.facts else {
        return NO_TABLES;
    };
    let mut broken = Vec::new();
    for effect in &facts.effects {
        match evidence.fact(JobId(effect.job)) {
            // Past its retention the job is gone, and its trace stays.
            None => {}
            Some(job) if job.state == "completed" => {}
            Some(job) => {
                let said = format!(
                    "job {} left its effect \"{}\", and is {}",
                    job.id, effect.key, job.state
                );
                broken.push(Violation::new(said, &[]));
            }
        }
    }
    let traced: HashSet<_> = facts.effects.iter().map(|effect| effect.job).collect();
    let done = |job: &&crate::facts::JobFact| job.kind == KIND && job.state == "completed";
    for job in facts.jobs.iter().filter(done) {
        if !traced.contains(&job.id) {
            let said = format!("job {} completed, and its effect is not there", job.id);
            broken.push(Violation::new(said, &[]));
        }
    }
    Ruling::of(facts.effects.len(), broken)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{EffectFact, Facts, JobFact};
    use crate::story::{Story, id};

    fn judged(state: &str, effects: usize) -> Ruling {
        let job = JobFact {
            id: id(7),
            kind: KIND.to_owned(),
            state: state.to_owned(),
            ..JobFact::default()
        };
        let effect = EffectFact {
            key: "a".to_owned(),
            job: id(7),
        };
        check(&Story::default().evidence_with(Facts {
            jobs: vec![job],
            effects: vec![effect; effects],
            ..Facts::default()
        }))
    }

    #[test]
    fn an_effect_and_its_completion_need_each_other() {
        assert_eq!(judged("completed", 1), Ruling::Kept { looked_at: 1 });
        assert_eq!(judged("available", 0), Ruling::Kept { looked_at: 0 });
        assert_eq!(judged("available", 1).violations().len(), 1);
        assert_eq!(judged("completed", 0).violations().len(), 1);
    }
}
