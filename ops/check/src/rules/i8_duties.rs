//! I8: what a duty does, it does once, however many schedulers are at it: every dead worker is ended once, every event counted once.

use fleet_queue::history::Event;

use super::NO_TABLES;
use crate::evidence::Evidence;
use crate::verdict::{Ruling, Violation};

pub(super) fn check(evidence: &Evidence) -> Ruling {
    let Some(facts) = &evidence.facts else {
        return NO_TABLES;
    };
    let mut broken = Vec::new();
    let rescued = evidence
        .entries
        .iter()
        .filter_map(|entry| match entry.event {
            Event::Rescued { workers, .. } => Some(workers),
            _ => None,
        });
    let rescued: usize = rescued.sum();
    if rescued > facts.dead_workers {
        let said = format!(
            "schedulers ended {rescued} dead workers, and the database knows of {}",
            facts.dead_workers
        );
        broken.push(Violation::new(said, &[]));
    }
    for (queue, counted, present) in &facts.miscounts {
        let said = format!("queue \"{queue}\" counts {counted} live jobs, and has {present}");
        broken.push(Violation::new(said, &[]));
    }
    Ruling::of(facts.dead_workers + facts.jobs.len(), broken)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Facts;
    use crate::story::Story;

    #[test]
    fn a_worker_is_ended_once() {
        let judged = |dead_workers| {
            let mut story = Story::default();
            story.rescue(1).rescue(1);
            check(&story.evidence_with(Facts {
                dead_workers,
                ..Facts::default()
            }))
        };
        assert_eq!(judged(2), Ruling::Kept { looked_at: 2 });
        assert_eq!(judged(1).violations().len(), 1);
    }

    #[test]
    fn totals_count_what_is_there() {
        let facts = Facts {
            miscounts: vec![("default".to_owned(), 3, 2)],
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
