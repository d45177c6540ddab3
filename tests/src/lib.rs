//! The harness: one real PostgreSQL for a test run, a fresh copy of a migrated template for each test, and fleets to tell stories with.
//!
//! Tests wait for states reached, with a deadline, and never sleep; see [`wait`].

#![allow(
    clippy::disallowed_methods,
    reason = "a test asks the database what it likes, and its own environment"
)]

mod broom;
pub mod conformance;
pub mod database;
pub mod environment;
pub mod hand;
pub mod invariants;
pub mod pgbouncer;
pub mod process;
pub mod random;
pub mod wait;

pub use database::{TestDb, database};
pub use environment::asked;
pub use hand::Hand;
pub use wait::eventually;
