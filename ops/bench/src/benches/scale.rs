//! Scale-out: jobs that sleep 20 ms, run by more and more worker processes, until the machine or PostgreSQL is full.

use super::Size;
use crate::contest::{Contest, Entrant};
use crate::figure::Figure;
use crate::parts::{Part, Until};
use crate::player::Program;
use crate::setting::{Jobs, Setting};

const JOBS: Jobs = Jobs {
    tenants: 10,
    ms: 20,
};

pub(super) fn contest(size: Size) -> Contest {
    let jobs = size.jobs_or(40_000);
    let part = Part::Worker {
        concurrency: size.concurrency,
        until: Until::AllHave,
    };
    let workers = [
        (1, "1 worker"),
        (2, "2 workers"),
        (4, "4 workers"),
        (8, "8 workers"),
    ];
    let entrants = workers.map(|(processes, name)| Entrant {
        name,
        program: Program::Ours(part),
        processes,
        setting: Setting::Waiting(JOBS),
        jobs,
    });
    Contest {
        entrants: entrants.into(),
        shown: Figure::SPEED,
        targets: Vec::new(),
    }
}
