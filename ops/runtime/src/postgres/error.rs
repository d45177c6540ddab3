//! What can go wrong with the embedded server, said so that the reader knows what to do next.

use std::path::PathBuf;

use super::find::Version;

/// A failure to find, start or stop the embedded PostgreSQL.
#[derive(Debug, thiserror::Error)]
pub enum PgError {
    /// No usable binaries anywhere.
    #[error(
        "no PostgreSQL {minimum} or newer found (looked in {searched}); install your system's \
         `postgresql` package, run `fleet pg install`, or point FLEET_PGBIN at a folder that \
         holds initdb, pg_ctl and postgres"
    )]
    NoBinaries { minimum: u32, searched: String },

    /// The data was made by a major version that none of the binaries found is.
    #[error(
        "the data in {} was made by PostgreSQL {data}, but only {found} found; PostgreSQL can't \
         read another major version's files: install PostgreSQL {data}, or start in a fresh folder",
        dir.display()
    )]
    OtherMajor {
        dir: PathBuf,
        data: u32,
        found: String,
    },

    /// Another process of ours holds the folder.
    #[error(
        "a fleet is already running on {} (process {pid}); stop it first, or use another folder",
        dir.display()
    )]
    AlreadyRunning { pid: u32, dir: PathBuf },

    /// As root the server runs under another account, which can't reach its files.
    #[error(
        "PostgreSQL must not run as root, so it runs as `{user}`, and that account can't enter {}; \
         allow it (chmod o+x) or choose a data folder elsewhere",
        folder.display()
    )]
    OutOfReach { folder: PathBuf, user: String },

    /// The file system said no.
    #[error("could not {attempt} {}", path.display())]
    Folder {
        attempt: &'static str,
        path: PathBuf,
        source: std::io::Error,
    },

    /// One of PostgreSQL's own programs could not be run, or failed.
    #[error("{program} failed: {said}")]
    Program { program: &'static str, said: String },

    /// The server runs, but doesn't do what was asked over its port.
    #[error("PostgreSQL on port {port} did not {attempt}")]
    Unanswered {
        attempt: &'static str,
        port: u16,
        source: sqlx::Error,
    },

    /// The server neither became ready nor stopped in time.
    #[error("PostgreSQL (process {pid}) did not {attempt} within {seconds} s; its log is in {}", log.display())]
    Slow {
        attempt: &'static str,
        pid: u32,
        seconds: u64,
        log: PathBuf,
    },
}

impl PgError {
    /// For `map_err`: names what was tried on which path.
    pub(super) fn folder(
        attempt: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Folder {
            attempt,
            path,
            source,
        }
    }

    pub(super) fn no_binaries(searched: &[PathBuf]) -> Self {
        let searched: Vec<_> = searched
            .iter()
            .map(|dir| dir.display().to_string())
            .collect();
        let searched = if searched.is_empty() {
            "no folder".into()
        } else {
            searched.join(", ")
        };
        Self::NoBinaries {
            minimum: Version::MINIMUM_MAJOR,
            searched,
        }
    }
}
