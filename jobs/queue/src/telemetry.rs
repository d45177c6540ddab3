//! Names of metrics: a contract with dashboards and alerts, which a test holds them to.

/// A metric: its name, what it is, what it counts, and its labels.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    /// As scraped.
    pub name: &'static str,
    /// counter, gauge or histogram.
    pub shape: &'static str,
    /// What it says.
    pub help: &'static str,
    /// Its labels.
    pub labels: &'static [&'static str],
}

macro_rules! metrics {
    ($($constant:ident = $name:literal, $shape:literal, [$($label:literal),*], $help:literal;)*) => {
        $(#[doc = $help] pub const $constant: &str = $name;)*
        /// Every metric of the fleet.
        pub const METRICS: &[Metric] = &[$(Metric { name: $name, shape: $shape, help: $help, labels: &[$($label),*] }),*];
    };
}

metrics! {
    CLAIMED = "fleet_queue_claimed_total", "counter", ["queue"], "Jobs this process claimed.";
    SETTLED = "fleet_queue_settled_total", "counter", ["queue", "kind", "outcome"], "Attempts this process settled, by how they ended.";
    LEASE_LOST = "fleet_queue_lease_lost_total", "counter", [], "Settlements refused because the claim no longer stood (I1).";
    CLAIM_SECONDS = "fleet_queue_claim_seconds", "histogram", ["queue"], "Time of a claim call.";
    SETTLE_SECONDS = "fleet_queue_settle_seconds", "histogram", [], "Time of a settle call.";
    RUN_SECONDS = "fleet_worker_run_seconds", "histogram", ["kind"], "Time of an attempt.";
    WAIT_SECONDS = "fleet_worker_wait_seconds", "histogram", ["queue"], "From due to started.";
    RUNNING = "fleet_worker_running", "gauge", [], "Handlers running in this process.";
    PANICS = "fleet_worker_panics_total", "counter", ["kind"], "Handlers that panicked; each is a failed attempt.";
    RENEW_FAILURES = "fleet_worker_renew_failures_total", "counter", [], "Renewals that did not reach the database.";
    SELF_STOPS = "fleet_worker_self_stops_total", "counter", [], "Times a worker stopped its own handlers because it could not renew its lease.";
    PROMOTED = "fleet_upkeep_promoted_total", "counter", [], "Scheduled jobs made available.";
    EXPIRED = "fleet_upkeep_expired_total", "counter", [], "Jobs discarded because they were not started in time.";
    RESCUED = "fleet_upkeep_rescued_total", "counter", ["outcome"], "Jobs taken from dead workers: returned or discarded.";
    DEAD_WORKERS = "fleet_upkeep_dead_workers_total", "counter", [], "Workers whose lease ran out.";
    DUTY_SECONDS = "fleet_upkeep_duty_seconds", "histogram", ["duty"], "Time of one round of an upkeep duty.";
    DUTY_FAILURES = "fleet_upkeep_duty_failures_total", "counter", ["duty"], "Rounds of an upkeep duty that failed.";
    TICKS = "fleet_scheduler_ticks_total", "counter", ["schedule"], "Schedule ticks this process fired.";
    MISSED = "fleet_scheduler_missed_total", "counter", ["schedule"], "Schedule ticks dropped by their catch-up policy.";
    DEPTH = "fleet_queue_depth", "gauge", ["queue"], "Live jobs.";
    OLDEST_SECONDS = "fleet_queue_oldest_seconds", "gauge", ["queue"], "How long the oldest due job has waited.";
    HTTP_SECONDS = "fleet_api_request_seconds", "histogram", ["route", "method", "status"], "Time of a request.";
    ENQUEUED = "fleet_api_enqueued_total", "counter", ["kind", "outcome"], "Jobs enqueued over HTTP, by what was done.";
}
