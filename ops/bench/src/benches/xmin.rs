//! Held-back vacuum: a transaction elsewhere keeps its snapshot, so that every dead row and index entry stays. A steady flow must not feel it.

use super::{Size, target};
use crate::contest::{Contest, Entrant};
use crate::figure::Figure;
use crate::parts::Part;
use crate::setting::Setting;
use crate::target::Bound;

const A_SECOND: u64 = 1_000;
/// Ten minutes' worth.
const JOBS: u64 = 600 * A_SECOND;

pub(super) fn contest(size: Size) -> Contest {
    let jobs = size.jobs_or(JOBS);
    let part = Part::Steady { a_second: A_SECOND };
    let (speed, claim) = (Figure::JobsPerSecond, Figure::ClaimMsP99);
    Contest {
        entrants: vec![
            Entrant::ours("held back", part, Setting::HeldBack, jobs),
            Entrant::ours("free", part, Setting::Schema, jobs),
        ],
        shown: &[
            Figure::JobsPerSecond,
            Figure::CpuUsPerJob,
            Figure::ServerCpuUsPerJob,
            Figure::ClaimMsP50,
            Figure::ClaimMsP99,
        ],
        targets: vec![
            target(
                "claim while vacuum is held back, p99",
                claim,
                0,
                1,
                Bound::AtMost(2.0),
            ),
            target(
                "flow while vacuum is held back",
                speed,
                0,
                1,
                Bound::AtLeast(0.95),
            ),
        ],
    }
}
