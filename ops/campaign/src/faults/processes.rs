//! Harm to processes: killed, stopped past their lease, told to stop and replaced.

use rustix::process::Signal;
use tokio::time::Instant;

use super::{Doing, Fault, Harm, Stage, Undo};
use crate::crew::{Crew, Role};

impl Harm {
    /// A process of the role that nobody harms yet.
    pub(super) fn victim(&mut self, role: Role, crew: &mut Crew) -> Option<usize> {
        let whole = crew.unharmed(role);
        if whole.is_empty() {
            return None;
        }
        let n = whole[self.picks.below(whole.len())];
        crew.members[n].harmed = true;
        Some(n)
    }

    pub(super) fn signal(&mut self, fault: Fault, role: Role, stage: &mut Stage<'_>) {
        let Some(n) = self.victim(role, stage.crew) else {
            return;
        };
        let pid = stage.crew.members[n].pid().unwrap_or_default();
        let (word, signal, lasts, undo) = match fault {
            Fault::Stop(_) => (
                "stopped past its lease",
                Signal::STOP,
                self.picks.between(9_000, 14_000),
                Undo::Continue(n),
            ),
            Fault::Deploy(_) => (
                "replaced",
                Signal::TERM,
                self.picks.between(1_000, 5_000),
                Undo::Open(n),
            ),
            _ => (
                "killed",
                Signal::KILL,
                self.picks.between(500, 3_000),
                Undo::Open(n),
            ),
        };
        if matches!(fault, Fault::Deploy(_)) {
            stage.crew.deploy(n);
        }
        let doing = Doing {
            name: format!("{} {word}", role.name()),
            target: pid.to_string(),
            until: Instant::now() + lasts,
            undo,
        };
        // Noted first, so that nothing it leads to stands before it.
        self.begin(stage.portal, doing);
        stage.crew.members[n].signal(signal);
    }
}
