//! What a family is weighed by, as rows that are only added to: what every family's versions have in common, and how one reads.

use chrono::{DateTime, Utc};
use fleet_queue::JobError;
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

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
    /// As a job ends with it: only the database's troubles are tried again.
    pub(crate) fn into_job_error(self) -> JobError {
        match self {
            Self::Database(error) => error.into(),
            unusable => JobError::discard(unusable.to_string()),
        }
    }
}

/// A version as it is stored.
pub(crate) struct Stored {
    pub(crate) version: i32,
    pub(crate) settings: Value,
    pub(crate) changed_by: String,
    pub(crate) reason: Option<String>,
    pub(crate) changed_at: DateTime<Utc>,
}

impl Stored {
    pub(crate) fn read<S: DeserializeOwned>(
        self,
        family: &'static str,
    ) -> Result<Version<S>, SettingsError> {
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
