//! `fleet worker|scheduler|api`: one role in a process of its own, as many as needed.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use fleet_queue::Db;
use fleet_runtime::config::{Settings, Sources};
use fleet_runtime::lifecycle::Lifecycle;
use fleet_runtime::telemetry::Metrics;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::database::Target;
use crate::output::Out;
use crate::{input, roles};

/// What every process is told.
#[derive(Args, Debug)]
struct Process {
    #[command(flatten)]
    target: Target,
    /// The settings file [default: ./fleet.toml, if it is there]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Offer the diagnostics kinds too: jobs that sleep, fail, panic or kill their worker
    #[arg(long)]
    diagnostics: bool,
    /// Points at which a test holds, fails or aborts the process: NAME=ACTION,…
    #[arg(long, hide = true, env = "FLEET_PROBES")]
    probes: Option<String>,
    /// Keep a history of what this process asks and is answered, for `fleet check`: a file to append to, or a folder
    #[arg(long, value_name = "FILE", env = "FLEET_HISTORY")]
    history: Option<PathBuf>,
}

/// Run a worker
#[derive(Args, Debug)]
pub(crate) struct Worker {
    #[command(flatten)]
    process: Process,
    /// Jobs that run at the same time [default: 16]
    #[arg(long, value_name = "N")]
    concurrency: Option<u32>,
    /// Serve this queue with at most N jobs at a time; may be given again [default: all queues]
    #[arg(long = "queue", value_name = "NAME=N", value_parser = input::name_and_number)]
    queues: Vec<(String, usize)>,
    /// Time that running jobs get when it is told to stop [default: 20s]
    #[arg(long, value_name = "DURATION", value_parser = input::duration)]
    shutdown_grace: Option<Duration>,
}

/// Run a scheduler: schedules, and the engine's upkeep
#[derive(Args, Debug)]
pub(crate) struct Scheduler {
    #[command(flatten)]
    process: Process,
}

/// Serve the control API
#[derive(Args, Debug)]
pub(crate) struct Api {
    #[command(flatten)]
    process: Process,
    /// Where to listen [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS:PORT")]
    bind: Option<String>,
}

/// A process that is about to run its role.
struct Ready {
    settings: Settings,
    metrics: Metrics,
    db: Db,
    life: Lifecycle,
}

/// What the role does about a database that is away at its start.
#[derive(Clone, Copy)]
enum Outage {
    /// The process waits for it.
    Waits,
    /// The role answers meanwhile, and says so.
    Answers,
}

impl Process {
    /// Settings, logs and connections.
    async fn ready(
        &self,
        (role, outage): (&str, Outage),
        change: impl FnOnce(Sources) -> Sources,
    ) -> anyhow::Result<Ready> {
        let diagnostics = self.diagnostics;
        let settings = roles::settings(self.config.as_deref(), |sources| {
            change(if diagnostics {
                sources.set("diagnostics", true)
            } else {
                sources
            })
        })?;
        let metrics = roles::telemetry(&settings)?;
        let url = self.target.url_or(settings.database.url.as_ref()).await?;
        let probes = roles::probes(self.probes.as_deref())?;
        let db = match outage {
            Outage::Waits => roles::connect_through_outages(&settings, &url, role, probes).await?,
            Outage::Answers => roles::connect_later(&settings, &url, role, probes)?,
        };
        let db = match &self.history {
            Some(path) => db.remembering(fleet_check::record(path, role)?),
            None => db,
        };
        // Only now, because from here on a signal no longer ends the process by itself.
        let life = roles::lifecycle(&settings);
        Ok(Ready {
            settings,
            metrics,
            db,
            life,
        })
    }
}

impl Ready {
    /// Nobody scrapes the metrics of this process over HTTP, so it drains them itself.
    fn keep_metrics_small(&self) {
        let soft = self.life.shutdown().soft;
        self.life
            .spawn("metrics", keep_small(self.metrics.clone(), soft));
    }

    async fn live(self, out: Out) -> anyhow::Result<ExitCode> {
        let exit = self.life.run_until_done().await;
        roles::farewell(&exit, out).map(ExitCode::from)
    }
}

impl Worker {
    pub(crate) async fn run(self, out: Out) -> anyhow::Result<ExitCode> {
        let ready = self
            .process
            .ready(("worker", Outage::Waits), |sources| self.add_to(sources))
            .await?;
        let registry = roles::registry(ready.settings.diagnostics);
        roles::spawn_worker(
            &ready.life,
            &ready.settings,
            "worker",
            ready.db.clone(),
            registry,
        );
        ready.keep_metrics_small();
        ready.live(out).await
    }

    fn add_to(&self, mut sources: Sources) -> Sources {
        if let Some(concurrency) = self.concurrency {
            sources = sources.set("worker.concurrency", concurrency);
        }
        if let Some(grace) = self.shutdown_grace {
            sources = sources.set("worker.shutdown_grace", format!("{}ms", grace.as_millis()));
        }
        if !self.queues.is_empty() {
            // As a whole, because a queue's name may have dots in it.
            let queues: BTreeMap<String, usize> = self.queues.iter().cloned().collect();
            sources = sources.set("worker.queues", queues);
        }
        sources
    }
}

async fn keep_small(metrics: Metrics, soft: CancellationToken) -> Result<(), Infallible> {
    soft.run_until_cancelled(metrics.keep_small()).await;
    Ok(())
}

impl Scheduler {
    pub(crate) async fn run(self, out: Out) -> anyhow::Result<ExitCode> {
        let role = ("scheduler", Outage::Waits);
        let ready = self.process.ready(role, |sources| sources).await?;
        roles::spawn_scheduler(&ready.life, &ready.settings, ready.db.clone());
        ready.keep_metrics_small();
        ready.live(out).await
    }
}

impl Api {
    pub(crate) async fn run(self, out: Out) -> anyhow::Result<ExitCode> {
        let bind = self.bind;
        let role = ("api", Outage::Answers);
        let ready = self.process.ready(role, |sources| match bind {
            Some(bind) => sources.set("api.bind", bind),
            None => sources,
        });
        let ready = ready.await?;
        let bind = ready.settings.api.bind;
        let listener = TcpListener::bind(bind).await;
        let listener = listener
            .with_context(|| format!("could not listen on {bind}; choose another with --bind"))?;
        tracing::info!(address = %listener.local_addr()?, "API listens");
        let registry = roles::registry(ready.settings.diagnostics);
        let (db, metrics) = (ready.db.clone(), ready.metrics.clone());
        roles::spawn_api(
            &ready.life,
            &ready.settings,
            db,
            registry,
            listener,
            metrics,
        );
        ready.live(out).await
    }
}
