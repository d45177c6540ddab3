//! Holding a ticket: whoever changes one has its row first, so that changes come one after another.

use fleet_queue::TenantId;
use sqlx::PgConnection;
use uuid::Uuid;

/// A ticket that is held until the transaction ends.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Held {
    pub(crate) revision: i32,
    pub(crate) version: i32,
    pub(crate) triaged: Option<i32>,
    /// What it is about, if a person has said so.
    pub(crate) said: Option<String>,
    /// A person is asked what it is about.
    pub(crate) asks: bool,
    pub(crate) client: Uuid,
    pub(crate) level: i16,
    pub(crate) partner: Option<Uuid>,
    /// Sorting leaves it with whom it is: a person said so, or it was escalated, or is done with.
    pub(crate) stays: bool,
}

impl Held {
    /// Whether it is this partner's, at this level.
    pub(crate) fn is_of(&self, level: i16, partner: Uuid) -> bool {
        (self.level, self.partner) == (level, Some(partner))
    }
}

/// Holds a ticket; `None` where there is none.
pub(crate) async fn hold(
    conn: &mut PgConnection,
    tenant: TenantId,
    ticket: Uuid,
) -> Result<Option<Held>, sqlx::Error> {
    sqlx::query_as!(
        Held,
        r#"-- tickets.hold
        SELECT revision, version, triaged_revision AS triaged, needs_review AS asks, client_id AS client, escalation_level AS level, partner_id AS partner,
               'route' = ANY (human_set) OR status = 'escalated' OR closed_at IS NOT NULL AS "stays!",
               CASE WHEN 'category' = ANY (human_set) THEN category::text END AS said
        FROM fleet.tickets
        WHERE tenant_id = $1 AND ticket_id = $2
        FOR UPDATE"#,
        tenant.0,
        ticket,
    )
    .fetch_optional(conn)
    .await
}
