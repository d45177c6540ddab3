//! Slots: the rows that count towards a partner's load, each put in or ended in one statement with the load itself.
//!
//! `fleet.take_slot` is the guard (see the migration): whoever assigns goes through it. The order of locks is: the client, then
//! partners by id, then whatever jobs are asked for.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::client::Client;

/// What is to be put in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Claim<'a> {
    pub(super) client: &'a Client,
    pub(super) partner: Uuid,
    pub(super) weight: f64,
    pub(super) decision: Uuid,
    /// A person decided: a competitor is no hindrance.
    pub(super) by_hand: bool,
    /// A person decided that the cap is none, either.
    pub(super) overload: bool,
}

/// Where that left the partner.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Taken {
    pub(super) id: Uuid,
    pub(super) load: f64,
    pub(super) cap: f64,
}

/// Locks partners in the one order in which several are locked; before any row of theirs is changed, because that asks for their scores,
/// and two who ask for the same wait for each other.
pub(super) async fn lock(conn: &mut PgConnection, partners: &[Uuid]) -> Result<(), sqlx::Error> {
    sqlx::query!(
        r#"-- assignment.lock
        SELECT partner_id FROM fleet.partner_capacity WHERE partner_id = ANY ($1) ORDER BY partner_id FOR NO KEY UPDATE"#,
        partners,
    )
    .fetch_all(conn)
    .await?;
    Ok(())
}

/// Gives the client to the partner, if it has a slot.
pub(super) async fn assign(
    conn: &mut PgConnection,
    claim: &Claim<'_>,
) -> Result<Option<Taken>, sqlx::Error> {
    let row = sqlx::query!(
        r#"-- assignment.assign
        INSERT INTO fleet.client_assignments (tenant_id, client_id, partner_id, weight, decision_id, load_after, cap_then, manual_overload)
        SELECT $1, $2, $3, $4::float8::numeric, $5, s.load_after, s.cap_then, s.load_after > s.cap_then
        FROM fleet.take_slot($1, $2, $3, $4::float8::numeric, $6, $7) AS s
        RETURNING assignment_id AS id, load_after::float8 AS "load!", cap_then::float8 AS "cap!""#,
        claim.client.tenant_id,
        claim.client.client_id,
        claim.partner,
        claim.weight,
        claim.decision,
        claim.by_hand,
        claim.overload,
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| Taken {
        id: row.id,
        load: row.load,
        cap: row.cap,
    }))
}

/// Keeps a slot of the partner for the client for some hours, if it has one.
pub(super) async fn reserve(
    conn: &mut PgConnection,
    claim: &Claim<'_>,
    hours: u16,
) -> Result<Option<(Taken, DateTime<Utc>)>, sqlx::Error> {
    let row = sqlx::query!(
        r#"-- assignment.reserve
        INSERT INTO fleet.assignment_reservations (tenant_id, client_id, partner_id, weight, decision_id, load_after, cap_then, expires_at)
        SELECT $1, $2, $3, $4::float8::numeric, $5, s.load_after, s.cap_then, fleet.clock() + make_interval(hours => $6)
        FROM fleet.take_slot($1, $2, $3, $4::float8::numeric, false, false) AS s
        RETURNING reservation_id AS id, load_after::float8 AS "load!", cap_then::float8 AS "cap!", expires_at"#,
        claim.client.tenant_id,
        claim.client.client_id,
        claim.partner,
        claim.weight,
        claim.decision,
        i32::from(hours),
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| {
        let taken = Taken {
            id: row.id,
            load: row.load,
            cap: row.cap,
        };
        (taken, row.expires_at)
    }))
}

/// Ends what the client has with a partner, and gives the slot back. The partner it had; none: it had none.
pub(super) async fn end_assignment(
    conn: &mut PgConnection,
    client: &Client,
) -> Result<Option<Uuid>, sqlx::Error> {
    let ended = sqlx::query!(
        r#"-- assignment.end
        UPDATE fleet.client_assignments SET ended_at = GREATEST(fleet.clock(), started_at)
        WHERE tenant_id = $1 AND client_id = $2 AND ended_at IS NULL
        RETURNING partner_id, weight::float8 AS "weight!""#,
        client.tenant_id,
        client.client_id,
    )
    .fetch_optional(&mut *conn)
    .await?;
    let Some(ended) = ended else { return Ok(None) };
    free(conn, ended.partner_id, ended.weight).await?;
    Ok(Some(ended.partner_id))
}

/// Gives a slot back, in the transaction that ended the row it was for. Whoever waits for one is woken by the database.
pub(super) async fn free(
    conn: &mut PgConnection,
    partner: Uuid,
    weight: f64,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        r#"-- assignment.free
        SELECT fleet.free_slot($1, $2::float8::numeric)"#,
        partner,
        weight,
    )
    .fetch_one(conn)
    .await?;
    Ok(())
}

/// Moves the client's running campaigns to whoever looks after it now.
pub(super) async fn move_campaigns(
    conn: &mut PgConnection,
    client: &Client,
    from: Uuid,
    to: Option<Uuid>,
) -> Result<u64, sqlx::Error> {
    let moved = sqlx::query!(
        r#"-- assignment.move_campaigns
        UPDATE fleet.campaigns SET partner_id = $4
        WHERE tenant_id = $1 AND client_id = $2 AND partner_id = $3 AND ended_on IS NULL"#,
        client.tenant_id,
        client.client_id,
        from,
        to,
    )
    .execute(conn)
    .await?;
    Ok(moved.rows_affected())
}
