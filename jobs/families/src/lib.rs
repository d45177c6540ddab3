//! The job families: what the business does with the fleet, and the registry of their kinds.

pub mod acting;
pub mod approval;
pub mod assignment;
pub mod capacity;
pub mod clients;
pub mod demo;
pub mod diagnostics;
mod event;
pub mod leaderboard;
pub mod metrics;
pub mod partners;
pub mod rates;
pub mod settings;
pub mod telemetry;
pub mod tickets;
pub mod triage;

use fleet_queue::Registry;

/// Every kind, ready to be run by a worker and offered by the API.
pub fn registry() -> Registry {
    let roster = assignment::Roster::default();
    Registry::new()
        .job::<leaderboard::Refresh>(())
        .job::<leaderboard::PromotionReview>(())
        .job::<leaderboard::Prune>(())
        .job::<approval::Expire>(())
        .job::<capacity::Score>(())
        .job::<capacity::ScoreAll>(())
        .job::<capacity::Reconcile>(())
        .job::<assignment::Auto>(roster.clone())
        .job::<assignment::Batch>(roster.clone())
        .job::<assignment::Rebalance>(roster)
        .job::<assignment::DetachAll>(())
        .job::<assignment::Transfer>(())
        .job::<assignment::Apply>(())
        .job::<assignment::Expire>(())
        .job::<assignment::Overdue>(())
        .job::<triage::Ticket>(triage::Together::default())
        .job::<triage::Apply>(())
        .job::<triage::SlaDeadline>(())
        .job::<triage::SlaSweep>(())
        .job::<triage::RouteBacklog>(())
        .job::<triage::Digest>(())
        .job::<triage::Train>(())
        .job::<triage::Evaluate>(())
        .job::<triage::Promote>(())
}
