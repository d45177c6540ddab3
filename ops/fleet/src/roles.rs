//! The wiring: from settings to running roles. The only place that knows all of them.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use fleet_control_api::ApiSettings;
use fleet_queue::{Db, Probes, Registry};
use fleet_runtime::config::{Settings, Sources};
use fleet_runtime::lifecycle::{Exit, Lifecycle, Shutdown};
use fleet_runtime::pool::{self, PoolError, PoolSettings};
use fleet_runtime::telemetry::{Metrics, chain};
use fleet_scheduler::SchedulerSettings;
use fleet_worker::{WorkerError, WorkerSettings};
use tokio::net::TcpListener;
use tokio::time::sleep;

use crate::output::Out;

/// Tasks get this long after the worker's own grace, to write down what they did.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// Between two tries of a start while the database is away.
const START_AGAIN: Duration = Duration::from_secs(1);

/// The settings of this process; `change` adds what the command line said.
pub(crate) fn settings(
    file: Option<&Path>,
    change: impl FnOnce(Sources) -> Sources,
) -> anyhow::Result<Settings> {
    Ok(Settings::load(change(Sources::of_process(file)))?)
}

/// Connections for one role; a database that is away is an error.
pub(crate) async fn connect(
    settings: &Settings,
    url: &str,
    role: &str,
    probes: Probes,
) -> Result<Db, PoolError> {
    let pool = pool::connect(url, &pool_settings(settings, role)).await?;
    Ok(Db::with_probes(pool, probes))
}

/// Connections for a role that meets an outage by itself.
pub(crate) fn connect_later(
    settings: &Settings,
    url: &str,
    role: &str,
    probes: Probes,
) -> anyhow::Result<Db> {
    let pool = pool::open(url, &pool_settings(settings, role))?;
    Ok(Db::with_probes(pool, probes))
}

/// Connections for one role to a database with a schema that fits; one that is away is waited for.
pub(crate) async fn connect_through_outages(
    settings: &Settings,
    url: &str,
    role: &str,
    probes: Probes,
) -> anyhow::Result<Db> {
    let mut failures = 0_u32;
    loop {
        let outage = match connect(settings, url, role, probes.clone()).await {
            Ok(db) => match db.check_schema().await {
                Ok(()) => return Ok(db),
                Err(error) if error.is_transient() => chain(&error),
                Err(error) => return Err(error.into()),
            },
            Err(error) if error.is_outage() => chain(&error),
            Err(error) => return Err(error.into()),
        };
        failures += 1;
        if failures.is_power_of_two() {
            tracing::warn!(
                failures,
                error = outage,
                "waiting for the database before the {role} starts"
            );
        }
        sleep(START_AGAIN).await;
    }
}

fn pool_settings(settings: &Settings, role: &str) -> PoolSettings {
    PoolSettings {
        max: settings.database.pool_max,
        application_name: format!("fleet {role}"),
        statement_timeout: settings.database.statement_timeout,
        transaction_pooler: settings.database.transaction_pooler,
    }
}

/// Probes as a test set them for this process; without any, every probe is a no-op.
pub(crate) fn probes(text: Option<&str>) -> anyhow::Result<Probes> {
    match text {
        None => Ok(Probes::default()),
        Some(text) => Probes::parse(text)
            .map_err(anyhow::Error::msg)
            .context("FLEET_PROBES"),
    }
}

/// Every kind this binary serves.
pub(crate) fn registry(diagnostics: bool) -> Registry {
    let families = fleet_jobs::registry();
    if diagnostics {
        families.merge(fleet_jobs::diagnostics::registry())
    } else {
        families
    }
}

/// Logs and metrics of a process that runs roles.
pub(crate) fn telemetry(settings: &Settings) -> anyhow::Result<Metrics> {
    fleet_runtime::telemetry::install_logs(&settings.log)?;
    tracing::debug!("settings:\n{settings}");
    Ok(Metrics::install()?)
}

/// A life whose grace covers the worker's.
pub(crate) fn lifecycle(settings: &Settings) -> Lifecycle {
    Lifecycle::new(settings.worker.shutdown_grace + LAST_WORDS)
}

/// Runs a worker for as long as the process lives; a start that meets an outage of the database is made again.
pub(crate) fn spawn_worker(
    life: &Lifecycle,
    settings: &Settings,
    name: &str,
    db: Db,
    registry: Registry,
) {
    let stop = life.shutdown();
    let (settings, of) = (settings.clone(), name.to_owned());
    life.spawn(name, async move {
        loop {
            let run = run_worker(&settings, &of, db.clone(), registry.clone(), stop.clone());
            match run.await {
                Err(WorkerError::Start(error)) if error.is_transient() => {
                    tracing::warn!(
                        error = chain(&error),
                        "the worker could not start; trying again"
                    );
                }
                ended => return ended.map_err(|error| chain(&error)),
            }
            if stop
                .soft
                .run_until_cancelled(sleep(START_AGAIN))
                .await
                .is_none()
            {
                return Ok(());
            }
        }
    });
}

/// A worker with these settings, until told to stop.
pub(crate) fn run_worker(
    settings: &Settings,
    name: &str,
    db: Db,
    registry: Registry,
    stop: Shutdown,
) -> impl Future<Output = Result<(), WorkerError>> + Send + 'static {
    fleet_worker::run(
        worker_settings(settings, name),
        db,
        registry,
        stop.soft,
        stop.hard,
    )
}

/// Runs a scheduler for as long as the process lives.
pub(crate) fn spawn_scheduler(life: &Lifecycle, settings: &Settings, db: Db) {
    let running = fleet_scheduler::run(scheduler_settings(settings), db, life.shutdown().soft);
    life.spawn("scheduler", async {
        running.await.map_err(|error| chain(&error))
    });
}

/// Serves the API for as long as the process lives.
pub(crate) fn spawn_api(
    life: &Lifecycle,
    settings: &Settings,
    db: Db,
    registry: Registry,
    listener: TcpListener,
    metrics: Metrics,
) {
    let settings = api_settings(settings, move || metrics.render());
    let serving = fleet_control_api::serve(settings, db, registry, listener, life.shutdown().soft);
    life.spawn("api", async {
        serving.await.map_err(|error| chain(&error))
    });
}

/// Says how the process ended, and gives its exit code.
pub(crate) fn farewell(exit: &Exit, out: Out) -> anyhow::Result<u8> {
    match exit {
        Exit::Asked { unfinished } if unfinished.is_empty() => out.note("stopped"),
        Exit::Asked { unfinished } => {
            out.note(format_args!(
                "stopped, though these did not end: {}",
                unfinished.join(", ")
            ));
        }
        Exit::Died { task, why } => anyhow::bail!("{task} died: {why}"),
    }
    Ok(exit.code())
}

fn worker_settings(settings: &Settings, name: &str) -> WorkerSettings {
    let of = &settings.worker;
    WorkerSettings {
        concurrency: of.concurrency as usize,
        queues: of
            .queues
            .iter()
            .map(|(queue, share)| (queue.clone(), *share as usize))
            .collect(),
        lease_ttl: of.lease_ttl,
        renew_every: of.lease_renew_every,
        // Two renewals may fail, and the handlers are gone before another worker may have their jobs.
        give_up_after: (of.lease_renew_every * 5 / 2).min(of.lease_ttl * 3 / 4),
        shutdown_grace: of.shutdown_grace,
        poll_every: of.poll_every,
        listen: !settings.database.transaction_pooler,
        name: name.to_owned(),
        ..WorkerSettings::default()
    }
}

fn scheduler_settings(settings: &Settings) -> SchedulerSettings {
    let defaults = SchedulerSettings::default();
    SchedulerSettings {
        host: WorkerSettings::default().host,
        tick_max: settings.scheduler.tick_max,
        tick_busy: defaults.tick_busy.min(settings.scheduler.tick_max),
        lease_ttl: settings.worker.lease_ttl,
        keep_days: i32::try_from(settings.scheduler.history_retention_days).unwrap_or(i32::MAX),
        ..defaults
    }
}

fn api_settings(
    settings: &Settings,
    render: impl Fn() -> String + Send + Sync + 'static,
) -> ApiSettings {
    ApiSettings {
        batch_bytes_max: settings.api.body_limit_bytes,
        request_timeout: settings.api.request_timeout,
        rate_per_second: settings.api.rate_per_second,
        rate_burst: settings.api.rate_burst,
        render_metrics: Arc::new(render),
        ..ApiSettings::default()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Handed on as they are, each at the one place that uses it.
    const AS_THEY_ARE: [&str; 5] = [
        "diagnostics",
        "database.url",
        "api.bind",
        "log.format",
        "log.filter",
    ];
    /// Every other setting, with a value that is not its default.
    const OTHERWISE: [(&str, &str); 15] = [
        ("DATABASE__POOL_MAX", "7"),
        ("DATABASE__STATEMENT_TIMEOUT", "7s"),
        ("DATABASE__TRANSACTION_POOLER", "true"),
        ("WORKER__CONCURRENCY", "7"),
        ("WORKER__LEASE_TTL", "7s"),
        ("WORKER__LEASE_RENEW_EVERY", "1s"),
        ("WORKER__SHUTDOWN_GRACE", "7s"),
        ("WORKER__POLL_EVERY", "7s"),
        ("WORKER__QUEUES", "{mail=7}"),
        ("SCHEDULER__TICK_MAX", "700ms"),
        ("SCHEDULER__HISTORY_RETENTION_DAYS", "7"),
        ("API__BODY_LIMIT_BYTES", "7000000"),
        ("API__REQUEST_TIMEOUT", "7s"),
        ("API__RATE_PER_SECOND", "7"),
        ("API__RATE_BURST", "7000"),
    ];

    fn settings(variables: &[(&str, &str)]) -> Settings {
        let variables = variables
            .iter()
            .map(|(name, value)| (format!("FLEET_{name}"), (*value).to_owned()));
        Settings::load(Sources::default().variables(variables)).expect("they can be used")
    }

    /// What the roles are told, as text.
    fn told(settings: &Settings) -> String {
        let (pool, worker) = (
            pool_settings(settings, "worker"),
            worker_settings(settings, "worker"),
        );
        let (scheduler, api) = (scheduler_settings(settings), told_api(settings));
        format!("{pool:?} {worker:?} {scheduler:?} {api:?}")
    }

    fn told_api(settings: &Settings) -> (usize, Duration, u32, u32) {
        what_api_is_told(&api_settings(settings, String::new))
    }

    fn what_api_is_told(api: &ApiSettings) -> (usize, Duration, u32, u32) {
        (
            api.batch_bytes_max,
            api.request_timeout,
            api.rate_per_second,
            api.rate_burst,
        )
    }

    #[test]
    fn every_setting_is_told_to_somebody() {
        let defaults = settings(&[]);
        for (variable, value) in OTHERWISE {
            let other = told(&settings(&[(variable, value)]));
            assert_ne!(other, told(&defaults), "{variable} turns nothing");
        }
        let keys = defaults.effective();
        let keys = keys
            .lines()
            .map(|line| line.split(" = ").next().unwrap_or_default().to_owned());
        let known = OTHERWISE.map(|(variable, _)| variable.replace("__", ".").to_lowercase());
        let known: BTreeSet<_> = known
            .into_iter()
            .chain(AS_THEY_ARE.map(str::to_owned))
            .collect();
        let unknown: Vec<_> = keys.filter(|key| !known.contains(key)).collect();
        assert!(unknown.is_empty(), "nobody reads {unknown:?}");
    }

    #[test]
    fn the_file_has_the_defaults_of_the_code() {
        let defaults = settings(&[]);
        assert_eq!(
            worker_settings(&defaults, "worker"),
            WorkerSettings::default()
        );
        let scheduler = SchedulerSettings {
            host: WorkerSettings::default().host,
            ..SchedulerSettings::default()
        };
        assert_eq!(scheduler_settings(&defaults), scheduler);
        assert_eq!(
            told_api(&defaults),
            what_api_is_told(&ApiSettings::default())
        );
    }
}
