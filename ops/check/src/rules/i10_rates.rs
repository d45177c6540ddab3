//! I10, the rates: no more starts in any stretch of time than the burst and the rate allow.
//!
//! Starts are counted by the database's clock, which decides them; a step of that clock begins a new count, and calls during the step
//! are left out. A bucket that leaks at the rate and overflows past the burst is the same question asked in one pass.

use std::collections::BTreeMap;

use fleet_queue::TenantId;
use fleet_queue::history::Change;
use fleet_queue::limits::LimitRule;

use super::NO_CLOCK;
use super::changes::{InForce, in_force};
use super::i10_limits::applies;
use crate::evidence::{ClaimStory, Evidence};
use crate::verdict::{Ruling, Violation};

/// The bucket is a floating-point number, here and in the database.
const ROUNDING: f64 = 0.01;

/// Starts that share a bucket: the tenant's own, where the rule has it so, since the last step of the clock.
type Bucket = (Option<TenantId>, usize);

pub(super) fn check(evidence: &Evidence) -> Ruling {
    if !evidence.one_clock {
        return NO_CLOCK;
    }
    let rules = in_force(evidence, |change| match change {
        Change::Limit(rule) if rule.rate.is_some() => Some(rule.clone()),
        _ => None,
    });
    let steps = evidence.faults("clock step");
    let (mut looked_at, mut broken) = (0, Vec::new());
    for (rule, while_in_force) in rules {
        let buckets = starts(evidence, &rule, &while_in_force, &steps);
        looked_at += buckets.values().map(Vec::len).sum::<usize>();
        broken.extend(
            buckets
                .into_values()
                .filter_map(|starts| overflows(evidence, &rule, starts)),
        );
    }
    Ruling::of(looked_at, broken)
}

fn starts<'a>(
    evidence: &'a Evidence,
    rule: &LimitRule,
    while_in_force: &InForce,
    steps: &[(u64, u64)],
) -> BTreeMap<Bucket, Vec<&'a ClaimStory>> {
    let mut buckets: BTreeMap<Bucket, Vec<&ClaimStory>> = BTreeMap::new();
    for claim in &evidence.claims {
        let counts = applies(rule, claim) && evidence.stood(claim);
        if !counts || !while_in_force.covers(evidence, claim) {
            continue;
        }
        let asked = evidence.at(claim.asked.unwrap_or(claim.answered));
        let answered = evidence.at(claim.answered);
        if steps
            .iter()
            .all(|(from, to)| answered < *from || asked > *to)
        {
            let steps_before = steps.iter().filter(|(_, to)| asked > *to).count();
            let tenant = rule.per_tenant.then_some(claim.job.tenant);
            buckets
                .entry((tenant, steps_before))
                .or_default()
                .push(claim);
        }
    }
    buckets
}

fn overflows(
    evidence: &Evidence,
    rule: &LimitRule,
    mut starts: Vec<&ClaimStory>,
) -> Option<Violation> {
    let (rate, burst) = (rule.rate?, f64::from(rule.burst?));
    starts.sort_by_key(|claim| claim.job.started_at);
    let (mut level, mut last) = (0.0, starts.first()?.job.started_at);
    for (n, claim) in starts.iter().enumerate() {
        let now = claim.job.started_at;
        let passed = (now - last).as_seconds_f64();
        level = f64::max(0.0, level - rate * passed) + 1.0;
        last = now;
        if level > burst + ROUNDING {
            let said = format!(
                "limit \"{}\" allows {rate} starts a second and {burst} at once; {level:.2} were open when job {} started",
                rule.name, claim.held.job
            );
            let before = starts[n.saturating_sub(burst as usize)..=n].iter().take(20);
            let lines = before.map(|claim| &evidence.entries[claim.answered]);
            let shown: Vec<&dyn std::fmt::Display> = lines.map(|entry| entry as _).collect();
            return Some(Violation::new(said, &shown));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::story::Story;

    fn ten_a_second() -> Change {
        Change::Limit(LimitRule {
            name: "slow".to_owned(),
            rate: Some(10.0),
            burst: Some(2),
            ..LimitRule::default()
        })
    }

    /// Starts so many milliseconds apart.
    fn judged(waits_ms: &[u64]) -> Ruling {
        let mut story = Story::default();
        story.change(&ten_a_second());
        for (n, wait) in (1_u32..).zip(waits_ms) {
            story
                .wait(*wait)
                .claim(1, n.into(), n.into())
                .settle(1, n.into(), true);
        }
        check(&story.evidence())
    }

    #[test]
    fn a_burst_and_then_the_rate_are_lawful() {
        assert_eq!(
            judged(&[0, 0, 100, 100, 100]),
            Ruling::Kept { looked_at: 5 }
        );
    }

    #[test]
    fn a_start_before_its_time_is_caught() {
        let ruling = judged(&[0, 0, 100, 20]);
        assert!(
            ruling.violations()[0].said.contains("10 starts a second"),
            "{ruling:?}"
        );
    }

    #[test]
    fn a_step_of_the_clock_begins_a_new_count() {
        let mut story = Story::default();
        story.change(&ten_a_second());
        story
            .claim(1, 1, 1)
            .settle(1, 1, true)
            .claim(1, 2, 2)
            .settle(1, 2, true);
        story.fault("clock step").claim(1, 3, 3).settle(1, 3, true);
        assert_eq!(check(&story.evidence()), Ruling::Kept { looked_at: 3 });
    }
}
