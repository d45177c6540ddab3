//! What the upkeep duties last did, as each scheduler process notes it down; for the API, the console and `fleet doctor`.
//!
//! Nothing decides by it: a duty that is due is done whatever stands here.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::Error;

/// A duty's last round, as its process knows it.
#[derive(Clone, Debug, PartialEq)]
pub struct DutyNote {
    /// The duty.
    pub name: &'static str,
    /// Seconds since its last round began.
    pub ago_s: f64,
    /// How long that round took.
    pub took_ms: f64,
    /// Rounds since the process started.
    pub rounds: i64,
    /// How many of them failed.
    pub failures: i64,
    /// What went wrong in the last one.
    pub error: Option<String>,
    /// What the last round that went well did.
    pub result: Value,
}

/// A duty's last round in one process.
#[derive(Clone, Debug, PartialEq, Serialize, schemars::JsonSchema)]
pub struct DutyStatus {
    /// The duty.
    pub name: String,
    /// The process, new at each start.
    pub process: Uuid,
    /// Its host.
    pub host: String,
    /// When its last round began.
    pub ran_at: DateTime<Utc>,
    /// How long that took.
    pub took_ms: f64,
    /// Rounds since the process started.
    pub rounds: i64,
    /// How many of them failed.
    pub failures: i64,
    /// What went wrong in the last one.
    pub error: Option<String>,
    /// What the last round that went well did.
    pub result: Value,
    /// When the process last wrote this down.
    pub noted_at: DateTime<Utc>,
}

/// Longest error text kept, in characters.
const ERROR_CHARS_MAX: usize = 2_000;

/// Writes down what a process's duties last did, in one statement, and forgets processes silent for a day.
pub async fn note(
    conn: &mut PgConnection,
    process: Uuid,
    host: &str,
    notes: &[DutyNote],
) -> Result<(), Error> {
    let names: Vec<_> = notes.iter().map(|note| note.name).collect();
    let agos: Vec<_> = notes.iter().map(|note| note.ago_s).collect();
    let tooks: Vec<_> = notes.iter().map(|note| note.took_ms).collect();
    let rounds: Vec<_> = notes.iter().map(|note| note.rounds).collect();
    let failures: Vec<_> = notes.iter().map(|note| note.failures).collect();
    let errors: Vec<Option<String>> = notes
        .iter()
        .map(|note| {
            note.error
                .as_ref()
                .map(|error| error.chars().take(ERROR_CHARS_MAX).collect())
        })
        .collect();
    let results: Vec<_> = notes.iter().map(|note| &note.result).collect();
    sqlx::query!(
        r#"-- duties.note
        WITH silent AS (
            DELETE FROM fleet.duty WHERE process <> $1 AND noted_at < fleet.clock() - interval '1 day'
        )
        INSERT INTO fleet.duty AS d (name, process, host, ran_at, took_ms, rounds, failures, error, result, noted_at)
        SELECT n.name, $1, $2, fleet.clock() - make_interval(secs => n.ago_s), n.took_ms, n.rounds, n.failures, n.error, n.result, fleet.clock()
        FROM unnest($3::text[], $4::float8[], $5::float8[], $6::bigint[], $7::bigint[], $8::text[], $9::jsonb[])
            AS n (name, ago_s, took_ms, rounds, failures, error, result)
        ON CONFLICT (name, process) DO UPDATE SET host = excluded.host, ran_at = excluded.ran_at, took_ms = excluded.took_ms, rounds = excluded.rounds,
            failures = excluded.failures, error = excluded.error, result = excluded.result, noted_at = excluded.noted_at"#,
        process,
        host,
        &names as &[&str],
        &agos,
        &tooks,
        &rounds,
        &failures,
        &errors as &[Option<String>],
        &results as &[&Value],
    )
    .execute(conn)
    .await
    .map_err(Error::database("duties.note"))?;
    Ok(())
}

/// Every process's last round of every duty, by duty, the freshest first.
pub async fn list(conn: &mut PgConnection) -> Result<Vec<DutyStatus>, Error> {
    sqlx::query_as!(
        DutyStatus,
        r#"-- duties.list
        SELECT name, process, host, ran_at, took_ms, rounds, failures, error, result, noted_at
        FROM fleet.duty ORDER BY name, noted_at DESC, process LIMIT 1000"#
    )
    .fetch_all(conn)
    .await
    .map_err(Error::database("duties.list"))
}
