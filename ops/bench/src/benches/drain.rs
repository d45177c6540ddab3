//! Drain: jobs that do nothing wait already; one worker process runs them all, with history, fencing and fairness on.

use std::ops::Range;

use super::{Size, target};
use crate::contest::{Contest, Entrant};
use crate::figure::Figure;
use crate::parts::{Part, Until};
use crate::player::Program;
use crate::setting::{Jobs, Setting};
use crate::target::{Bound, Target};

/// Jobs in a call of the bare loop: above it nothing more is won.
pub(super) const BARE_BATCH: usize = 1_000;
const PEERS: [&str; 2] = ["graphile_worker", "apalis-postgres"];
const FLEET: usize = 0;
const BARE: usize = 1;

pub(super) fn contest(size: Size) -> Contest {
    let jobs = size.jobs_or(100_000);
    let waiting = Setting::Waiting(Jobs::PLAIN);
    let worker = Part::Worker {
        concurrency: size.concurrency,
        until: Until::Drained,
    };
    let bare = Part::Bare {
        batch: BARE_BATCH,
        all: true,
    };
    let mut entrants = vec![
        Entrant::ours("fleet", worker, waiting, jobs),
        Entrant::ours("bare loop", bare, waiting, jobs),
    ];
    let what = "drain, of a bare loop over the same statements";
    let least = Bound::AtLeast(0.55);
    let mut targets = vec![target(what, Figure::JobsPerSecond, FLEET, BARE, least)];
    if size.peers {
        entrants.extend(PEERS.map(|name| peer(name, jobs)));
        targets.extend(against_peers(BARE + 1..entrants.len()));
    }
    Contest {
        entrants,
        shown: Figure::SPEED,
        targets,
    }
}

fn peer(name: &'static str, jobs: u64) -> Entrant {
    Entrant {
        name,
        program: Program::Peer(name),
        processes: 1,
        setting: Setting::Peer,
        jobs,
    }
}

fn against_peers(peers: Range<usize>) -> [Target; 2] {
    let target = |what, figure, bound| Target {
        what,
        figure,
        of: FLEET,
        against: peers.clone().collect(),
        bound,
    };
    let (speed, cpu) = (Figure::JobsPerSecond, Figure::CpuUsPerJob);
    [
        target("drain, of the best peer", speed, Bound::AtLeast(1.5)),
        target(
            "drain's processor time a job, of the best peer's",
            cpu,
            Bound::AtMost(0.75),
        ),
    ]
}
