//! What the families tell of themselves in metrics, in the shape of the engine's own table (`fleet_queue::telemetry`).

use std::time::Duration;

use fleet_queue::telemetry::Metric;
use sqlx::PgConnection;

use crate::assignment;
use crate::capacity;
use crate::leaderboard::{self, Built, Outcome};
use crate::triage;

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
const ASSIGNED: &str = "fleet_assignment_decisions_total";
const ASSIGN_SECONDS: &str = "fleet_assignment_seconds";
const WAITING: &str = "fleet_assignment_waiting";
const OVERLOADED: &str = "fleet_assignment_overloaded";
const OVERRIDE_RATE: &str = "fleet_assignment_override_rate";
const LOAD_GINI: &str = "fleet_assignment_load_gini";

const TRIAGED: &str = "fleet_triage_decided_total";
const DEGRADED: &str = "fleet_triage_degraded_total";
const OPINIONS: &str = "fleet_triage_second_opinions_total";
const PROMISES: &str = "fleet_sla_promises_total";
const IN_REVIEW: &str = "fleet_triage_in_review";
const REVIEW_SECONDS: &str = "fleet_triage_review_oldest_seconds";
const PRECISION: &str = "fleet_triage_precision";
const TRAINED: &str = "fleet_triage_models_trained_total";
const QUALITY: &str = "fleet_triage_quality";

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
    metric(
        ASSIGNED,
        "counter",
        &["mode", "outcome"],
        "Decisions on who looks after a client, by who decided and what came of it.",
    ),
    metric(
        ASSIGN_SECONDS,
        "histogram",
        &[],
        "Time from a client's coming in to the attempt that decided on it.",
    ),
    metric(WAITING, "gauge", &[], "Clients that no partner can take."),
    metric(
        OVERLOADED,
        "gauge",
        &[],
        "Assignments beyond a cap that no person made; there must be none.",
    ),
    metric(
        OVERRIDE_RATE,
        "gauge",
        &[],
        "Share of the last thirty days' assignments that people made by hand.",
    ),
    metric(
        LOAD_GINI,
        "gauge",
        &[],
        "How unevenly load is spread over active partners, 0 to 1.",
    ),
    metric(
        TRIAGED,
        "counter",
        &["category", "outcome"],
        "Tickets that were sorted: applied, or left to a person.",
    ),
    metric(
        DEGRADED,
        "counter",
        &[],
        "Tickets that were sorted by rules because there was no model.",
    ),
    metric(
        OPINIONS,
        "counter",
        &["outcome"],
        "Second opinions that were asked for, by whether one came.",
    ),
    metric(
        PROMISES,
        "counter",
        &["clock", "what"],
        "Promises to clients: warned of, met, broken.",
    ),
    metric(
        IN_REVIEW,
        "gauge",
        &[],
        "Tickets that a person must look at.",
    ),
    metric(
        REVIEW_SECONDS,
        "gauge",
        &[],
        "How long the oldest of them has waited.",
    ),
    metric(
        PRECISION,
        "gauge",
        &["category"],
        "Share of the tickets taken for this category that the people who judged them confirmed, over thirty days.",
    ),
    metric(
        TRAINED,
        "counter",
        &[],
        "Ticket classifiers that were made.",
    ),
    metric(
        QUALITY,
        "gauge",
        &["measure", "on"],
        "Accuracy, macro-F1 and calibration error of the model trained or evaluated last.",
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

/// After a decision on a client.
pub(crate) fn assigned(mode: &'static str, outcome: &'static str) {
    metrics::counter!(ASSIGNED, "mode" => mode, "outcome" => outcome).increment(1);
}

/// After a client's job was decided on.
pub(crate) fn time_to_assign(took: Duration) {
    metrics::histogram!(ASSIGN_SECONDS).record(took.as_secs_f64());
}

/// After a ticket was sorted.
pub(crate) fn triaged(category: &str, applied: bool) {
    let outcome = if applied { "applied" } else { "review" };
    metrics::counter!(TRIAGED, "category" => category.to_owned(), "outcome" => outcome)
        .increment(1);
}

/// After rules stood in for the model.
pub(crate) fn degraded() {
    metrics::counter!(DEGRADED).increment(1);
}

/// After a second opinion was asked for.
pub(crate) fn second_opinion(came: bool) {
    let outcome = if came { "answered" } else { "failed" };
    metrics::counter!(OPINIONS, "outcome" => outcome).increment(1);
}

/// After something happened to a promise.
pub(crate) fn sla(clock: &'static str, what: &'static str) {
    metrics::counter!(PROMISES, "clock" => clock, "what" => what).increment(1);
}

/// After a model was made.
pub(crate) fn trained(holdout: &triage::model::Metrics) {
    metrics::counter!(TRAINED).increment(1);
    quality("holdout", holdout);
}

/// After a model was measured.
pub(crate) fn evaluated(found: &triage::model::Metrics) {
    quality("dataset", found);
}

fn quality(on: &'static str, found: &triage::model::Metrics) {
    for (measure, value) in [
        ("accuracy", found.accuracy),
        ("macro_f1", found.macro_f1),
        ("ece", found.ece),
    ] {
        metrics::gauge!(QUALITY, "measure" => measure, "on" => on).set(value);
    }
}

/// Sets the gauges that age by themselves; for whoever is about to be scraped.
pub async fn observe(conn: &mut PgConnection) -> Result<(), sqlx::Error> {
    for (board, seconds) in leaderboard::staleness(conn).await? {
        metrics::gauge!(STALENESS_SECONDS, "board" => board.to_string()).set(seconds);
    }
    for (level, partners) in capacity::filled(conn).await? {
        metrics::gauge!(FILLED, "level" => level).set(partners as f64);
    }
    let standing = assignment::observe(conn).await?;
    metrics::gauge!(WAITING).set(standing.waiting as f64);
    metrics::gauge!(OVERLOADED).set(standing.overloaded as f64);
    metrics::gauge!(OVERRIDE_RATE).set(standing.override_rate);
    metrics::gauge!(LOAD_GINI).set(standing.gini);
    let (waiting, oldest) = triage::in_review(conn).await?;
    metrics::gauge!(IN_REVIEW).set(waiting as f64);
    metrics::gauge!(REVIEW_SECONDS).set(oldest);
    for (category, share) in triage::precision(conn).await? {
        metrics::gauge!(PRECISION, "category" => category).set(share);
    }
    Ok(())
}
