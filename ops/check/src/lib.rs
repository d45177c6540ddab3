//! Holds what processes remember of a run against the invariants of ARCHITECTURE.md, and explains what does not fit.
//!
//! ```text
//!  worker ─┐ recorder: a line an event        read            evidence               rules
//!  scheduler ├──────────► *.ndjson ──────────► entries ──┬──► claims and what  ──► one an invariant ──► verdict
//!  api ────┘                                             │    became of them
//!                             the database's tables ─► facts ┘
//! ```
//! The rules are pure functions of the evidence. Each uses only what the order of writing makes sure of
//! (`fleet_queue::history`): a line that is missing is unknown, and what is unknown never breaks a rule. So a violation is never an
//! artefact of a kill at a bad moment; the price is that some violations cannot be seen, and a rule says so where it sees nothing.

mod database;
mod evidence;
mod facts;
mod read;
mod recorder;
mod rescues;
mod rules;
#[cfg(test)]
mod story;
mod verdict;

pub use database::{LoadError, load};
pub use evidence::{Evidence, Seen};
pub use facts::Facts;
pub use read::{Entry, ReadError, Source, read};
pub use recorder::{RecordError, monotonic_us, record};
pub use rescues::{Rescue, rescues};
pub use rules::check;
pub use verdict::{Finding, Ruling, Verdict, Violation};
