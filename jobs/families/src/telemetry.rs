//! What the families tell of themselves in metrics; names, shapes and labels are `fleet_queue::telemetry`'s contract.

use std::time::Duration;

use crate::leaderboard::{Built, Outcome};

/// Time of a refresh, by what became of the run.
pub const REFRESH_SECONDS: &str = "fleet_leaderboard_refresh_seconds";
/// Metric rows that refreshes read.
pub const ROWS_READ: &str = "fleet_leaderboard_rows_read_total";
/// Eligible subjects in the last run.
pub const RANKED: &str = "fleet_leaderboard_ranked";
/// Subjects held in the last run.
pub const HELD: &str = "fleet_leaderboard_held";
/// Refused metric rows in the last run's window.
pub const QUARANTINED: &str = "fleet_leaderboard_quarantined";
/// Anomalies found.
pub const ANOMALIES: &str = "fleet_leaderboard_anomalies_total";
/// How long ago a board was last published.
pub const STALENESS_SECONDS: &str = "fleet_leaderboard_staleness_seconds";

pub(crate) fn refreshed(built: &Built, outcome: Outcome, took: Duration) {
    let outcome = serde_json::to_value(outcome).ok();
    let outcome = outcome
        .as_ref()
        .and_then(|name| name.as_str())
        .unwrap_or_default()
        .to_owned();
    metrics::histogram!(REFRESH_SECONDS, "outcome" => outcome).record(took.as_secs_f64());
    metrics::counter!(ROWS_READ).increment(built.rows_read as u64);
    metrics::counter!(ANOMALIES).increment(built.anomalies);
    metrics::gauge!(RANKED).set(f64::from(built.ranked));
    metrics::gauge!(HELD).set(f64::from(built.held));
    metrics::gauge!(QUARANTINED).set(built.quarantined as f64);
}
