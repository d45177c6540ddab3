//! Limits: draining under caps and rates that are too wide to bind, beside none at all; and under tight ones, watched all along.

use super::{Size, target};
use crate::contest::{Contest, Entrant};
use crate::figure::Figure;
use crate::parts::{Part, Until};
use crate::setting::{Jobs, Limits, Setting};
use crate::target::{Bound, Target};

const JOBS: Jobs = Jobs { tenants: 10, ms: 0 };
/// They cost what limits cost, and hold nothing up.
const WIDE: Limits = Limits {
    cap: 100_000,
    tenant_cap: 50_000,
    rate: 1e6,
    burst: 1_000_000,
    watched: false,
};
/// Each of them binds.
const TIGHT: Limits = Limits {
    cap: 200,
    tenant_cap: 30,
    rate: 4_000.0,
    burst: 1_000,
    watched: true,
};
/// Of the jobs, so many run under tight limits: they are slow, as they should be.
const TIGHT_PART: u64 = 5;

pub(super) fn contest(size: Size) -> Contest {
    let jobs = size.jobs_or(100_000);
    let part = Part::Worker {
        concurrency: size.concurrency,
        until: Until::Drained,
    };
    let (wide, tight) = (Setting::Limited(JOBS, WIDE), Setting::Limited(JOBS, TIGHT));
    let speed = Figure::JobsPerSecond;
    Contest {
        entrants: vec![
            Entrant::ours("with limits", part, wide, jobs),
            Entrant::ours("without", part, Setting::Waiting(JOBS), jobs),
            Entrant::ours(
                "tight limits, watched",
                part,
                tight,
                (jobs / TIGHT_PART).max(1),
            ),
        ],
        shown: &[
            Figure::JobsPerSecond,
            Figure::CpuUsPerJob,
            Figure::ClientCpuUsPerJob,
            Figure::ServerCpuUsPerJob,
            Figure::WalBytesPerJob,
            Figure::CommitsPerThousand,
            Figure::OverLimit,
        ],
        targets: vec![
            target(
                "drain with limits, of none",
                speed,
                0,
                1,
                Bound::AtLeast(0.95),
            ),
            Target {
                what: "jobs over any limit, at any moment",
                figure: Figure::OverLimit,
                of: 2,
                against: Vec::new(),
                bound: Bound::AtMost(0.0),
            },
        ],
    }
}
