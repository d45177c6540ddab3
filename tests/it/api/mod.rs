//! The control API, really served on a loopback port, each promise a story.

#![allow(
    clippy::disallowed_methods,
    reason = "tests look at the database with statements of their own"
)]

mod approvals;
mod assignments;
mod audit;
mod batch;
mod capacity;
mod clients;
mod create;
mod document;
mod guards;
mod health;
mod hostile;
mod idempotency;
mod ingest;
mod key_routes;
mod keys;
mod leaderboards;
mod pages;
mod partners;
mod rates;
mod refusals;
mod result;
mod schedules;
mod served;
mod shared_commits;
mod steering;
mod support;
mod tenants;
mod tickets;
mod triage;
mod why;
