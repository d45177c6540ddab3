//! Assignment: who is chosen and why, what is kept for a person, who waits and is woken, and that nobody ever goes over a cap.

#![allow(
    clippy::disallowed_methods,
    reason = "tests look at the database with statements of their own"
)]

mod approvals;
mod batches;
mod choosing;
mod crowd;
mod house;
mod moving;
mod oracle;
mod roster;
mod scale;
mod settings;
mod skills;
mod slots;
mod waiting;
