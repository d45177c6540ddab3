//! Harm to PostgreSQL: killed, restarted, its disk filled, its clock stepped. One at a time, for the checker asks when the server was away.

use std::time::Duration;

use fleet_queue::history::Event;
use tokio::time::Instant;

use super::{Doing, Fault, Harm, Stage, Undo};
use crate::error::CampaignError;
use crate::portal::Portal;

impl Harm {
    pub(super) async fn harm_server(&mut self, fault: Fault, stage: &Stage<'_>) {
        let busy = self.is_doing(&Undo::ServerAnswers) || self.is_doing(&Undo::ClearDisk);
        if busy || !stage.server.answers().await {
            return;
        }
        let disk = stage.server.disk.as_ref().ok();
        let (name, lasts, undo) = match (fault, disk) {
            (Fault::KillServer, _) => ("postgres killed", 0, Undo::ServerAnswers),
            (Fault::RestartServer, _) => ("postgres restarted", 0, Undo::ServerAnswers),
            (_, Some(_)) => ("postgres disk full", 4_000, Undo::ClearDisk),
            (_, None) => return,
        };
        let doing = Doing {
            name: name.to_owned(),
            target: "postgres".to_owned(),
            until: Instant::now() + Duration::from_millis(lasts),
            undo,
        };
        self.begin(stage.portal, doing);
        match (fault, disk) {
            (Fault::KillServer, _) => stage.server.kill(),
            (Fault::RestartServer, _) => stage.server.restart(),
            (_, Some(disk)) => disk.fill(),
            (_, None) => {}
        }
    }

    pub(super) async fn step_clock(&mut self, stage: &Stage<'_>) -> Result<(), CampaignError> {
        if !stage.server.answers().await {
            return Ok(());
        }
        // Back by less than forward: what waits for a time waits that much longer.
        let seconds = self
            .picks
            .weighted(&[(4, 5), (3, 60), (1, 3_600), (3, -5), (3, -45)]);
        note_step(stage.portal, seconds, false);
        stage.server.clock.step(seconds);
        if let Err(error) = stage.server.set_clock().await {
            tracing::debug!(%error, "the clock was not stepped");
            stage.server.clock.step(-seconds);
            note_step(stage.portal, seconds, true);
            return Ok(());
        }
        // A session takes the new offset with its next statement; one that is in the middle of one, after it.
        tokio::time::sleep(Duration::from_millis(300)).await;
        note_step(stage.portal, seconds, true);
        let way = if seconds > 0 { "forward" } else { "back" };
        *self.done.entry(format!("clock stepped {way}")).or_default() += 1;
        Ok(())
    }
}

/// Under one name, forward or back: the checker asks when the clock was stepped, and not how.
fn note_step(portal: &Portal, seconds: i64, over: bool) {
    portal.history().note(|| Event::Fault {
        fault: "clock step".to_owned(),
        target: format!("{seconds:+} s"),
        over,
    });
}
