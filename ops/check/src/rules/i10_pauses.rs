//! I10, pauses: nothing of what is paused is claimed.
//!
//! Looks at claim calls that lie wholly between the acknowledged pause and the moment before it is lifted. Pauses that lift themselves
//! are not looked at.

use fleet_queue::history::Change;
use fleet_queue::transitions::pause::PauseScope;

use super::NO_CLOCK;
use super::changes::in_force;
use crate::evidence::{ClaimStory, Evidence};
use crate::verdict::{Ruling, Violation};

pub(super) fn check(evidence: &Evidence) -> Ruling {
    if !evidence.one_clock {
        return NO_CLOCK;
    }
    let pauses = in_force(evidence, |change| match change {
        Change::Pause {
            scope,
            name,
            until: None,
        } => Some((*scope, name.clone())),
        _ => None,
    });
    let looked_at = pauses.len();
    let mut broken = Vec::new();
    for ((scope, name), pause) in pauses {
        let of_it = evidence
            .claims
            .iter()
            .filter(|claim| concerns(claim, scope, &name));
        for claim in of_it.filter(|claim| pause.covers(evidence, claim)) {
            let said = format!(
                "job {} was claimed while {} {name} was paused",
                claim.held.job,
                scope.as_str()
            );
            let shown = [pause.line, claim.answered].map(|n| &evidence.entries[n]);
            broken.push(Violation::new(said, &[shown[0], shown[1]]));
        }
    }
    Ruling::of(looked_at, broken)
}

fn concerns(claim: &ClaimStory, scope: PauseScope, name: &str) -> bool {
    match scope {
        PauseScope::Queue => claim.job.queue == name,
        PauseScope::Kind => claim.job.kind == name,
        PauseScope::Tenant => claim.job.tenant.to_string() == name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::story::Story;

    fn pause() -> Change {
        Change::Pause {
            scope: PauseScope::Queue,
            name: "default".to_owned(),
            until: None,
        }
    }

    fn resume() -> Change {
        Change::Resume {
            scope: PauseScope::Queue,
            name: "default".to_owned(),
        }
    }

    #[test]
    fn claims_before_and_after_a_pause_are_lawful() {
        let mut story = Story::default();
        story
            .claim(1, 1, 7)
            .change(&pause())
            .change(&resume())
            .claim(1, 2, 8);
        assert_eq!(check(&story.evidence()), Ruling::Kept { looked_at: 1 });
    }

    #[test]
    fn a_claim_of_what_is_paused_is_caught() {
        let mut story = Story::default();
        story.change(&pause()).claim(1, 1, 7).change(&resume());
        let ruling = check(&story.evidence());
        assert!(
            ruling.violations()[0]
                .said
                .contains("while queue default was paused"),
            "{ruling:?}"
        );
    }
}
