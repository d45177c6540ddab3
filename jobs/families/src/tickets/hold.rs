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
        SELECT revision, version, triaged_revision AS triaged, needs_review AS asks, client_id AS client,
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
