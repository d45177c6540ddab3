//! Holding a ticket: whoever changes one has its row first, so that changes come one after another.

use std::collections::{HashMap, HashSet};

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

/// A ticket by its keys.
pub(crate) type Key = (TenantId, Uuid);

/// Keys as the columns that a statement takes.
pub(crate) fn columns(keys: &[Key]) -> (Vec<Uuid>, Vec<Uuid>) {
    keys.iter().map(|key| (key.0.0, key.1)).unzip()
}

/// Holds a ticket; `None` where there is none.
pub(crate) async fn hold(
    conn: &mut PgConnection,
    tenant: TenantId,
    ticket: Uuid,
) -> Result<Option<Held>, sqlx::Error> {
    let mut held = hold_all(conn, &[(tenant, ticket)]).await?;
    Ok(held.remove(&(tenant, ticket)))
}

/// Holds several, one after another in the order of their ids, so that two who hold several do not wait for each other.
/// Those that are gone are left out.
pub(crate) async fn hold_all(
    conn: &mut PgConnection,
    keys: &[Key],
) -> Result<HashMap<Key, Held>, sqlx::Error> {
    let mut keys = keys.to_vec();
    keys.sort_unstable_by_key(|(_, ticket)| *ticket);
    let (tenants, tickets) = columns(&keys);
    let rows = sqlx::query!(
        r#"-- tickets.hold
        SELECT k.ord - 1 AS "key!", t.*
        FROM unnest($1::uuid[], $2::uuid[]) WITH ORDINALITY AS k (tenant_id, ticket_id, ord)
        CROSS JOIN LATERAL (
            SELECT revision, version, triaged_revision AS triaged, needs_review AS asks, client_id AS client, escalation_level AS level, partner_id AS partner,
                   'route' = ANY (human_set) OR status = 'escalated' OR closed_at IS NOT NULL AS "stays!",
                   CASE WHEN 'category' = ANY (human_set) THEN category::text END AS said
            FROM fleet.tickets
            WHERE tenant_id = k.tenant_id AND ticket_id = k.ticket_id
            FOR UPDATE) AS t"#,
        &tenants,
        &tickets,
    )
    .fetch_all(conn)
    .await?;
    let held = rows.into_iter().map(|row| {
        let held = Held {
            revision: row.revision,
            version: row.version,
            triaged: row.triaged,
            said: row.said,
            asks: row.asks,
            client: row.client,
            level: row.level,
            partner: row.partner,
            stays: row.stays,
        };
        (keys[row.key as usize], held)
    });
    Ok(held.collect())
}

/// Holds those of the tickets that nobody else holds, and gives them.
pub(crate) async fn hold_free(
    conn: &mut PgConnection,
    keys: &[Key],
) -> Result<HashSet<Key>, sqlx::Error> {
    let (tenants, tickets) = columns(keys);
    let free = sqlx::query_scalar!(
        r#"-- tickets.hold_free
        SELECT k.ord - 1 AS "key!"
        FROM unnest($1::uuid[], $2::uuid[]) WITH ORDINALITY AS k (tenant_id, ticket_id, ord)
        CROSS JOIN LATERAL (
            SELECT FROM fleet.tickets WHERE tenant_id = k.tenant_id AND ticket_id = k.ticket_id
            FOR UPDATE SKIP LOCKED) AS t"#,
        &tenants,
        &tickets,
    )
    .fetch_all(conn)
    .await?;
    Ok(free.into_iter().map(|key| keys[key as usize]).collect())
}
