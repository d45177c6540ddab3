//! Clients that nobody can take: put on the list with the reason, taken off when somebody can, told of when they wait for too long.
//!
//! Nobody asks the list by the clock. What makes room (a slot freed, a cap raised, a partner back or newly versed) enqueues
//! `assignment.batch` over it, in its own transaction (`fleet.wake_waitlist`).

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;
use sqlx::PgConnection;
use uuid::Uuid;

use super::client::Client;

/// A client that waits.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Waiting {
    /// Whose client.
    pub tenant_id: Uuid,
    /// The client.
    pub client_id: Uuid,
    /// What it is called.
    pub name: String,
    /// What it adds to a load.
    pub weight: f64,
    /// What stands in the way of most.
    pub why: String,
    /// Partners that a person would not have for it.
    pub exclude: Vec<Uuid>,
    /// Since when.
    pub since: DateTime<Utc>,
    /// When all partners were looked at last.
    pub tried_at: DateTime<Utc>,
    /// When it was told that it waits for too long.
    pub alerted_at: Option<DateTime<Utc>>,
    /// Why, in words.
    pub summary: String,
}

/// Puts the client on the list, or notes that it was tried again. True where it is new there.
pub(super) async fn put(
    conn: &mut PgConnection,
    client: &Client,
    weight: f64,
    decision: Uuid,
    why: &str,
    exclude: &[Uuid],
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"-- assignment.wait
        INSERT INTO fleet.assignment_waitlist AS w (tenant_id, client_id, weight, decision_id, why, exclude)
        VALUES ($1, $2, $3::float8::numeric, $4, $5, $6)
        ON CONFLICT (tenant_id, client_id) DO UPDATE
        SET weight = excluded.weight, decision_id = excluded.decision_id, why = excluded.why, exclude = excluded.exclude, tried_at = fleet.clock()
        RETURNING xmax = 0 AS "new!""#,
        client.tenant_id,
        client.client_id,
        weight,
        decision,
        why,
        exclude,
    )
    .fetch_one(conn)
    .await
}

/// Takes the client off the list.
pub(super) async fn remove(conn: &mut PgConnection, client: &Client) -> Result<bool, sqlx::Error> {
    let gone = sqlx::query!(
        r#"-- assignment.stop_waiting
        DELETE FROM fleet.assignment_waitlist WHERE tenant_id = $1 AND client_id = $2"#,
        client.tenant_id,
        client.client_id,
    )
    .execute(conn)
    .await?;
    Ok(gone.rows_affected() == 1)
}

/// Waits until nobody who makes room is about to commit, and has those after it wait until this transaction ends. Whoever holds this
/// waits for no partner: they may be held by somebody who waits here.
pub(super) async fn lock(conn: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query!(
        r#"-- assignment.lock_waitlist
        SELECT pg_advisory_xact_lock(hashtextextended('fleet.waitlist', 0)) IS NULL AS locked"#
    )
    .fetch_one(conn)
    .await?;
    Ok(())
}

/// Whom a person would not have for the client: those that are named now, what the list remembers, and who was rejected; each once, and
/// as many as the list can remember.
pub(super) async fn excluded(
    conn: &mut PgConnection,
    client: &Client,
    named: &[Uuid],
) -> Result<Vec<Uuid>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"-- assignment.excluded
        SELECT e.partner_id AS "partner_id!"
        FROM (SELECT unnest($3::uuid[]), 1
              UNION ALL
              SELECT d.partner_id, 2 FROM fleet.assignment_decisions AS d
              WHERE d.tenant_id = $1 AND d.client_id = $2 AND d.mode = 'review' AND d.outcome = 'released'
              UNION ALL
              SELECT unnest(w.exclude), 3 FROM fleet.assignment_waitlist AS w WHERE w.tenant_id = $1 AND w.client_id = $2)
             AS e (partner_id, turn)
        GROUP BY e.partner_id
        ORDER BY min(e.turn), e.partner_id
        LIMIT 1000"#,
        client.tenant_id,
        client.client_id,
        named,
    )
    .fetch_all(conn)
    .await
}

/// Clients that wait and that the session may see, those that wait longest first, after `after` (when, and who).
pub async fn list_waiting(
    conn: &mut PgConnection,
    after: Option<(DateTime<Utc>, Uuid)>,
    limit: i64,
) -> Result<Vec<Waiting>, sqlx::Error> {
    let (since, client) = after.unzip();
    sqlx::query_as!(
        Waiting,
        r#"-- assignment.waiting
        SELECT w.tenant_id, w.client_id, c.name, w.weight::float8 AS "weight!", w.why, w.exclude, w.since, w.tried_at, w.alerted_at,
               COALESCE(d.rationale->>'summary', '') AS "summary!"
        FROM fleet.assignment_waitlist AS w
        JOIN fleet.clients AS c ON c.tenant_id = w.tenant_id AND c.client_id = w.client_id
        LEFT JOIN fleet.assignment_decisions AS d ON d.tenant_id = w.tenant_id AND d.decision_id = w.decision_id
        WHERE $1::timestamptz IS NULL OR (w.since, w.client_id) > ($1, $2)
        ORDER BY w.since, w.client_id
        LIMIT $3"#,
        since,
        client,
        limit,
    )
    .fetch_all(conn)
    .await
}
