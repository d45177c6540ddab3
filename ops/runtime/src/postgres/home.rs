//! The embedded server's files, and how they come to be.
//!
//! ```text
//! DIR/lock               who runs this folder (see `lock`)
//! DIR/pgbin/             binaries from `fleet pg install`, if any
//! DIR/pg/                0700, owned by the server's account
//!        password        of the superuser `fleet`, 0600
//!        start.log       what the last start said before the server's own log took over
//!        data/           the cluster; its log is data/log/, our settings are data/fleet.conf
//! ```
//! A cluster is made in `data.new` and renamed when whole, so an interrupted first start leaves
//! nothing that looks like a cluster.

use std::fs::{DirBuilder, OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use uuid::Uuid;

use super::account::Account;
use super::error::PgError;
use super::find::Binaries;
use super::options::{Options, port_in};

/// The superuser, and the database that is made for the fleet.
pub(super) const NAME: &str = "fleet";

/// Locales for a new cluster, best first: both sort by code point, as fast and as stable as sorting
/// gets; the second knows letters beyond ASCII only as bytes, but exists everywhere.
const LOCALES: [&str; 2] = ["C.UTF-8", "C"];

/// The folder of one embedded server.
#[derive(Debug, Clone)]
pub(super) struct Home {
    dir: PathBuf,
    pub(super) account: Account,
}

impl Home {
    /// Makes the folder if need be.
    pub(super) fn open(dir: &Path) -> Result<Self, PgError> {
        let is_root = rustix::process::geteuid().is_root();
        if !dir.exists() {
            // As root the server runs under another account, which must pass through.
            let open_to = if is_root { 0o711 } else { 0o700 };
            let made = DirBuilder::new().recursive(true).mode(open_to).create(dir);
            made.map_err(PgError::folder("create the folder", dir))?;
        }
        Self::existing(dir)
    }

    /// The folder, which must exist.
    pub(super) fn existing(dir: &Path) -> Result<Self, PgError> {
        let dir = dir
            .canonicalize()
            .map_err(PgError::folder("find the folder", dir))?;
        let account = Account::for_server(&dir.join("pg"));
        Ok(Self { dir, account })
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(super) fn pg(&self) -> PathBuf {
        self.dir.join("pg")
    }

    pub(super) fn data(&self) -> PathBuf {
        self.pg().join("data")
    }

    pub(super) fn start_log(&self) -> PathBuf {
        self.pg().join("start.log")
    }

    /// The major version that made the cluster; `None` if there is no cluster yet.
    pub(super) fn made_by(&self) -> Option<u32> {
        std::fs::read_to_string(self.data().join("PG_VERSION"))
            .ok()?
            .trim()
            .parse()
            .ok()
    }

    /// Makes the private folder and the cluster in it, unless they are there.
    pub(super) async fn prepare(
        &self,
        binaries: &Binaries,
        options: &Options,
    ) -> Result<(), PgError> {
        self.account.check_reach(&self.dir)?;
        self.account.check_reach(binaries.dir())?;
        if self.made_by().is_none() {
            self.create_private_folder()?;
            self.create_password()?;
            self.create_cluster(binaries, options).await?;
        }
        Ok(())
    }

    pub(super) fn password(&self) -> Result<String, PgError> {
        let path = self.pg().join("password");
        let text = std::fs::read_to_string(&path).map_err(PgError::folder("read", &path))?;
        Ok(text.trim().to_owned())
    }

    /// Each step also mends a folder whose making was interrupted before that step.
    fn create_private_folder(&self) -> Result<(), PgError> {
        let pg = self.pg();
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&pg);
        made.map_err(PgError::folder("create the folder", &pg))?;
        let closed = std::fs::set_permissions(&pg, Permissions::from_mode(0o700));
        closed.map_err(PgError::folder("close to others", &pg))?;
        self.account.own(&pg)
    }

    fn create_password(&self) -> Result<(), PgError> {
        // Two random UUIDs: 244 bits from the operating system's generator.
        let password = format!("{}{}\n", Uuid::new_v4().simple(), Uuid::new_v4().simple());
        self.write_private("password", &password)
    }

    /// Runs initdb with the first locale it accepts.
    async fn create_cluster(&self, binaries: &Binaries, options: &Options) -> Result<(), PgError> {
        let new = self.pg().join("data.new");
        let mut made = Ok(());
        for locale in LOCALES {
            remove_if_there(&new)?;
            made = self.initdb(binaries, options, &new, locale).await;
            if made.is_ok() {
                break;
            }
        }
        made?;
        include_settings(&new).map_err(PgError::folder("set up", &new))?;
        std::fs::rename(&new, self.data()).map_err(PgError::folder("rename", &new))?;
        sync_folder(&self.pg()).map_err(PgError::folder("make durable", self.pg()))
    }

    async fn initdb(
        &self,
        binaries: &Binaries,
        options: &Options,
        new: &Path,
        locale: &str,
    ) -> Result<(), PgError> {
        let mut command = self
            .account
            .command(&binaries.program("initdb"), &self.pg());
        command.arg("-D").arg(new);
        command.args([
            "--username",
            NAME,
            "--pwfile",
            "password",
            "--auth=scram-sha-256",
        ]);
        command.args(["--encoding=UTF8", "--locale", locale, "--lc-messages=C"]);
        command.arg(if options.is_durable() {
            "--data-checksums"
        } else {
            "--no-sync"
        });
        let output = command
            .output()
            .await
            .map_err(PgError::folder("run", binaries.dir()))?;
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        Err(PgError::Program {
            program: "initdb",
            said,
        })
    }

    /// The settings of the last start, if there was one.
    pub(super) fn settings(&self) -> Option<String> {
        std::fs::read_to_string(self.data().join("fleet.conf")).ok()
    }

    pub(super) fn write_settings(&self, settings: &str) -> Result<(), PgError> {
        self.write_private("data/fleet.conf", settings)
    }

    /// The port of the last start, which clients may have been told.
    pub(super) fn kept_port(&self) -> Option<u16> {
        port_in(&self.settings()?)
    }

    /// Writes a file under `pg/` that only the server's account (and root) can read.
    fn write_private(&self, name: &str, text: &str) -> Result<(), PgError> {
        let path = self.pg().join(name);
        let write = || {
            let mut options = OpenOptions::new();
            let mut file = options
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600)
                .open(&path)?;
            // `mode` is for new files only; an older one may have been left open to others.
            file.set_permissions(Permissions::from_mode(0o600))?;
            file.write_all(text.as_bytes())?;
            file.sync_all()
        };
        write().map_err(PgError::folder("write", &path))?;
        self.account.own(&path)
    }
}

fn remove_if_there(folder: &Path) -> Result<(), PgError> {
    if folder.exists() {
        std::fs::remove_dir_all(folder).map_err(PgError::folder("remove", folder))?;
    }
    Ok(())
}

fn include_settings(cluster: &Path) -> std::io::Result<()> {
    let mut file = OpenOptions::new()
        .append(true)
        .open(cluster.join("postgresql.conf"))?;
    writeln!(file, "\ninclude_if_exists 'fleet.conf'")
}

/// A rename is durable only once the folder that holds it is.
fn sync_folder(folder: &Path) -> std::io::Result<()> {
    std::fs::File::open(folder)?.sync_all()
}
