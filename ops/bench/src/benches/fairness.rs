//! Fairness: one tenant sends a job now and then; alone, and while another tenant has a backlog that keeps the worker busy all along.

use super::{Size, target};
use crate::contest::{Contest, Entrant};
use crate::figure::Figure;
use crate::parts::{Part, PickUp};
use crate::setting::{Setting, Stock};
use crate::target::Bound;

/// Milliseconds between two jobs.
const EVERY_MS: u64 = 250;

pub(super) fn contest(size: Size) -> Contest {
    let jobs = size.jobs_or(100);
    let part = Part::PickUp(PickUp {
        every_ms: EVERY_MS,
        beside: 0,
    });
    let backlog = Setting::Stocked(Stock {
        ready: size.stock,
        scheduled: 0,
        ended: 0,
        tenants: 1,
    });
    let what = "start beside another tenant's backlog, of being alone, p99";
    Contest {
        entrants: vec![
            Entrant::ours("beside a backlog", part, backlog, jobs),
            Entrant::ours("alone", part, Setting::Schema, jobs),
        ],
        shown: &[Figure::StartMsP50, Figure::StartMsP99],
        targets: vec![target(what, Figure::StartMsP99, 0, 1, Bound::AtMost(2.0))],
    }
}
