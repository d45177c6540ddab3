//! Latency: from before a job is sent to the start of its handler, beside the least that insert, wake and take can be.

use super::{Size, target};
use crate::contest::{Contest, Entrant};
use crate::figure::Figure;
use crate::parts::{Part, PickUp};
use crate::setting::Setting;
use crate::target::{Bound, Target};

/// Milliseconds between two jobs.
const EVERY_MS: u64 = 20;
/// Other jobs a second, where the worker is busy: about half of what it can do on two cores.
const HALF_LOAD: u64 = 5_000;

pub(super) fn contest(size: Size) -> Contest {
    let jobs = size.jobs_or(500);
    let how = |beside| PickUp {
        every_ms: EVERY_MS,
        beside,
    };
    let entrant = |name, part| Entrant::ours(name, part, Setting::Schema, jobs);
    let [idle, busy] = [how(0), how(HALF_LOAD)];
    Contest {
        entrants: vec![
            entrant("fleet, idle", Part::PickUp(idle)),
            entrant("bare, idle", Part::PlainPickUp(idle)),
            entrant("fleet, busy", Part::PickUp(busy)),
            entrant("bare, busy", Part::PlainPickUp(busy)),
        ],
        shown: &[Figure::StartMsP50, Figure::StartMsP99],
        targets: [targets(0), targets(2)].concat(),
    }
}

fn targets(of: usize) -> Vec<Target> {
    let [middle, late] = if of == 0 {
        [
            "start on an idle worker, p50",
            "start on an idle worker, p99",
        ]
    } else {
        ["start on a busy worker, p50", "start on a busy worker, p99"]
    };
    vec![
        target(middle, Figure::StartMsP50, of, of + 1, Bound::AtMost(1.5)),
        target(late, Figure::StartMsP99, of, of + 1, Bound::AtMost(2.0)),
    ]
}
