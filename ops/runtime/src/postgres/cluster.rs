//! Starting, adopting and stopping the server of one folder.
//!
//! ```text
//!              postmaster.pid names a process that serves our data?
//!                no │                          │ yes
//!        remove it  │                          │ wait until it answers, or is gone
//!                   v            settings      v
//!                launch <───── out of date ── adopt
//! ```
//! The server is never our child: pg_ctl gives it a session of its own, so it gets no Ctrl-C of
//! ours and outlives our kill -9, and a server just launched and one found running are the same
//! thing, a pid that serves our data. Callers hold the folder's lock.

use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

use rustix::process::Signal;
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::{Connection, Executor, PgConnection};
use tokio::time::Instant;

use super::error::PgError;
use super::find::Binaries;
use super::home::{Home, NAME};
use super::options::Options;
use super::postmaster::{self, PidFile};

const POLL: Duration = Duration::from_millis(20);
/// How long to go on trying when the port was snatched, or when backends of a killed server have
/// not noticed its death yet. A busy one notices when its statement ends, which takes at most the
/// statement timeout (30 s unless configured otherwise).
const TRANSIENT_PATIENCE: Duration = Duration::from_mins(1);
/// How long a fast shutdown may take before an immediate one follows (which costs a recovery).
const STOP_PATIENCE: Duration = Duration::from_secs(30);
/// What a failed start says when another try may succeed.
const TRANSIENT: [&str; 3] = [
    "Address already in use",
    "could not bind",
    "is still in use",
];

/// What is needed to run the server of one folder.
#[derive(Debug)]
pub(super) struct Cluster {
    pub(super) home: Home,
    pub(super) binaries: Binaries,
    pub(super) options: Options,
    pub(super) password: String,
}

impl Cluster {
    /// Makes sure that the server runs with our settings and answers.
    pub(super) async fn up(&self) -> Result<PidFile, PgError> {
        if let Some(running) = self.adopt().await? {
            return Ok(running);
        }
        self.launch(None).await
    }

    /// The server that already runs on our data, if any; clears a stale pid file.
    async fn adopt(&self) -> Result<Option<PidFile>, PgError> {
        let data = self.home.data();
        let Some(found) = PidFile::read(&data) else {
            return Ok(None);
        };
        let deadline = Instant::now() + self.options.start_timeout;
        while postmaster::serves(found.pid, &data) {
            if self.answers(found.port).await {
                return self.adopt_or_stop(found).await;
            }
            // Starting, recovering or stopping: each ends in an answer or in its end.
            if Instant::now() > deadline {
                return Err(self.slow("answer", found.pid, self.options.start_timeout));
            }
            tokio::time::sleep(POLL).await;
        }
        remove_pid_file(&data)?;
        Ok(None)
    }

    async fn adopt_or_stop(&self, found: PidFile) -> Result<Option<PidFile>, PgError> {
        if self.home.settings().as_deref() == Some(&self.options.settings(found.port)) {
            tracing::info!(
                pid = found.pid,
                port = found.port,
                "found our PostgreSQL still running"
            );
            return Ok(Some(found));
        }
        tracing::info!(
            pid = found.pid,
            "restarting PostgreSQL, its settings have changed"
        );
        self.stop(found.pid).await?;
        Ok(None)
    }

    /// Starts the server on `port`; by default on the last start's if free, else on any.
    pub(super) async fn launch(&self, port: Option<u16>) -> Result<PidFile, PgError> {
        let deadline = Instant::now() + TRANSIENT_PATIENCE;
        loop {
            let port = match port {
                Some(port) => port,
                None => self.free_port()?,
            };
            self.home.write_settings(&self.options.settings(port))?;
            match self.pg_ctl_start().await {
                Ok(started) => return Ok(started),
                Err(PgError::Program { said, .. })
                    if TRANSIENT.iter().any(|sign| said.contains(sign))
                        && Instant::now() < deadline =>
                {
                    tracing::debug!(%said, "PostgreSQL could not start yet, trying again");
                    tokio::time::sleep(POLL * 5).await;
                }
                Err(e) => return Err(e),
            }
        }
    }

    /// Starts the server again after its death, where clients expect it.
    pub(super) async fn relaunch(&self, port: u16) -> Result<PidFile, PgError> {
        remove_pid_file(&self.home.data())?;
        self.launch(Some(port)).await
    }

    fn free_port(&self) -> Result<u16, PgError> {
        let bind = |port| TcpListener::bind(("127.0.0.1", port)).and_then(|l| l.local_addr());
        let kept = self.home.kept_port().and_then(|port| bind(port).ok());
        let free = kept.map_or_else(|| bind(0), Ok);
        let free = free.map_err(PgError::folder("find a free port for", self.home.dir()))?;
        Ok(free.port())
    }

    async fn pg_ctl_start(&self) -> Result<PidFile, PgError> {
        let (data, log) = (self.home.data(), self.home.start_log());
        // What an earlier start said would be taken for this one's.
        let _ = std::fs::remove_file(&log);
        let mut command = self
            .home
            .account
            .command(&self.binaries.program("pg_ctl"), &self.home.pg());
        command
            .args(["start", "--wait", "--silent"])
            .arg("-D")
            .arg(&data)
            .arg("-l")
            .arg(&log);
        command
            .arg("-t")
            .arg(self.options.start_timeout.as_secs().to_string());
        let output = command
            .output()
            .await
            .map_err(PgError::folder("run", self.binaries.dir()))?;
        let started = PidFile::read(&data).filter(|found| postmaster::serves(found.pid, &data));
        match started {
            Some(started) if output.status.success() => Ok(started),
            _ => Err(PgError::Program {
                program: "pg_ctl start",
                said: self.last_words(&output.stderr),
            }),
        }
    }

    /// What pg_ctl and the server said, the server's part cut to its end.
    fn last_words(&self, pg_ctl: &[u8]) -> String {
        let log = std::fs::read_to_string(self.home.start_log()).unwrap_or_default();
        let lines: Vec<_> = log.lines().collect();
        let tail = lines[lines.len().saturating_sub(10)..].join("\n");
        format!("{}\n{tail}", String::from_utf8_lossy(pg_ctl).trim())
            .trim()
            .to_owned()
    }

    /// Stops the server: fast, and if that takes too long, at once.
    pub(super) async fn stop(&self, pid: u32) -> Result<(), PgError> {
        for how in [Signal::INT, Signal::QUIT] {
            postmaster::signal(pid, &self.home.data(), how);
            if self.ended(pid, STOP_PATIENCE).await {
                return Ok(());
            }
        }
        Err(self.slow("stop", pid, STOP_PATIENCE * 2))
    }

    async fn ended(&self, pid: u32, patience: Duration) -> bool {
        let data = self.home.data();
        let deadline = Instant::now() + patience;
        while postmaster::serves(pid, &data) {
            if Instant::now() > deadline {
                return false;
            }
            tokio::time::sleep(POLL).await;
        }
        true
    }

    /// Creates the fleet's database, unless it is there.
    pub(super) async fn create_database(&self, port: u16) -> Result<(), PgError> {
        let create = async {
            let mut db = PgConnection::connect_with(&self.login(port)).await?;
            let exists = "SELECT FROM pg_catalog.pg_database WHERE datname = 'fleet'";
            if db.fetch_optional(exists).await?.is_none() {
                db.execute("CREATE DATABASE fleet").await?;
            }
            db.close().await
        };
        let attempt = "create the database `fleet`";
        create.await.map_err(|source| PgError::Unanswered {
            attempt,
            port,
            source,
        })
    }

    pub(super) async fn answers(&self, port: u16) -> bool {
        answers(self.login(port)).await
    }

    fn login(&self, port: u16) -> PgConnectOptions {
        login(port, &self.password)
    }

    fn slow(&self, attempt: &'static str, pid: u32, after: Duration) -> PgError {
        let log = self.home.data().join("log");
        PgError::Slow {
            attempt,
            pid,
            seconds: after.as_secs(),
            log,
        }
    }
}

/// How the superuser connects; to `postgres`, which every cluster has.
pub(super) fn login(port: u16, password: &str) -> PgConnectOptions {
    PgConnectOptions::new_without_pgpass()
        .host("127.0.0.1")
        .port(port)
        .username(NAME)
        .password(password)
        .database("postgres")
        // Loopback, and the server has no certificate: don't even ask.
        .ssl_mode(PgSslMode::Disable)
}

/// Whether the server lets us in.
pub(super) async fn answers(login: PgConnectOptions) -> bool {
    let connecting = PgConnection::connect_with(&login);
    match tokio::time::timeout(Duration::from_secs(5), connecting).await {
        Ok(Ok(db)) => db.close().await.is_ok(),
        Ok(Err(_)) | Err(_) => false,
    }
}

/// The file would stop a start if its pid belongs to some other process by now. PostgreSQL's own
/// check, on its shared memory, still keeps two servers off one cluster.
fn remove_pid_file(data: &Path) -> Result<(), PgError> {
    let path = data.join("postmaster.pid");
    match std::fs::remove_file(&path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            Err(PgError::folder("remove the stale", &path)(e))
        }
        _ => Ok(()),
    }
}
