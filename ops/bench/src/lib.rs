//! Benchmarks: how fast the fleet is, beside other queues and beside what the database itself allows.
//!
//! ```text
//!  contest ──for each round, for each entrant──▶ ground (a fresh database) ──▶ player (a process) ──▶ meter
//!     └──▶ report: medians, spreads, ratios round by round, and the targets met or missed
//! ```
//! Machines are noisy, so speeds are compared only within a round, and processor time stands beside them. Every entrant is a process
//! of its own, told `go` and measured from outside by the same rules. Only a person who typed `fleet bench` sees this crate's errors,
//! so they are sentences in an `anyhow::Error`.

#![cfg_attr(
    test,
    allow(clippy::unwrap_used, reason = "a test's panic is its failure")
)]

mod benches;
mod contest;
mod cpu;
mod figure;
mod ground;
mod kinds;
mod meter;
mod parts;
mod player;
mod report;
mod server;
mod setting;
mod stage;
mod stamps;
mod target;
mod watch;

pub use benches::{Bench, Size, run};
pub use figure::Figure;
pub use parts::{Part, PickUp, Until, play};
pub use report::{Report, Row, Spread};
pub use target::Verdict;
