//! The kinds this installation knows, written down by whichever binary serves them, so that SQL callers get the same defaults.

use serde_json::Value;
use sqlx::PgConnection;

use crate::{Error, Policy};

/// A kind as registered.
#[derive(Clone, Debug, PartialEq)]
pub struct KindInfo {
    /// `family.verb`.
    pub kind: &'static str,
    /// Version of its payload.
    pub version: i16,
    /// Its defaults.
    pub policy: Policy,
    /// JSON Schema of its payload.
    pub schema: Value,
    /// A payload that works.
    pub example: Value,
    /// What it does, in a sentence.
    pub description: &'static str,
}

/// Writes kinds down; an older binary never overwrites what a newer one wrote.
pub async fn register_kinds(conn: &mut PgConnection, kinds: &[KindInfo]) -> Result<(), Error> {
    let names: Vec<_> = kinds.iter().map(|k| k.kind).collect();
    let versions: Vec<_> = kinds.iter().map(|k| k.version).collect();
    let queues: Vec<_> = kinds.iter().map(|k| k.policy.queue).collect();
    let priorities: Vec<_> = kinds.iter().map(|k| k.policy.priority).collect();
    let attempts: Vec<_> = kinds.iter().map(|k| k.policy.max_attempts).collect();
    let timeouts: Vec<_> = kinds
        .iter()
        .map(|k| k.policy.timeout.as_millis() as i32)
        .collect();
    let schemas: Vec<_> = kinds.iter().map(|k| &k.schema).collect();
    let examples: Vec<_> = kinds.iter().map(|k| &k.example).collect();
    let descriptions: Vec<_> = kinds.iter().map(|k| k.description).collect();
    sqlx::query!(
        r#"-- kinds.register
        INSERT INTO fleet.kind AS k (kind, version, queue, priority, max_attempts, timeout_ms, schema, example, description)
        SELECT * FROM unnest($1::text[], $2::smallint[], $3::text[], $4::smallint[], $5::smallint[], $6::integer[], $7::jsonb[], $8::jsonb[], $9::text[]) n
            (kind, version, queue, priority, max_attempts, timeout_ms, schema, example, description)
        ORDER BY 1
        ON CONFLICT (kind) DO UPDATE SET version = excluded.version, queue = excluded.queue, priority = excluded.priority, max_attempts = excluded.max_attempts,
            timeout_ms = excluded.timeout_ms, schema = excluded.schema, example = excluded.example, description = excluded.description, updated_at = now()
        WHERE excluded.version >= k.version
          AND (k.version, k.queue, k.priority, k.max_attempts, k.timeout_ms, k.schema, k.example, k.description)
              IS DISTINCT FROM (excluded.version, excluded.queue, excluded.priority, excluded.max_attempts, excluded.timeout_ms, excluded.schema, excluded.example, excluded.description)"#,
        &names as &[&str],
        &versions,
        &queues as &[&str],
        &priorities,
        &attempts,
        &timeouts,
        &schemas as &[&Value],
        &examples as &[&Value],
        &descriptions as &[&str],
    )
    .execute(conn)
    .await
    .map_err(Error::database("kinds.register"))?;
    Ok(())
}
