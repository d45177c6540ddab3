//! I9: no claim call gets more than it asked for. The other bounds (payloads, logs, depths) are refused at the door and leave no line.

use std::collections::HashMap;

use fleet_queue::WorkerId;
use fleet_queue::history::Event;

use crate::evidence::Evidence;
use crate::read::Entry;
use crate::verdict::{Ruling, Violation};

pub(super) fn check(evidence: &Evidence) -> Ruling {
    let mut asked: HashMap<(WorkerId, i64), (usize, &Entry)> = HashMap::new();
    let (mut looked_at, mut broken) = (0, Vec::new());
    for entry in &evidence.entries {
        match &entry.event {
            Event::Claiming {
                worker,
                token,
                limit,
                ..
            } => {
                asked.insert((*worker, *token), (*limit, entry));
            }
            Event::Claimed {
                worker,
                token,
                jobs,
            } => {
                looked_at += 1;
                if let Some((limit, call)) = asked.get(&(*worker, *token))
                    && jobs.len() > *limit
                {
                    let said = format!("a claim of at most {limit} jobs got {}", jobs.len());
                    broken.push(Violation::new(said, &[*call, entry]));
                }
            }
            _ => {}
        }
    }
    Ruling::of(looked_at, broken)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::story::Story;

    #[test]
    fn a_claim_of_one_may_bring_one() {
        let mut story = Story::default();
        story.claim(1, 1, 7);
        assert_eq!(check(&story.evidence()), Ruling::Kept { looked_at: 1 });
        story.claim_many(1, 2, &[8, 9], 1);
        assert!(
            check(&story.evidence()).violations()[0]
                .said
                .contains("at most 1 jobs got 2")
        );
    }
}
