//! Why a campaign could not be carried out; what it finds out about the fleet is no error but its report.

use std::io;
use std::path::PathBuf;

use fleet_runtime::postgres::PgError;

/// Why a campaign ended without a report.
#[derive(Debug, thiserror::Error)]
pub enum CampaignError {
    /// The server would not start.
    #[error("the campaign's PostgreSQL did not start")]
    Server(#[from] PgError),
    /// A file or folder of the campaign's.
    #[error("could not {attempt} {}", path.display())]
    File {
        /// What was tried.
        attempt: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A process that should have started, or answered.
    #[error("{who} {what}; its log is in {}", log.display())]
    Process {
        /// Which.
        who: String,
        /// What it did not do.
        what: String,
        /// Where to look.
        log: PathBuf,
    },
    /// The database refused the campaign itself.
    #[error("the database did not {attempt}")]
    Database {
        /// What was tried.
        attempt: &'static str,
        /// Why not.
        source: sqlx::Error,
    },
    /// The API refused what the campaign begins with.
    #[error("the API did not {attempt}: {answer}")]
    Refused {
        /// What was asked.
        attempt: String,
        /// What it said.
        answer: String,
    },
    /// The histories.
    #[error("the histories could not be kept or read")]
    History(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Ctrl-C.
    #[error("the campaign was called off")]
    CalledOff,
}

impl CampaignError {
    pub(crate) fn file(
        attempt: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File {
            attempt,
            path,
            source,
        }
    }

    pub(crate) fn database(attempt: &'static str) -> impl FnOnce(sqlx::Error) -> Self {
        move |source| Self::Database { attempt, source }
    }
}
