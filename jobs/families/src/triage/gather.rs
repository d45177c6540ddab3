//! Reads what a decision rests on: the ticket's text, who sent it, whose it could be, what looks the same.

use fleet_queue::TenantId;
use sqlx::PgConnection;
use uuid::Uuid;

use super::priority::Sender;
use super::settings::Settings;
use super::text::{TEXT_MAX, Text};

/// Messages of a ticket that are read: its first, for what it is about stands there.
const MESSAGES: i64 = 10;
/// Earlier tickets of a client that are compared.
const COMPARED: i64 = 200;

/// What was read.
#[derive(Clone, Debug)]
pub(super) struct Gathered {
    pub(super) text: Text,
    pub(super) sender: Sender,
    pub(super) partner: Option<Uuid>,
    pub(super) client: Uuid,
}

/// A ticket that looks the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Like {
    pub(super) other: Uuid,
    pub(super) reason: String,
    pub(super) distance: i16,
}

/// `None` where the ticket is gone.
pub(super) async fn gather(
    conn: &mut PgConnection,
    tenant: TenantId,
    ticket: Uuid,
    settings: &Settings,
) -> Result<Option<Gathered>, sqlx::Error> {
    let row = sqlx::query!(
        r#"-- triage.gather
        SELECT t.subject AS "subject!: String", t.client_id, m.body AS "body!", p.partner_id,
               c.plan AS "plan?", c.monthly_budget_micros AS "budget?", r.recent AS "recent!"
        FROM fleet.tickets AS t
        LEFT JOIN fleet.clients AS c ON c.tenant_id = t.tenant_id AND c.client_id = t.client_id
        CROSS JOIN LATERAL (
            -- Whose it is already, it stays: it takes no more room there than it has.
            SELECT CASE WHEN t.escalation_level = 1 AND EXISTS (
                SELECT FROM fleet.client_assignments AS a
                JOIN fleet.partners AS p ON p.partner_id = a.partner_id AND p.status = 'active'
                WHERE a.tenant_id = t.tenant_id AND a.client_id = t.client_id AND a.partner_id = t.partner_id AND a.ended_at IS NULL)
            THEN t.partner_id ELSE fleet.ticket_partner(t.tenant_id, t.client_id) END AS partner_id) AS p
        CROSS JOIN LATERAL (
            SELECT COALESCE(string_agg(left(x.body, $4), E'\n' ORDER BY x.sent_at, x.message_id), '') AS body FROM (
                SELECT m.body, m.sent_at, m.message_id FROM fleet.ticket_messages AS m
                WHERE m.tenant_id = t.tenant_id AND m.ticket_id = t.ticket_id AND m.author = 'customer'
                ORDER BY m.sent_at, m.message_id LIMIT $5) AS x) AS m
        CROSS JOIN LATERAL (
            SELECT count(*) AS recent FROM (
                SELECT FROM fleet.tickets AS o
                WHERE o.tenant_id = t.tenant_id AND o.client_id = t.client_id
                  AND o.opened_at > t.opened_at - make_interval(days => $3) AND o.opened_at <= t.opened_at
                LIMIT 100) AS o) AS r
        WHERE t.tenant_id = $1 AND t.ticket_id = $2"#,
        tenant.0,
        ticket,
        settings.priority.repeated_days as i32,
        TEXT_MAX as i32,
        MESSAGES,
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| Gathered {
        text: Text::of(&row.subject, &row.body),
        sender: Sender {
            plan: row.plan.unwrap_or_default(),
            monthly_budget_micros: row.budget.unwrap_or_default(),
            recent: row.recent,
        },
        partner: row.partner_id,
        client: row.client_id,
    }))
}

/// Earlier tickets of the client that say the same, or came by the same message: at most three.
pub(super) async fn likes(
    conn: &mut PgConnection,
    tenant: TenantId,
    ticket: Uuid,
    of: &Gathered,
    settings: &Settings,
) -> Result<Vec<Like>, sqlx::Error> {
    sqlx::query_as!(
        Like,
        r#"-- triage.likes
        WITH me AS (
            SELECT opened_at FROM fleet.tickets WHERE tenant_id = $1 AND ticket_id = $2
        ), near AS (
            SELECT o.ticket_id, o.simhash FROM fleet.tickets AS o, me
            WHERE o.tenant_id = $1 AND o.client_id = $3 AND o.ticket_id < $2
              AND o.opened_at > me.opened_at - make_interval(hours => $4) AND o.opened_at <= me.opened_at
            ORDER BY o.opened_at DESC
            LIMIT $5
        ), alike AS (
            SELECT ticket_id, bit_count((simhash # $6)::bit(64))::smallint AS distance FROM near WHERE simhash IS NOT NULL AND $6::bigint IS NOT NULL
        ), same AS (
            SELECT o.ticket_id
            FROM fleet.ticket_messages AS m
            JOIN fleet.ticket_messages AS o ON o.tenant_id = m.tenant_id AND o.external_id = m.external_id AND o.ticket_id < m.ticket_id
            JOIN fleet.tickets AS t ON t.tenant_id = o.tenant_id AND t.ticket_id = o.ticket_id AND t.client_id = $3
            WHERE m.tenant_id = $1 AND m.ticket_id = $2 AND m.external_id IS NOT NULL
              AND o.sent_at > m.sent_at - make_interval(hours => $4)
        )
        SELECT f.ticket_id AS "other!", f.reason AS "reason!", f.distance AS "distance!"
        FROM (
            SELECT DISTINCT ON (ticket_id) * FROM (
                SELECT ticket_id, 'message_id' AS reason, 0::smallint AS distance FROM same
                UNION ALL
                SELECT ticket_id, 'text', distance FROM alike WHERE distance <= $7) AS u
            ORDER BY ticket_id, reason) AS f
        ORDER BY f.distance, f.ticket_id
        LIMIT 3"#,
        tenant.0,
        ticket,
        of.client,
        settings.duplicate_hours as i32,
        COMPARED,
        of.text.simhash.map(|hash| hash as i64),
        settings.duplicate_bits as i16,
    )
    .fetch_all(conn)
    .await
}
