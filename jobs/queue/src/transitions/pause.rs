//! Pause: nothing of a queue, a tenant or a kind is claimed any more; what runs goes on. Upholds I10.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;

use crate::Error;

/// What can be paused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum PauseScope {
    /// A queue, by its name.
    Queue,
    /// A tenant, by its id.
    Tenant,
    /// A kind, by its name.
    Kind,
}

impl PauseScope {
    /// The word in the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queue => "queue",
            Self::Tenant => "tenant",
            Self::Kind => "kind",
        }
    }

    /// The scope of a word in the database.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Queue, Self::Tenant, Self::Kind]
            .into_iter()
            .find(|scope| scope.as_str() == word)
    }
}

/// A pause: what, why, by whom, until when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pause<'a> {
    /// What kind of thing.
    pub scope: PauseScope,
    /// Which one.
    pub name: &'a str,
    /// Why, for whoever wonders.
    pub reason: &'a str,
    /// By whom.
    pub by: &'a str,
    /// Lifted by itself then; `None`: until resumed.
    pub until: Option<DateTime<Utc>>,
}

/// Pauses; a second pause of the same replaces the reason and the end. From its commit on nothing of it is claimed.
pub async fn pause(conn: &mut PgConnection, pause: Pause<'_>) -> Result<(), Error> {
    if !(1..=1000).contains(&pause.reason.len()) {
        let problem = "must say why, in at most 1,000 bytes".to_owned();
        return Err(Error::Invalid {
            field: "reason",
            problem,
        });
    }
    sqlx::query!(
        r#"-- queue.pause
        INSERT INTO fleet.pause (scope, name, reason, paused_by, since, until) VALUES ($1, $2, $3, $4, fleet.clock(), $5)
        ON CONFLICT (scope, name) DO UPDATE SET reason = excluded.reason, paused_by = excluded.paused_by, until = excluded.until"#,
        pause.scope.as_str(),
        pause.name,
        pause.reason,
        pause.by,
        pause.until,
    )
    .execute(conn)
    .await
    .map_err(Error::database("queue.pause"))?;
    Ok(())
}
