//! One rule an invariant: a pure function of the evidence. What each can see, and what it cannot, is said at its head.

mod changes;
mod i10_limits;
mod i10_pauses;
mod i10_rates;
mod i11_once;
mod i1_fence;
mod i2_claims;
mod i3_nothing_lost;
mod i4_bounds;
mod i5_unique;
mod i6_together;
mod i7_ticks;
mod i8_duties;
mod i9_batches;

use crate::evidence::Evidence;
use crate::verdict::{Finding, Ruling, Verdict};

type Rule = fn(&Evidence) -> Ruling;

const RULES: [(&str, &str, Rule); 13] = [
    (
        "I1",
        "only the holder of the current claim settles",
        i1_fence::check,
    ),
    (
        "I2",
        "a running job has one holder, whose claim no other ever had",
        i2_claims::check,
    ),
    (
        "I3",
        "a committed enqueue is never lost",
        i3_nothing_lost::check,
    ),
    (
        "I4",
        "attempts and crashes are bounded, and counted apart",
        i4_bounds::check,
    ),
    ("I5", "one live job a unique key", i5_unique::check),
    (
        "I6",
        "an effect and its completion commit together",
        i6_together::check,
    ),
    (
        "I7",
        "one job a schedule tick, and none left out",
        i7_ticks::check,
    ),
    (
        "I8",
        "every duty is safe when two do it at once",
        i8_duties::check,
    ),
    (
        "I9",
        "a claim gets no more than it asked for",
        i9_batches::check,
    ),
    (
        "I10",
        "caps and concurrency keys are never exceeded",
        i10_limits::check,
    ),
    ("I10", "rates are never exceeded", i10_rates::check),
    ("I10", "nothing paused is claimed", i10_pauses::check),
    (
        "I11",
        "nothing is done twice, and no recorded end is lost",
        i11_once::check,
    ),
];

/// Holds the evidence against every invariant.
#[must_use]
pub fn check(evidence: &Evidence) -> Verdict {
    let finding = |(invariant, promise, rule): &(&'static str, &'static str, Rule)| Finding {
        invariant,
        promise,
        ruling: rule(evidence),
    };
    Verdict {
        findings: RULES.iter().map(finding).collect(),
    }
}

/// What a rule that needs the database's tables says without them.
const NO_TABLES: Ruling = Ruling::Unseen {
    why: "only the database's tables show it: name the database",
};

/// What a rule that compares times says of histories that share no clock.
const NO_CLOCK: Ruling = Ruling::Unseen {
    why: "the histories are of several machines, or boots, whose times cannot be compared",
};
