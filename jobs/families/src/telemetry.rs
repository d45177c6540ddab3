//! What the families tell of themselves in metrics, in the shape of the engine's own table (`fleet_queue::telemetry`).

use std::time::Duration;

use fleet_queue::telemetry::Metric;
use sqlx::PgConnection;

use crate::capacity;
use crate::leaderboard::{self, Built, Outcome};

const REFRESH_SECONDS: &str = "fleet_leaderboard_refresh_seconds";
const ROWS_READ: &str = "fleet_leaderboard_rows_read_total";
const ANOMALIES: &str = "fleet_leaderboard_anomalies_total";
const RANKED: &str = "fleet_leaderboard_ranked";
const HELD: &str = "fleet_leaderboard_held";
const QUARANTINED: &str = "fleet_leaderboard_quarantined";
const STALENESS_SECONDS: &str = "fleet_leaderboard_staleness_seconds";
const SCORED: &str = "fleet_capacity_scored_total";
const DRIFTED: &str = "fleet_capacity_drifted_total";
const FILLED: &str = "fleet_capacity_partners";

/// Every metric of the families.
pub const METRICS: &[Metric] = &[
    metric(
        REFRESH_SECONDS,
        "histogram",
        &["outcome"],
        "Time of a refresh, by what became of the run.",
    ),
    metric(
        ROWS_READ,
        "counter",
        &[],
        "Metric rows that refreshes read.",
    ),
    metric(
        ANOMALIES,
        "counter",
        &[],
        "Anomalies found for the first time.",
    ),
    metric(
        RANKED,
        "gauge",
        &["board"],
        "Eligible subjects in the board's last run.",
    ),
    metric(
        HELD,
        "gauge",
        &["board"],
        "Subjects held in the board's last run.",
    ),
    metric(
        QUARANTINED,
        "gauge",
        &["board"],
        "Refused metric rows in the window of the board's last run.",
    ),
    metric(
        STALENESS_SECONDS,
        "gauge",
        &["board"],
        "How long ago the board was published.",
    ),
    metric(
        SCORED,
        "counter",
        &[],
        "Capacities that were computed and stored.",
    ),
    metric(
        DRIFTED,
        "counter",
        &[],
        "Loads that their rows did not bear out, found and put right.",
    ),
    metric(
        FILLED,
        "gauge",
        &["level"],
        "Partners that are near full, and that are full.",
    ),
];

const fn metric(
    name: &'static str,
    shape: &'static str,
    labels: &'static [&'static str],
    help: &'static str,
) -> Metric {
    Metric {
        name,
        shape,
        help,
        labels,
    }
}

/// After a refresh.
pub(crate) fn refreshed(board: uuid::Uuid, built: &Built, outcome: Outcome, took: Duration) {
    let board = board.to_string();
    metrics::histogram!(REFRESH_SECONDS, "outcome" => outcome.status()).record(took.as_secs_f64());
    metrics::counter!(ROWS_READ).increment(built.rows_read as u64);
    metrics::counter!(ANOMALIES).increment(built.anomalies);
    metrics::gauge!(RANKED, "board" => board.clone()).set(f64::from(built.ranked));
    metrics::gauge!(HELD, "board" => board.clone()).set(f64::from(built.held));
    metrics::gauge!(QUARANTINED, "board" => board).set(built.quarantined as f64);
}

/// After capacities were stored.
pub(crate) fn scored(partners: u64) {
    metrics::counter!(SCORED).increment(partners);
}

/// After a reconciliation.
pub(crate) fn drifted(partners: u64) {
    metrics::counter!(DRIFTED).increment(partners);
}

/// Sets the gauges that age by themselves; for whoever is about to be scraped.
pub async fn observe(conn: &mut PgConnection) -> Result<(), sqlx::Error> {
    for (board, seconds) in leaderboard::staleness(conn).await? {
        metrics::gauge!(STALENESS_SECONDS, "board" => board.to_string()).set(seconds);
    }
    for (level, partners) in capacity::filled(conn).await? {
        metrics::gauge!(FILLED, "level" => level).set(partners as f64);
    }
    Ok(())
}
