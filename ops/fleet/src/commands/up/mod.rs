//! `fleet up`: the whole fleet in one process, with a PostgreSQL of its own and demo data.
//!
//! ```text
//! PostgreSQL ─► schema ─► admin key ─► API, scheduler, workers ─► demo data ─► welcome
//!     ^  restarted if it dies                    until Ctrl-C or SIGTERM: drained, then stopped ─┐
//!     └──────────────────────────────────────── stopped last ◄───────────────────────────────────┘
//! ```
//! All state is in the data folder: a start after a kill -9 finds the server still running, or its files, and goes on.
//! It is one process, so a job that kills its process kills the fleet; in production the roles run apart.

mod admin_key;
mod demo;
mod readiness;
mod welcome;

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, anyhow};
use clap::Args;
use fleet_jobs::triage::shipped;
use fleet_queue::Probes;
use fleet_queue::transitions::enqueue::enqueue;
use fleet_runtime::config::Settings;
use fleet_runtime::lifecycle::{Exit, Lifecycle};
use fleet_runtime::postgres::{Embedded, Options, PgError};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use self::welcome::Welcome;
use super::migrate::migrate;
use crate::database::{DEFAULT_DATA, Database};
use crate::output::Out;
use crate::roles;

/// Connections of the embedded server that the roles share; the rest is for people and other processes.
const CONNECTIONS: u32 = 160;

/// Run the whole fleet here: PostgreSQL, API, scheduler, workers, demo data
#[derive(Args, Debug)]
pub(crate) struct Up {
    /// Where everything is kept
    #[arg(long, value_name = "DIR", default_value = DEFAULT_DATA)]
    data: PathBuf,
    /// The API's port; 0 takes any free one
    #[arg(long, value_name = "N", default_value_t = 8080)]
    port: u16,
    /// Workers; 0 leaves them to be started apart
    #[arg(long, value_name = "N", default_value_t = 1)]
    workers: u32,
    /// Make no demo data at the first start
    #[arg(long)]
    no_demo: bool,
    /// The settings file [default: ./fleet.toml, if it is there]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl Up {
    pub(crate) async fn run(self, out: Out) -> anyhow::Result<ExitCode> {
        let settings = self.settings()?;
        let metrics = roles::telemetry(&settings)?;
        let waiting = out.progress().spinner("starting PostgreSQL");
        let server = Embedded::start(&self.data, Options::default()).await;
        waiting.finish_and_clear();
        let server = server?;
        // What fails from here on must not leave a server behind that nobody asked for.
        let ended = match self.start(&settings, &server, metrics, out).await {
            Ok(life) => live(life, &server).await,
            Err(error) => Err(error),
        };
        let stopped = server.stop().await;
        let exit = ended?;
        stopped.context("PostgreSQL did not stop in good order")?;
        roles::farewell(&exit, out).map(ExitCode::from)
    }

    /// Diagnostics are on, and the roles together leave connections for others.
    fn settings(&self) -> anyhow::Result<Settings> {
        let config = self.config.as_deref();
        let mut settings = roles::settings(config, |sources| sources.set("diagnostics", true))?;
        let share = CONNECTIONS / (self.workers + 2);
        settings.database.pool_max = settings.database.pool_max.min(share.max(2));
        settings.api.bind = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
        Ok(settings)
    }

    /// Starts the roles; what is left to do before the welcome runs beside them, so that Ctrl-C ends it too.
    async fn start(
        &self,
        settings: &Settings,
        server: &Embedded,
        metrics: fleet_runtime::telemetry::Metrics,
        out: Out,
    ) -> anyhow::Result<Lifecycle> {
        let url = server.url();
        let database = Database::open(&url, &unhurried(settings)).await?;
        migrate(&database).await?;
        let key = admin_key::keep(&database, &self.data).await?;
        let registry = roles::registry(true);
        let listener = listen(settings.api.bind).await?;
        let api = format!("http://{}", listener.local_addr()?);

        let life = roles::lifecycle(settings);
        let connect = |role: &'static str| roles::connect(settings, &url, role, Probes::default());
        roles::spawn_api(
            &life,
            settings,
            connect("api").await?,
            registry.clone(),
            listener,
            metrics,
        );
        roles::spawn_scheduler(&life, settings, connect("scheduler").await?);
        for n in 1..=self.workers {
            let db = connect("worker").await?;
            roles::spawn_worker(
                &life,
                settings,
                &format!("worker {n}"),
                db,
                registry.clone(),
            );
        }
        let welcome = Welcome {
            api,
            admin_key: key,
            database_url: url,
            data: self.data.clone(),
            workers: self.workers,
            concurrency: settings.worker.concurrency,
        };
        let demo = !self.no_demo;
        let getting_ready = get_ready(database, demo, welcome, out);
        let stop = life.shutdown().soft;
        life.spawn_passing("start", async move {
            stop.run_until_cancelled(getting_ready)
                .await
                .unwrap_or(Ok(()))
        });
        Ok(life)
    }
}

/// Waits for the roles, makes the demo data, and says the welcome.
async fn get_ready(
    database: Database,
    demo: bool,
    welcome: Welcome,
    out: Out,
) -> anyhow::Result<()> {
    readiness::wait(&database, &welcome.api, welcome.workers as usize).await?;
    let first_model = first_model(&database).await?;
    if demo {
        let demo = demo::Demo {
            database,
            wait: welcome.workers > 0,
            first_model,
        };
        let made = demo.make(out).await;
        made.context("the demo data could not be made; --no-demo starts without")?;
    }
    welcome.say(out).context("nobody reads what is said")
}

/// Has the first ticket classifier made, where there is none: by the job that is given.
async fn first_model(database: &Database) -> anyhow::Result<Option<Uuid>> {
    let mut tx = database.begin().await?;
    let Some(job) = shipped::first_model(&mut tx).await? else {
        return Ok(None);
    };
    let enqueued = enqueue(&mut tx, &job).await?;
    tx.commit().await?;
    database.wake(&[job.queue]).await;
    Ok(Some(enqueued.id.0))
}

/// Lives until asked to stop; meanwhile, and while draining, a server that dies is started again.
async fn live(life: Lifecycle, server: &Embedded) -> anyhow::Result<Exit> {
    let soft = life.shutdown().soft;
    let over = CancellationToken::new();
    let living = async {
        let exit = life.run_until_done().await;
        over.cancel();
        exit
    };
    let watching = async {
        let watched = server.supervise(over.clone()).await;
        soft.cancel();
        watched
    };
    let (exit, watched): (Exit, Result<(), PgError>) = tokio::join!(living, watching);
    watched.context("PostgreSQL died and could not be started again")?;
    Ok(exit)
}

async fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .map_err(|error| match error.kind() {
            ErrorKind::AddrInUse => {
                anyhow!(
                    "port {} is taken; choose another with --port N, or any free one with --port 0",
                    address.port()
                )
            }
            _ => anyhow!(error).context(format!("could not listen on {address}")),
        })
}

/// Migrations and demo data take as long as they take; PostgreSQL reads 0 as no limit.
fn unhurried(settings: &Settings) -> fleet_runtime::config::Database {
    fleet_runtime::config::Database {
        statement_timeout: std::time::Duration::ZERO,
        ..settings.database.clone()
    }
}

/// A command line for this binary on the same data: called as it was called, with the folder where it is not the usual one.
fn again(data: &Path, what: &str) -> String {
    let called = std::env::args()
        .next()
        .unwrap_or_else(|| "fleet".to_owned());
    if data == Path::new(DEFAULT_DATA) {
        format!("{called} {what}")
    } else {
        format!("{called} {what} --data {}", data.display())
    }
}
