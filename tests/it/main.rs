//! The one integration binary: every module here runs against real PostgreSQL, side by side.

#![allow(clippy::unwrap_used, reason = "a test's panic is its failure")]

mod engine;
