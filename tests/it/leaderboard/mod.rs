//! Leaderboards: what comes in, what is computed, what is shown to whom, and what follows from it.

#![allow(
    clippy::disallowed_methods,
    reason = "tests look at the database with statements of their own"
)]

mod anomalies;
mod boards;
mod generator;
mod ingest;
mod jobs;
mod market;
mod oracle;
mod privacy;
mod promotions;
mod publishing;
mod scale;
