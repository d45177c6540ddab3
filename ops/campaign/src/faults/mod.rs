//! The harm: what can be done to whom, picked from the seed, and undone when its time is over.
//!
//! Every fault is noted in the campaign's history when it begins and when it is over; the checker and the rescue times need both.

mod lines;
mod processes;
mod queues;
mod server;
mod undo;

use std::collections::BTreeMap;
use std::time::Duration;

use fleet_queue::history::Event;
use tokio::time::Instant;

use crate::crew::{Crew, Role};
use crate::error::CampaignError;
use crate::picks::Picks;
use crate::portal::Portal;
use crate::server::Server;

/// What can be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    Kill(Role),
    Stop(Role),
    Deploy(Role),
    Cut(Role),
    Stall(Role),
    Slow(Role),
    CutAll,
    KillServer,
    RestartServer,
    FillDisk,
    StepClock,
    Pause,
}

use Role::{Api, Scheduler, Worker};

const FAULTS: [(u32, Fault); 24] = [
    (14, Fault::Kill(Worker)),
    (4, Fault::Kill(Scheduler)),
    (3, Fault::Kill(Api)),
    (5, Fault::Stop(Worker)),
    (2, Fault::Stop(Scheduler)),
    (1, Fault::Stop(Api)),
    (6, Fault::Deploy(Worker)),
    (2, Fault::Deploy(Scheduler)),
    (2, Fault::Deploy(Api)),
    (5, Fault::Cut(Worker)),
    (2, Fault::Cut(Scheduler)),
    (2, Fault::Cut(Api)),
    (5, Fault::Stall(Worker)),
    (2, Fault::Stall(Scheduler)),
    (2, Fault::Stall(Api)),
    (4, Fault::Slow(Worker)),
    (1, Fault::Slow(Scheduler)),
    (1, Fault::Slow(Api)),
    (2, Fault::CutAll),
    (3, Fault::KillServer),
    (3, Fault::RestartServer),
    (2, Fault::FillDisk),
    (2, Fault::StepClock),
    (4, Fault::Pause),
];

/// Harm that is still being done.
struct Doing {
    name: String,
    target: String,
    until: Instant,
    undo: Undo,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Undo {
    Continue(usize),
    Open(usize),
    OpenAll,
    Resume(&'static str),
    /// Over when the server answers again.
    ServerAnswers,
    ClearDisk,
}

/// Whoever does the harm.
pub(crate) struct Harm {
    picks: Picks,
    doing: Vec<Doing>,
    /// How often each was done.
    pub(crate) done: BTreeMap<String, u64>,
}

/// All that can be harmed.
pub(crate) struct Stage<'a> {
    pub(crate) crew: &'a mut Crew,
    pub(crate) server: &'a Server,
    pub(crate) portal: &'a Portal,
}

impl Harm {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            picks: Picks::of(seed, 1),
            doing: Vec::new(),
            done: BTreeMap::new(),
        }
    }

    /// How long until the next.
    pub(crate) fn pause(&mut self) -> Duration {
        self.picks.between(300, 2_500)
    }

    /// What is going on, in a few words.
    pub(crate) fn words(&self) -> String {
        let names = self.doing.iter().map(|doing| doing.name.as_str());
        names.collect::<Vec<_>>().join(", ")
    }

    /// Does the next harm; one that cannot be done now is left out.
    pub(crate) async fn inflict(&mut self, stage: &mut Stage<'_>) -> Result<(), CampaignError> {
        let fault = self.picks.weighted(&FAULTS);
        match fault {
            Fault::Kill(role) | Fault::Stop(role) | Fault::Deploy(role) => {
                self.signal(fault, role, stage);
            }
            Fault::Cut(role) | Fault::Stall(role) | Fault::Slow(role) => {
                self.trouble_line(fault, role, stage);
            }
            Fault::CutAll => self.cut_all(stage),
            Fault::KillServer | Fault::RestartServer | Fault::FillDisk => {
                self.harm_server(fault, stage).await;
            }
            Fault::StepClock => self.step_clock(stage).await?,
            Fault::Pause => self.pause_queue(stage).await,
        }
        Ok(())
    }

    fn begin(&mut self, portal: &Portal, doing: Doing) {
        *self.done.entry(doing.name.clone()).or_default() += 1;
        note(portal, &doing, false);
        self.doing.push(doing);
    }

    fn is_doing(&self, undo: &Undo) -> bool {
        self.doing.iter().any(|doing| doing.undo == *undo)
    }

    /// Undoes what is over; all of it where the campaign ends.
    pub(crate) async fn undo(&mut self, stage: &mut Stage<'_>, all: bool) {
        let mut left = Vec::new();
        for doing in std::mem::take(&mut self.doing) {
            let due = all || doing.until <= Instant::now();
            let api = self.picks.below(64);
            if due && undo::undone(&doing, stage, api).await {
                note(stage.portal, &doing, true);
            } else {
                left.push(doing);
            }
        }
        self.doing = left;
    }

    /// True once nothing is being done any more.
    pub(crate) fn is_over(&self) -> bool {
        self.doing.is_empty()
    }
}

fn note(portal: &Portal, doing: &Doing, over: bool) {
    portal.history().note(|| Event::Fault {
        fault: doing.name.clone(),
        target: doing.target.clone(),
        over,
    });
}
