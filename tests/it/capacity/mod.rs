//! Capacity: what a partner is scored by, who asks for it, what is told of it, and what a night puts right.

#![allow(
    clippy::disallowed_methods,
    reason = "tests look at the database with statements of their own"
)]

mod alerts;
mod asking;
mod jobs;
mod office;
mod reconciling;
mod scale;
mod scoring;
mod settings;
