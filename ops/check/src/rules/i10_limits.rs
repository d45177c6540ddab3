//! I10, the numbers: jobs running at once under a cap, or with a concurrency key, at any moment.
//!
//! A job surely runs from the answer of its claim to the moment before its result is sent; what ran in truth ran longer. Under a rule
//! only claims count that were asked for after the rule was acknowledged and answered before its next change began, so each of them
//! was let through by it. If more of those spans cross one moment than the cap allows, it was exceeded.

use std::collections::BTreeMap;

use fleet_queue::TenantId;
use fleet_queue::history::Change;
use fleet_queue::limits::LimitRule;

use super::NO_CLOCK;
use super::changes::{InForce, in_force};
use crate::evidence::{ClaimStory, Evidence};
use crate::verdict::{Ruling, Violation};

/// A span in which a claim surely ran.
struct Span<'a> {
    from: u64,
    to: u64,
    claim: &'a ClaimStory,
}

pub(super) fn check(evidence: &Evidence) -> Ruling {
    if !evidence.one_clock {
        return NO_CLOCK;
    }
    let spans: Vec<Span<'_>> = evidence
        .claims
        .iter()
        .filter_map(|claim| span(evidence, claim))
        .collect();
    let mut broken = caps(evidence, &spans);
    broken.extend(keys(evidence, &spans));
    Ruling::of(spans.len(), broken)
}

fn span<'a>(evidence: &Evidence, claim: &'a ClaimStory) -> Option<Span<'a>> {
    let (from, to) = evidence.surely_ran(claim)?;
    Some(Span { from, to, claim })
}

fn caps(evidence: &Evidence, spans: &[Span<'_>]) -> Vec<Violation> {
    let mut broken = Vec::new();
    for (rule, while_in_force) in in_force(evidence, |change| match change {
        Change::Limit(rule) if rule.cap.is_some() => Some(rule.clone()),
        _ => None,
    }) {
        let counted = spans
            .iter()
            .filter(|span| counts(evidence, span, &rule, &while_in_force));
        let mut of: BTreeMap<Option<TenantId>, Vec<&Span<'_>>> = BTreeMap::new();
        for span in counted {
            let tenant = rule.per_tenant.then_some(span.claim.job.tenant);
            of.entry(tenant).or_default().push(span);
        }
        let cap = rule.cap.unwrap_or(i32::MAX).unsigned_abs() as usize;
        for (tenant, spans) in of {
            let whose = tenant.map_or_else(String::new, |tenant| format!(" for tenant {tenant}"));
            let named = format!("limit \"{}\" allows {cap}{whose}", rule.name);
            broken.extend(exceeded(evidence, &spans, cap, &named));
        }
    }
    broken
}

fn counts(
    evidence: &Evidence,
    span: &Span<'_>,
    rule: &LimitRule,
    while_in_force: &InForce,
) -> bool {
    applies(rule, span.claim) && while_in_force.covers(evidence, span.claim)
}

/// True where the rule selects the job.
pub(super) fn applies(rule: &LimitRule, claim: &ClaimStory) -> bool {
    let job = &claim.job;
    rule.queue.as_ref().is_none_or(|queue| *queue == job.queue)
        && rule.kind.as_ref().is_none_or(|kind| *kind == job.kind)
        && rule.tenant_id.is_none_or(|tenant| tenant == job.tenant.0)
}

fn keys(evidence: &Evidence, spans: &[Span<'_>]) -> Vec<Violation> {
    let mut of: BTreeMap<(TenantId, &str), (i16, Vec<&Span<'_>>)> = BTreeMap::new();
    for span in spans {
        if let Some((_, made)) = evidence.enqueued.get(&span.claim.held.job)
            && let Some((key, limit)) = &made.concurrency
        {
            let with_key = of.entry((made.tenant, key)).or_default();
            // Jobs may name different limits for one key; the widest is what surely holds.
            with_key.0 = with_key.0.max(*limit);
            with_key.1.push(span);
        }
    }
    let mut broken = Vec::new();
    for ((_, key), (limit, spans)) in of {
        let named = format!("concurrency key \"{key}\" allows {limit}");
        broken.extend(exceeded(
            evidence,
            &spans,
            limit.unsigned_abs().into(),
            &named,
        ));
    }
    broken
}

/// The first moment that too many spans cross.
fn exceeded(
    evidence: &Evidence,
    spans: &[&Span<'_>],
    cap: usize,
    named: &str,
) -> Option<Violation> {
    let mut by_start: Vec<&Span<'_>> = spans.to_vec();
    by_start.sort_by_key(|span| span.from);
    let mut running: Vec<&Span<'_>> = Vec::new();
    for span in by_start {
        running.retain(|other| other.to > span.from);
        running.push(span);
        if running.len() > cap {
            let said = format!("{} jobs ran at once, where {named}", running.len());
            let claims = running
                .iter()
                .take(20)
                .map(|span| &evidence.entries[span.claim.answered]);
            let shown: Vec<&dyn std::fmt::Display> = claims.map(|entry| entry as _).collect();
            return Some(Violation::new(said, &shown));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::story::{Story, cap, ended, id};

    #[test]
    fn a_cap_is_exceeded_by_one_claim_too_many() {
        let mut story = Story::default();
        story.change(&Change::Limit(cap(1)));
        story
            .claim(1, 1, 7)
            .settle(1, 7, true)
            .claim(2, 2, 8)
            .settle(2, 8, true);
        assert_eq!(check(&story.evidence()), Ruling::Kept { looked_at: 2 });
        story
            .claim(1, 3, 9)
            .claim(2, 4, 10)
            .settle(1, 9, true)
            .settle(2, 10, true);
        let ruling = check(&story.evidence());
        let said = &ruling.violations()[0].said;
        assert!(
            said.starts_with("2 jobs ran at once, where limit \"all\" allows 1"),
            "{said}"
        );
    }

    #[test]
    fn a_claim_that_never_stood_does_not_count() {
        let mut story = Story::default();
        story.change(&Change::Limit(cap(1)));
        story
            .claim(1, 1, 7)
            .claim(2, 2, 8)
            .settle(1, 7, false)
            .settle(2, 8, true);
        assert_eq!(check(&story.evidence()), Ruling::Kept { looked_at: 1 });
    }

    #[test]
    fn a_claim_that_a_rescue_ended_does_not_count_until_its_holder_wakes() {
        let mut story = Story::default();
        story.change(&Change::Limit(cap(1)));
        story.claim(1, 1, 7).rescue(1).claim(2, 2, 8);
        story.settle(1, 7, false).settle(2, 8, true);
        let row_of_the_first = |state: &str| {
            let mut tables = ended(&[7]);
            tables.jobs[0].state = state.to_owned();
            tables.jobs[0].worker = Some(id(1));
            tables.jobs[0].claim_no = 1;
            tables
        };
        let discarded = story.evidence_with(row_of_the_first("discarded"));
        assert_eq!(check(&discarded), Ruling::Kept { looked_at: 1 });
        let completed = story.evidence_with(row_of_the_first("completed"));
        assert_eq!(check(&completed).violations().len(), 1);
    }

    #[test]
    fn what_was_claimed_before_the_rule_does_not_count() {
        let mut story = Story::default();
        story.claim(1, 1, 7).change(&Change::Limit(cap(1)));
        story.claim(2, 2, 8).settle(1, 7, true).settle(2, 8, true);
        assert_eq!(check(&story.evidence()), Ruling::Kept { looked_at: 2 });
    }

    #[test]
    fn a_concurrency_key_is_a_cap_too() {
        let mut story = Story::default();
        story.enqueue_with_key(7, "k").enqueue_with_key(8, "k");
        story
            .claim(1, 1, 7)
            .claim(2, 2, 8)
            .settle(1, 7, true)
            .settle(2, 8, true);
        let ruling = check(&story.evidence());
        assert!(
            ruling.violations()[0]
                .said
                .contains("concurrency key \"k\" allows 1"),
            "{ruling:?}"
        );
    }
}
