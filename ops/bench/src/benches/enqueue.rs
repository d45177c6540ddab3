//! Enqueue: in bulk, beside the same rows put straight into the table; and one by one over HTTP, beside plain inserts with a commit each.

use super::{Size, target};
use crate::contest::{Contest, Entrant};
use crate::figure::Figure;
use crate::parts::Part;
use crate::setting::Setting;
use crate::target::Bound;

/// Of the bulk jobs, so many are sent one by one: that takes about ten times as long.
const SINGLE_PART: u64 = 5;

pub(super) fn contest(size: Size) -> Contest {
    let bulk = size.jobs_or(100_000);
    // Clients and connections send the same number each.
    let single = (bulk / SINGLE_PART).next_multiple_of(64);
    let entrant = |name, part, jobs| Entrant::ours(name, part, Setting::Schema, jobs);
    let speed = |what, of, against, least| {
        target(
            what,
            Figure::JobsPerSecond,
            of,
            against,
            Bound::AtLeast(least),
        )
    };
    Contest {
        entrants: vec![
            entrant("fleet, 1,000 a call", Part::Enqueue { batch: 1_000 }, bulk),
            entrant("unnest, 1,000 a call", Part::Unnest { batch: 1_000 }, bulk),
            entrant(
                "fleet, 10,000 a call",
                Part::Enqueue { batch: 10_000 },
                bulk,
            ),
            entrant(
                "unnest, 10,000 a call",
                Part::Unnest { batch: 10_000 },
                bulk,
            ),
            entrant("fleet's API, 16 clients", Part::Api { clients: 16 }, single),
            entrant("fleet's API, 64 clients", Part::Api { clients: 64 }, single),
            entrant(
                "16 connections, a commit each",
                Part::Commits { connections: 16 },
                single,
            ),
        ],
        shown: Figure::SPEED,
        targets: vec![
            speed("bulk enqueue of 1,000, of a bare unnest", 0, 1, 0.8),
            speed("bulk enqueue of 10,000, of a bare unnest", 2, 3, 0.8),
            speed("enqueue by 16 clients, of bare commits", 4, 6, 1.2),
            speed("enqueue by 64 clients, of bare commits", 5, 6, 1.2),
        ],
    }
}
