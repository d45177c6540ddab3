//! Undoing harm.

use rustix::process::Signal;

use super::queues::resumed;
use super::{Doing, Stage, Undo};
use crate::proxy::Line;

/// Undoes one; false where it is to be tried again.
pub(super) async fn undone(doing: &Doing, stage: &mut Stage<'_>, api: usize) -> bool {
    match doing.undo {
        Undo::Continue(n) => {
            stage.crew.members[n].signal(Signal::CONT);
            stage.crew.members[n].harmed = false;
        }
        Undo::Open(n) => {
            stage.crew.members[n].proxy.set(Line::Open);
            stage.crew.members[n].harmed = false;
        }
        Undo::OpenAll => {
            for member in stage.crew.members.iter().filter(|member| !member.harmed) {
                member.proxy.set(Line::Open);
            }
        }
        Undo::Resume(queue) => return resumed(stage.portal, api, queue).await,
        Undo::ServerAnswers => return stage.server.answers().await,
        Undo::ClearDisk => {
            if let Ok(disk) = &stage.server.disk {
                disk.clear();
            }
            return stage.server.answers().await;
        }
    }
    true
}
