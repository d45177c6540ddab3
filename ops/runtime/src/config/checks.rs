//! What settings must hold beyond their types: bounds, and pairs that would contradict each other.
//!
//! All problems are found in one go, each with its key, its value and what was expected.

use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use tracing_subscriber::EnvFilter;

use super::settings::{Api, Database, Log, Scheduler, Settings, Worker};

/// One setting that can't be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub key: String,
    pub value: String,
    pub expected: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} is {}, but must be {}",
            self.key, self.value, self.expected
        )
    }
}

/// All that is wrong with `settings`.
pub(super) fn problems(settings: &Settings) -> Vec<Problem> {
    let mut found = Problems(Vec::new());
    database(&settings.database, &mut found);
    worker(&settings.worker, &mut found);
    scheduler(&settings.scheduler, &mut found);
    api(&settings.api, &mut found);
    log(&settings.log, &mut found);
    found.0
}

fn database(it: &Database, found: &mut Problems) {
    if let Some(url) = &it.url {
        let schemes = ["postgres://", "postgresql://"];
        let fits = schemes
            .iter()
            .any(|scheme| url.expose().starts_with(scheme));
        found.expect(
            fits,
            "database.url",
            url,
            "an address that begins with postgres://",
        );
    }
    found.expect(
        it.pool_max >= 2,
        "database.pool_max",
        it.pool_max,
        "at least 2 (one for work, one to renew the lease meanwhile)",
    );
    found.time(
        "database.statement_timeout",
        it.statement_timeout,
        MS_100..=HOUR,
    );
}

fn worker(it: &Worker, found: &mut Problems) {
    let many = 10_000;
    let fits = (1..=many).contains(&it.concurrency);
    found.expect(
        fits,
        "worker.concurrency",
        it.concurrency,
        "from 1 to 10000",
    );
    found.time("worker.lease_ttl", it.lease_ttl, SECOND..=HOUR);
    found.time(
        "worker.lease_renew_every",
        it.lease_renew_every,
        MS_100..=HOUR,
    );
    let third = it.lease_ttl / 3;
    found.expect(
        it.lease_renew_every <= third,
        "worker.lease_renew_every",
        show(it.lease_renew_every),
        format!("at most a third of worker.lease_ttl, {}", show(third)),
    );
    found.time(
        "worker.shutdown_grace",
        it.shutdown_grace,
        Duration::ZERO..=HOUR,
    );
    found.time(
        "worker.poll_every",
        it.poll_every,
        Duration::from_millis(10)..=MINUTE,
    );
    for (queue, share) in &it.queues {
        let (key, fits) = (
            format!("worker.queues.{queue}"),
            (1..=it.concurrency).contains(share),
        );
        found.expect(
            fits,
            key,
            share,
            format!("from 1 to worker.concurrency, {}", it.concurrency),
        );
    }
}

fn scheduler(it: &Scheduler, found: &mut Problems) {
    // What becomes due without notice is met so much later; and a dead worker's jobs are taken so much later.
    found.time("scheduler.tick_max", it.tick_max, MS_100..=SECOND * 10);
    let (key, days) = (
        "scheduler.history_retention_days",
        it.history_retention_days,
    );
    found.expect((1..=3650).contains(&days), key, days, "from 1 to 3650");
}

fn api(it: &Api, found: &mut Problems) {
    found.expect(
        it.body_limit_bytes >= MIN_BODY_BYTES,
        "api.body_limit_bytes",
        it.body_limit_bytes,
        format!("at least {MIN_BODY_BYTES} (a payload of 1 MiB and what surrounds it)"),
    );
    found.time("api.request_timeout", it.request_timeout, SECOND..=HOUR);
    let (key, rate) = ("api.rate_per_second", it.rate_per_second);
    found.expect(rate >= 1, key, rate, "at least 1");
    let (key, burst) = ("api.rate_burst", it.rate_burst);
    found.expect(
        burst >= rate,
        key,
        burst,
        format!("at least api.rate_per_second, {rate}"),
    );
}

fn log(it: &Log, found: &mut Problems) {
    let fits = EnvFilter::try_new(&it.filter).is_ok();
    let expected = "a level, or levels by module as in \"info,fleet_worker=debug\"";
    found.expect(fits, "log.filter", format!("{:?}", it.filter), expected);
}

const MS_100: Duration = Duration::from_millis(100);
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);
const MIN_BODY_BYTES: usize = (1 << 20) + (64 << 10);

struct Problems(Vec<Problem>);

impl Problems {
    fn expect(
        &mut self,
        holds: bool,
        key: impl Into<String>,
        value: impl fmt::Display,
        expected: impl Into<String>,
    ) {
        if !holds {
            let (key, value, expected) = (key.into(), value.to_string(), expected.into());
            self.0.push(Problem {
                key,
                value,
                expected,
            });
        }
    }

    fn time(&mut self, key: &str, value: Duration, bounds: RangeInclusive<Duration>) {
        let expected = format!("from {} to {}", show(*bounds.start()), show(*bounds.end()));
        self.expect(bounds.contains(&value), key, show(value), expected);
    }
}

/// A time as it is written in the file.
fn show(time: Duration) -> String {
    humantime_serde::re::humantime::format_duration(time).to_string()
}
