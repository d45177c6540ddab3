//! When a limit or a pause was surely in force: from the line that acknowledged it to the line before its next change.

use fleet_queue::history::{Change, Event};

use crate::evidence::{ClaimStory, Evidence};

/// A time in which something was surely in force.
#[derive(Clone, Copy, Debug)]
pub(super) struct InForce {
    pub(super) from: u64,
    pub(super) to: u64,
    /// The line that acknowledged it.
    pub(super) line: usize,
}

impl InForce {
    /// True where the whole claim call lies within.
    pub(super) fn covers(&self, evidence: &Evidence, claim: &ClaimStory) -> bool {
        let asked = claim.asked.map(|n| evidence.at(n));
        asked.is_some_and(|at| at >= self.from) && evidence.at(claim.answered) <= self.to
    }
}

/// Every change that `wanted` picks, and when it was surely in force.
pub(super) fn in_force<T>(
    evidence: &Evidence,
    wanted: impl Fn(&Change) -> Option<T>,
) -> Vec<(T, InForce)> {
    let mut found = Vec::new();
    for (line, entry) in evidence.entries.iter().enumerate() {
        if let Event::Changed { change } = &entry.event
            && let Some(it) = wanted(change)
        {
            let later = evidence.entries[line..].iter();
            let next = later.filter(|later| changes_the_same(&later.event, change));
            let to = next.map(|later| later.at).next().unwrap_or(u64::MAX);
            let from = entry.at;
            found.push((it, InForce { from, to, line }));
        }
    }
    found
}

fn changes_the_same(event: &Event, as_this: &Change) -> bool {
    matches!(event, Event::Changing { change } if of(change) == of(as_this))
}

/// What a change is about.
fn of(change: &Change) -> (&str, &str) {
    match change {
        Change::Limit(rule) => ("limit", &rule.name),
        Change::NoLimit(name) => ("limit", name),
        Change::Pause { scope, name, .. } | Change::Resume { scope, name } => {
            (scope.as_str(), name)
        }
    }
}
