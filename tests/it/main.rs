//! The one integration binary: every module here runs against real PostgreSQL, side by side.

#![allow(clippy::unwrap_used, reason = "a test's panic is its failure")]
#![allow(
    clippy::print_stdout,
    reason = "figures that a test measured, for whoever looks"
)]
#![allow(
    clippy::pedantic,
    reason = "a story reads as it is told; the code it is about is held to more"
)]
#![allow(
    clippy::disallowed_methods,
    reason = "a test asks the database what it likes"
)]

mod api;
mod assignment;
mod campaign;
mod capacity;
mod cli;
mod conformance;
mod documents;
mod engine;
mod faults;
mod harness;
mod leaderboard;
mod migrations;
mod plans;
mod pooler;
mod process;
mod schedules;
mod tidy;
mod triage;
mod triage_model;
mod upkeep;
mod worker;
