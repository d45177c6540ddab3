//! The one integration binary: every module here runs against real PostgreSQL, side by side.

#![allow(clippy::unwrap_used, reason = "a test's panic is its failure")]
#![allow(
    clippy::disallowed_methods,
    reason = "a test asks the database what it likes"
)]

mod api;
mod cli;
mod engine;
mod leaderboard;
mod migrations;
mod process;
mod schedules;
mod tidy;
mod upkeep;
mod worker;
