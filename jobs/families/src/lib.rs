//! The job families: what the business does with the fleet, and the registry of their kinds.

pub mod approval;
pub mod capacity;
pub mod demo;
pub mod diagnostics;
mod event;
pub mod leaderboard;
pub mod metrics;
pub mod partners;
pub mod rates;
pub mod telemetry;
pub mod triage;

use fleet_queue::Registry;

/// Every kind, ready to be run by a worker and offered by the API.
pub fn registry() -> Registry {
    Registry::new()
        .job::<leaderboard::Refresh>(())
        .job::<leaderboard::PromotionReview>(())
        .job::<leaderboard::Prune>(())
        .job::<approval::Expire>(())
        .job::<capacity::Score>(())
        .job::<capacity::ScoreAll>(())
        .job::<capacity::Reconcile>(())
}
