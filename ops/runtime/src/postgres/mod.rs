//! An embedded PostgreSQL: a real server, run as a process beside us on a folder of its own.
//!
//! `find` looks for binaries, `install` fetches them, `home` lays out the folder and makes the
//! cluster, `cluster` starts, adopts and stops the server, `lock` keeps a second fleet off.
//!
//! Promises: what was committed survives (fsync on, unless the options say `for_tests`); only this
//! machine can connect, and only with the password in the folder; the server stops with us; and if
//! we are killed, the next start finds it running, or clears up after it, and goes on.
//!
//! It is no replacement for a managed server: no replica, no backup, no upgrade across major
//! versions.

mod account;
mod cluster;
mod error;
mod find;
mod home;
mod install;
mod lock;
mod options;
mod postmaster;
#[cfg(test)]
mod tests;
mod throwaway;
mod unpack;
mod wheel;

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rustix::process::Signal;
use tokio_util::sync::CancellationToken;

pub use self::error::PgError;
pub use self::find::{Binaries, Version, install_dir};
pub use self::install::{InstallError, Progress, install};
pub use self::options::Options;

use self::cluster::Cluster;
use self::home::{Home, NAME};
use self::lock::FolderLock;
use self::postmaster::PidFile;
use self::throwaway::{PREFIX, Undertaker};

/// How often `supervise` looks whether the server still runs.
const WATCH_EVERY: Duration = Duration::from_millis(250);

/// A running server. Dropping it begins a fast shutdown; `stop` also waits for its end.
#[derive(Debug)]
pub struct Embedded {
    cluster: Cluster,
    pid: AtomicU32,
    port: u16,
    leave_running: bool,
    undertaker: Option<Undertaker>,
    // Last, so that the folder is free only when all else is done.
    _lock: FolderLock,
}

impl Embedded {
    /// Runs the server of `dir`, making the folder and the cluster if need be.
    pub async fn start(dir: &Path, options: Options) -> Result<Self, PgError> {
        let home = Home::open(dir)?;
        let lock = FolderLock::take(home.dir())?;
        let binaries = Binaries::find(home.dir(), home.made_by())?;
        home.prepare(&binaries, &options).await?;
        let password = home.password()?;
        let cluster = Cluster {
            home,
            binaries,
            options,
            password,
        };
        let PidFile { pid, port } = cluster.up().await?;
        cluster.create_database(port).await?;
        tracing::debug!(pid, port, version = %cluster.binaries.version(), "PostgreSQL is up");
        Ok(Self {
            cluster,
            pid: AtomicU32::new(pid),
            port,
            leave_running: false,
            undertaker: None,
            _lock: lock,
        })
    }

    /// A server on a temporary folder, fast and not durable; both vanish with this value or with
    /// this process, whichever ends first and however it ends.
    pub async fn throw_away() -> Result<Self, PgError> {
        let parent = std::env::temp_dir();
        Undertaker::clear_up(parent.clone());
        let dir = tempfile::Builder::new().prefix(PREFIX).tempdir();
        let dir = dir.map_err(PgError::folder("create a folder in", &parent))?;
        // As root the server's account must pass; what matters inside is closed by itself.
        std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o711))
            .map_err(PgError::folder("open to its server", dir.path()))?;
        let undertaker = Undertaker::hire(dir.path())
            .map_err(PgError::folder("have a shell watch over", dir.path()))?;
        let mut server = Self::start(dir.path(), Options::for_tests()).await?;
        // From here on the undertaker removes the folder.
        let _ = dir.keep();
        server.undertaker = Some(undertaker);
        Ok(server)
    }

    /// Where to connect: database `fleet` as its owner. Holds the password.
    pub fn url(&self) -> String {
        url(self.port, &self.cluster.password)
    }

    pub fn pid(&self) -> u32 {
        self.pid.load(Ordering::Relaxed)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// The files of its log, which go with the folder.
    pub fn logs(&self) -> std::io::Result<Vec<PathBuf>> {
        let folder = self.cluster.home.data().join("log");
        folder.read_dir()?.map(|entry| Ok(entry?.path())).collect()
    }

    pub fn version(&self) -> Version {
        self.cluster.binaries.version()
    }

    /// Starts the server again whenever it is gone, until told to stop.
    ///
    /// PostgreSQL restarts its own crashed processes; this is for the death of their parent, by
    /// the kernel's out-of-memory killer or by hand. The port stays, for others know it.
    pub async fn supervise(&self, stop: CancellationToken) -> Result<(), PgError> {
        loop {
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                () = tokio::time::sleep(WATCH_EVERY) => {}
            }
            if !self.is_alive() {
                tracing::error!(pid = self.pid(), "PostgreSQL died; starting it again");
                self.revive().await?;
            }
        }
    }

    fn is_alive(&self) -> bool {
        postmaster::serves(self.pid(), &self.cluster.home.data())
    }

    async fn revive(&self) -> Result<(), PgError> {
        let PidFile { pid, .. } = self.cluster.relaunch(self.port).await?;
        self.pid.store(pid, Ordering::Relaxed);
        Ok(())
    }

    /// Stops the server: clients are cut off, what they committed is kept.
    pub async fn stop(self) -> Result<(), PgError> {
        self.cluster.stop(self.pid()).await
    }

    /// Lets the server run on without us; the next `start` on the folder adopts it.
    pub fn leave_running(mut self) {
        self.leave_running = true;
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        if !self.leave_running {
            postmaster::signal(self.pid(), &self.cluster.home.data(), Signal::INT);
        }
    }
}

/// The URL of the server that runs on `dir`, whoever started it; `None` if none answers.
pub async fn running(dir: &Path) -> Result<Option<String>, PgError> {
    if !dir.join("pg").is_dir() {
        return Ok(None);
    }
    let home = Home::existing(dir)?;
    let Some(found) = PidFile::read(&home.data()) else {
        return Ok(None);
    };
    let password = home.password()?;
    let answers = cluster::answers(cluster::login(found.port, &password)).await;
    Ok(answers.then(|| url(found.port, &password)))
}

fn url(port: u16, password: &str) -> String {
    format!("postgres://{NAME}:{password}@127.0.0.1:{port}/{NAME}?sslmode=disable")
}
