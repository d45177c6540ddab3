//! A campaign: the fleet as real processes under real load, harmed at random from a seed, and then held against its invariants.
//!
//! ```text
//!   portal (load) ──HTTP──► api ─┐
//!                       worker ──┼─► a proxy for each process ─► PostgreSQL, on a disk of its own
//!                    scheduler ──┘   cut, stalled, slowed         killed, restarted, disk filled, clock stepped
//!   killed, stopped past the lease, told to stop and replaced by another binary
//! ```
//! Everybody keeps a history; at the end the harm is undone, what waits is given the time to end, and `fleet-check` judges histories
//! and tables. The order of the harm follows from the seed; its meeting with the load does not, so a seed repeats a campaign's plan
//! and not its every step.

mod campaign;
mod clock;
mod crew;
mod disk;
mod error;
mod faults;
mod load;
mod picks;
mod plan;
mod portal;
mod proxy;
mod report;
mod server;
mod setup;

pub use campaign::run;
pub use error::CampaignError;
pub use plan::{Plan, Progress};
pub use report::{Report, Times};
