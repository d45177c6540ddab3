//! The one integration binary: every module here runs against real PostgreSQL, side by side.

#![allow(clippy::unwrap_used, reason = "a test's panic is its failure")]

mod api;
mod engine;
mod leaderboard;
mod migrations;
mod process;
mod schedules;
mod tidy;
mod upkeep;
mod worker;
