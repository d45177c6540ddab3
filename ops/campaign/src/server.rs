//! The campaign's PostgreSQL, and what is done to it. Whoever kills it need not start it again: it is watched over.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use fleet_runtime::postgres::{Embedded, Options};
use rustix::process::{Pid, Signal, kill_process};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, Connection, PgConnection, PgPool};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::disk::Disk;
use crate::error::CampaignError;

/// Between two tries of a start that a full disk lets fail.
const START_AGAIN: Duration = Duration::from_millis(500);
/// A server under a campaign is small, and must not fill its disk by itself.
const SETTINGS: [&str; 4] = [
    "ALTER SYSTEM SET max_wal_size = '256MB'",
    "ALTER SYSTEM SET min_wal_size = '64MB'",
    "ALTER SYSTEM SET checkpoint_timeout = '2min'",
    "SELECT pg_reload_conf()",
];

/// The server.
pub(crate) struct Server {
    embedded: Arc<Embedded>,
    /// Or why there is none.
    pub(crate) disk: Result<Disk, String>,
    pub(crate) clock: Clock,
    pool: PgPool,
    options: PgConnectOptions,
    stop: CancellationToken,
    watching: JoinHandle<()>,
}

impl Server {
    /// Starts it in a folder, on a disk of its own where that can be.
    pub(crate) async fn start(folder: &Path) -> Result<Self, CampaignError> {
        let home = folder.join("server");
        std::fs::create_dir(&home).map_err(CampaignError::file("make", &home))?;
        let disk = Disk::mount(&home);
        let mut options = Options::default();
        options.shared_buffers_mb = 64;
        let embedded = Arc::new(Embedded::start(&home, options).await?);
        let options: PgConnectOptions = embedded
            .url()
            .parse()
            .map_err(CampaignError::database("say where it is"))?;
        let pool = PgPoolOptions::new()
            .max_connections(4)
            .acquire_timeout(Duration::from_secs(3))
            .connect_lazy_with(options.clone());
        let stop = CancellationToken::new();
        let server = Self {
            watching: tokio::spawn(watch_over(Arc::clone(&embedded), stop.clone())),
            clock: Clock::default(),
            embedded,
            disk,
            pool,
            options,
            stop,
        };
        for statement in SETTINGS {
            server.alter(statement).await?;
        }
        Ok(server)
    }

    /// The address for a process that reaches it through `port`.
    pub(crate) fn url_through(&self, port: u16) -> String {
        let direct = format!("127.0.0.1:{}", self.embedded.port());
        self.embedded
            .url()
            .replace(&direct, &format!("127.0.0.1:{port}"))
    }

    pub(crate) fn port(&self) -> u16 {
        self.embedded.port()
    }

    /// Connections of the campaign's own, past every proxy.
    pub(crate) fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// Ends it as nothing can be caught.
    pub(crate) fn kill(&self) {
        self.signal(Signal::KILL);
    }

    /// Ends it in good order, but for its clients, who are cut off.
    pub(crate) fn restart(&self) {
        self.signal(Signal::INT);
    }

    fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.embedded.pid())
            .ok()
            .and_then(Pid::from_raw);
        if let Some(pid) = pid {
            // Gone already: which is what the signal was for.
            let _ = kill_process(pid, signal);
        }
    }

    /// True where it lets us in.
    pub(crate) async fn answers(&self) -> bool {
        let connecting = PgConnection::connect_with(&self.options);
        match tokio::time::timeout(Duration::from_secs(2), connecting).await {
            Ok(Ok(conn)) => conn.close().await.is_ok(),
            _ => false,
        }
    }

    /// Sets the database's clock off by the present offset; true where the server took it.
    pub(crate) async fn set_clock(&self) -> Result<(), CampaignError> {
        for statement in self.clock.statements() {
            self.alter(&statement).await?;
        }
        Ok(())
    }

    async fn alter(&self, statement: &str) -> Result<(), CampaignError> {
        let failed = CampaignError::database("take a setting");
        let altered = async {
            let mut conn = PgConnection::connect_with(&self.options).await?;
            // A setting that no module owns must be known to the session before it can be altered.
            sqlx::raw_sql("SET fleet.now = ''")
                .execute(&mut conn)
                .await?;
            sqlx::raw_sql(AssertSqlSafe(statement))
                .execute(&mut conn)
                .await?;
            conn.close().await
        };
        altered.await.map_err(failed)
    }

    /// Runs SQL that the campaign was told to run.
    pub(crate) async fn run(&self, sql: &str) -> Result<(), CampaignError> {
        let failed = CampaignError::database("take the sabotage");
        let ran = sqlx::raw_sql(AssertSqlSafe(sql)).execute(&self.pool).await;
        ran.map(|_| ()).map_err(failed)
    }

    /// Copies its log out of its disk, which goes with it. What cannot be copied is not worth the report.
    pub(crate) fn keep_logs(&self, into: &Path) {
        let Ok(files) = self.embedded.logs() else {
            return;
        };
        for file in files {
            let name = file.file_name().unwrap_or_default();
            if let Err(error) = std::fs::copy(&file, into.join(name)) {
                tracing::warn!(%error, file = %file.display(), "PostgreSQL's log could not be kept");
            }
        }
    }

    /// Stops it for good.
    pub(crate) async fn stop(self) {
        self.stop.cancel();
        let _ = self.watching.await;
        self.pool.close().await;
        if let Some(embedded) = Arc::into_inner(self.embedded)
            && let Err(error) = embedded.stop().await
        {
            tracing::warn!(%error, "the campaign's PostgreSQL did not stop in good order");
        }
    }
}

/// Starts it again whenever it is gone; on a full disk that fails, and is tried again.
async fn watch_over(embedded: Arc<Embedded>, stop: CancellationToken) {
    while let Err(error) = embedded.supervise(stop.clone()).await {
        tracing::info!(%error, "PostgreSQL could not be started again yet");
        tokio::time::sleep(START_AGAIN).await;
    }
}
