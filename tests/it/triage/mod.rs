//! Tickets: how they are taken in and sorted, what was promised, who decides, and what a person's word weighs.

#![allow(
    clippy::disallowed_methods,
    reason = "tests look at the database with statements of their own"
)]

mod approvals;
mod backlog;
mod clocks;
mod desk;
mod editing;
mod escalation;
mod intake;
mod jobs;
mod models;
mod opinions;
mod scale;
mod sorting;
mod together;
