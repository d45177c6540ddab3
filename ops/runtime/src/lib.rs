//! What the processes of a fleet stand on, and no role knows: the embedded PostgreSQL, settings,
//! logs and metrics, the connection pool, and a process's life from start to stop.
//!
//! Only the binary and the tests use this crate. The roles take plain values from it (a pool, a
//! cancellation token, their settings) and never read the environment themselves.

#![cfg_attr(
    test,
    allow(clippy::unwrap_used, reason = "a test's panic is its failure")
)]

pub mod config;
pub mod crypto;
pub mod lifecycle;
pub mod pool;
pub mod postgres;
pub mod telemetry;
