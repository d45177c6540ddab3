//! Escalation: a broken promise brings the ticket one level up, to the first at which there is somebody.
//!
//! Tier 1, the client's partner, a senior partner, an admin. An admin is always there, and keeps what reaches them.

use fleet_queue::TenantId;
use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

use super::plan::Promise;
use crate::event::{self, Event};
use crate::triage::{take_partner, take_senior};

/// Where a ticket stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) tenant: TenantId,
    pub(super) ticket: Uuid,
    pub(super) client: Uuid,
    pub(super) level: i16,
    pub(super) partner: Option<Uuid>,
    pub(super) closed: bool,
}

/// Brings a ticket up by one broken promise; gives where it then stands.
pub(super) async fn escalate(
    conn: &mut PgConnection,
    from: Standing,
    promise: Promise,
) -> Result<Standing, sqlx::Error> {
    let (level, partner) = next(conn, from).await?;
    sqlx::query!(
        r#"-- sla.escalate
        WITH barred AS (
            -- Whoever let a promise break is not promoted while the ticket is open.
            INSERT INTO fleet.partner_escalations (tenant_id, partner_id, ticket_id)
            SELECT $1, $5::uuid, $2 WHERE $5 IS NOT NULL
            ON CONFLICT (tenant_id, ticket_id, partner_id) WHERE closed_at IS NULL AND ticket_id IS NOT NULL DO NOTHING
        )
        UPDATE fleet.tickets
        SET status = 'escalated', escalation_level = $3, partner_id = $4, wants_partner = false, version = version + 1
        WHERE tenant_id = $1 AND ticket_id = $2"#,
        from.tenant.0,
        from.ticket,
        level,
        partner,
        from.partner.filter(|_| (1..=2).contains(&from.level)),
    )
    .execute(&mut *conn)
    .await?;
    let event = Event {
        kind: "ticket.escalated",
        subject: from.ticket,
        payload: json!({ "from": from.level, "to": level, "partner_id": partner, "clock": promise }),
    };
    event::record(conn, from.tenant, &event).await?;
    Ok(Standing {
        level,
        partner,
        ..from
    })
}

/// Who has room, which is taken.
async fn next(conn: &mut PgConnection, from: Standing) -> Result<(i16, Option<Uuid>), sqlx::Error> {
    if from.level < 1
        && let Some(partner) = take_partner(conn, from.tenant, from.client, None).await?
    {
        return Ok((1, Some(partner)));
    }
    if from.level < 2
        && let Some(senior) = take_senior(conn, from.tenant, from.partner).await?
    {
        return Ok((2, Some(senior)));
    }
    Ok((3, from.partner))
}
