//! Harm to connections: of one process, or of all at once.

use tokio::time::Instant;

use super::{Doing, Fault, Harm, Stage, Undo};
use crate::crew::Role;
use crate::proxy::Line;

impl Harm {
    pub(super) fn trouble_line(&mut self, fault: Fault, role: Role, stage: &mut Stage<'_>) {
        let Some(n) = self.victim(role, stage.crew) else {
            return;
        };
        let (word, line, lasts) = match fault {
            Fault::Stall(_) => (
                "line stalled",
                Line::Stalled,
                self.picks.between(1_000, 13_000),
            ),
            Fault::Slow(_) => (
                "line slowed",
                Line::Slow(self.picks.between(20, 300)),
                self.picks.between(2_000, 8_000),
            ),
            _ => ("line cut", Line::Cut, self.picks.between(200, 12_000)),
        };
        let doing = Doing {
            name: format!("{} {word}", role.name()),
            target: stage.crew.members[n].name.clone(),
            until: Instant::now() + lasts,
            undo: Undo::Open(n),
        };
        self.begin(stage.portal, doing);
        stage.crew.members[n].proxy.set(line);
    }

    pub(super) fn cut_all(&mut self, stage: &mut Stage<'_>) {
        if self.is_doing(&Undo::OpenAll) {
            return;
        }
        let doing = Doing {
            name: "every line cut".to_owned(),
            target: "everybody".to_owned(),
            until: Instant::now() + self.picks.between(1_000, 30_000),
            undo: Undo::OpenAll,
        };
        self.begin(stage.portal, doing);
        for member in &stage.crew.members {
            member.proxy.set(Line::Cut);
        }
    }
}
