//! I5: no two jobs with one unique key live at the same time.
//!
//! A job surely lives from the line that acknowledged it to the last line that shows it alive: a claim of it, or the moment before
//! its end was sent. Two such spans of one key that overlap break the promise. Keys that hold until the start, or for a window of
//! time, are not looked at: no line shows the moment they are freed.

use std::collections::BTreeMap;

use fleet_queue::{JobId, TenantId};

use super::NO_CLOCK;
use crate::evidence::Evidence;
use crate::verdict::{Ruling, Violation};

/// From when to when a job surely lived.
struct Life {
    job: JobId,
    from: u64,
    to: u64,
    line: usize,
}

pub(super) fn check(evidence: &Evidence) -> Ruling {
    if !evidence.one_clock {
        return NO_CLOCK;
    }
    let mut lives: BTreeMap<(TenantId, &str), Vec<Life>> = BTreeMap::new();
    for (job, (line, made)) in &evidence.enqueued {
        if let Some(key) = &made.unique_key {
            let life = lived(evidence, *job, *line);
            lives.entry((made.tenant, key)).or_default().push(life);
        }
    }
    let looked_at = lives.values().map(Vec::len).sum();
    let mut broken = Vec::new();
    for ((_, key), mut lives) in lives {
        lives.sort_by_key(|life| life.from);
        for pair in lives.windows(2).filter(|pair| pair[1].from < pair[0].to) {
            let said = format!(
                "jobs {} and {} lived at the same time with the unique key \"{key}\"",
                pair[0].job, pair[1].job
            );
            let shown = [pair[0].line, pair[1].line].map(|n| &evidence.entries[n]);
            broken.push(Violation::new(said, &[shown[0], shown[1]]));
        }
    }
    Ruling::of(looked_at, broken)
}

fn lived(evidence: &Evidence, job: JobId, line: usize) -> Life {
    let from = evidence.at(line);
    let claims = evidence.by_job.get(&job).into_iter().flatten();
    let shown = claims
        .map(|&n| &evidence.claims[n])
        .filter_map(|claim| evidence.given_up(claim).map(|n| evidence.at(n)));
    let to = match evidence.fact(job) {
        Some(fact) if fact.live => u64::MAX,
        _ => shown.max().unwrap_or(from),
    };
    Life {
        job,
        from,
        to,
        line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::story::Story;

    #[test]
    fn a_key_passes_on_only_after_the_end() {
        let mut story = Story::default();
        story
            .enqueue_unique(7, "k")
            .claim(1, 1, 7)
            .settle(1, 7, true);
        story
            .enqueue_unique(8, "k")
            .claim(1, 2, 8)
            .settle(1, 8, true);
        assert_eq!(check(&story.evidence()), Ruling::Kept { looked_at: 2 });
    }

    #[test]
    fn two_lives_with_one_key_are_caught() {
        let mut story = Story::default();
        story.enqueue_unique(7, "k").claim(1, 1, 7);
        story.enqueue_unique(8, "k").settle(1, 7, true);
        let broken = check(&story.evidence());
        assert!(
            broken.violations()[0].said.contains("unique key \"k\""),
            "{broken:?}"
        );
    }
}
