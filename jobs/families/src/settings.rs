//! What a family is weighed by, as rows that are only added to: what every family's versions have in common, and how one reads.

use std::future::Future;

use chrono::{DateTime, Utc};
use fleet_queue::JobError;
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use sqlx::PgConnection;

/// Most versions that are read at once.
const HISTORY_MAX: i64 = 200;

/// A family's settings. It gives its bounds, and the two statements over its own table.
pub trait Versioned: Serialize + DeserializeOwned + Send + Sync {
    /// Whose they are.
    const FAMILY: &'static str;

    /// Refuses what cannot be meant.
    fn check(&self) -> Result<(), SettingsError>;

    /// The latest rows, newest first.
    fn rows(
        conn: &mut PgConnection,
        limit: i64,
    ) -> impl Future<Output = Result<Vec<Stored>, sqlx::Error>> + Send;

    /// Adds the row after the newest; nobody else does meanwhile.
    fn add(
        conn: &mut PgConnection,
        settings: Value,
        by: &str,
        reason: Option<&str>,
    ) -> impl Future<Output = Result<(), sqlx::Error>> + Send;

    /// What holds now.
    fn current(
        conn: &mut PgConnection,
    ) -> impl Future<Output = Result<Version<Self>, SettingsError>> + Send {
        async {
            let newest = Self::rows(conn, 1).await?.pop();
            newest
                .ok_or(SettingsError::Missing(Self::FAMILY))?
                .read(Self::FAMILY)
        }
    }

    /// The latest versions, newest first.
    fn history(
        conn: &mut PgConnection,
        limit: i64,
    ) -> impl Future<Output = Result<Vec<Version<Self>>, SettingsError>> + Send {
        async move {
            let rows = Self::rows(conn, limit.clamp(1, HISTORY_MAX)).await?;
            rows.into_iter().map(|row| row.read(Self::FAMILY)).collect()
        }
    }

    /// Adds a version, which holds from now on.
    fn change(
        &self,
        conn: &mut PgConnection,
        by: &str,
        reason: Option<&str>,
    ) -> impl Future<Output = Result<Version<Self>, SettingsError>> + Send {
        async move {
            self.check()?;
            let value = serde_json::to_value(self).expect("plain numbers");
            await_turn(conn, Self::FAMILY).await?;
            Self::add(conn, value, by, reason).await?;
            Self::current(conn).await
        }
    }
}

/// Two who add a version of the same at once would give the same number; the turn lasts until the transaction ends.
pub(crate) async fn await_turn(conn: &mut PgConnection, of: &str) -> Result<(), sqlx::Error> {
    sqlx::query!(
        r#"-- settings.await_turn
        SELECT pg_advisory_xact_lock(hashtextextended('fleet.versions ' || $1::text, 0))"#,
        of,
    )
    .execute(conn)
    .await
    .map(|_| ())
}

/// Settings as they were from some time on.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "{S}Version")]
pub struct Version<S> {
    /// Rises by one with each change.
    pub version: i32,
    /// What held.
    pub settings: S,
    /// Who changed it.
    pub changed_by: String,
    /// Why.
    pub reason: Option<String>,
    /// Since when.
    pub changed_at: DateTime<Utc>,
}

/// Why settings cannot be used, or kept.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// A figure is out of bounds.
    #[error("{field} is {given}; {expected}")]
    Field {
        /// Its path, as in `weights.capacity`.
        field: &'static str,
        /// What it is.
        given: String,
        /// What would be right.
        expected: &'static str,
    },
    /// What is stored does not read as settings.
    #[error("version {version} of the {family} settings cannot be read: store a version that can")]
    Stored {
        /// Whose.
        family: &'static str,
        /// Which.
        version: i32,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// There are none.
    #[error("there are no {0} settings: store a version")]
    Missing(&'static str),
    /// The database did not carry it out.
    #[error("the database did not carry it out")]
    Database(#[from] sqlx::Error),
}

impl SettingsError {
    /// As a job ends with it. What is stored may have been written by a newer build, during an upgrade: a worker of that build, or
    /// this one once a person has stored a version that it can read, does the job.
    pub(crate) fn into_job_error(self) -> JobError {
        match self {
            Self::Database(error) => error.into(),
            unreadable @ Self::Stored { .. } => unreadable.into(),
            unusable => JobError::discard(unusable.to_string()),
        }
    }
}

/// A version as it is stored.
#[derive(Debug)]
pub struct Stored {
    pub(crate) version: i32,
    pub(crate) settings: Value,
    pub(crate) changed_by: String,
    pub(crate) reason: Option<String>,
    pub(crate) changed_at: DateTime<Utc>,
}

impl Stored {
    fn read<S: DeserializeOwned>(self, family: &'static str) -> Result<Version<S>, SettingsError> {
        let settings = serde_json::from_value(self.settings);
        Ok(Version {
            version: self.version,
            settings: settings.map_err(|source| SettingsError::Stored {
                family,
                version: self.version,
                source,
            })?,
            changed_by: self.changed_by,
            reason: self.reason,
            changed_at: self.changed_at,
        })
    }
}

/// Refuses a figure by name, unless it is good.
pub(crate) fn unless(
    good: bool,
    field: &'static str,
    given: impl Into<Value>,
    expected: &'static str,
) -> Result<(), SettingsError> {
    if good {
        return Ok(());
    }
    Err(SettingsError::Field {
        field,
        given: given.into().to_string(),
        expected,
    })
}
