//! Backlog: the same jobs are drained with large tables and with empty ones: what is stored must not slow down what is done.

use super::drain::BARE_BATCH;
use super::{Size, target};
use crate::contest::{Contest, Entrant};
use crate::figure::Figure;
use crate::parts::{Part, Until};
use crate::setting::{Jobs, Setting, Stock};
use crate::target::Bound;

const TENANTS: u64 = 1_000;

pub(super) fn contest(size: Size) -> Contest {
    let jobs = size.jobs_or(100_000);
    let large = Setting::Stocked(Stock {
        ready: size.stock,
        scheduled: size.stock,
        ended: size.stock * 10,
        tenants: TENANTS,
    });
    let empty = Setting::Waiting(Jobs {
        tenants: TENANTS,
        ms: 0,
    });
    let worker = |until| Part::Worker {
        concurrency: size.concurrency,
        until,
    };
    let bare = |all| Part::Bare {
        batch: BARE_BATCH,
        all,
    };
    let (speed, claim) = (Figure::JobsPerSecond, Figure::ClaimMsP99);
    Contest {
        entrants: vec![
            Entrant::ours("fleet, large tables", worker(Until::Enough), large, jobs),
            Entrant::ours("fleet, empty tables", worker(Until::Drained), empty, jobs),
            Entrant::ours("bare loop, large tables", bare(false), large, jobs),
            Entrant::ours("bare loop, empty tables", bare(true), empty, jobs),
        ],
        shown: &[
            Figure::JobsPerSecond,
            Figure::CpuUsPerJob,
            Figure::ClientCpuUsPerJob,
            Figure::ServerCpuUsPerJob,
            Figure::WalBytesPerJob,
            Figure::ClaimMsP50,
            Figure::ClaimMsP99,
        ],
        targets: vec![
            target(
                "drain with large tables, of empty ones",
                speed,
                0,
                1,
                Bound::AtLeast(0.9),
            ),
            target(
                "claim with large tables, of empty ones, p99",
                claim,
                2,
                3,
                Bound::AtMost(2.0),
            ),
        ],
    }
}
