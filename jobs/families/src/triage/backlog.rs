//! `triage.route_backlog`: gives partners the tickets that they had no room for.
//!
//! Trigger: a schedule, every five minutes; on demand.
//! Effect: tickets of the first line that wait for a partner go to theirs where it has room again, the urgent and the old first.
//! Safe to repeat because: a ticket that has a partner wants none.
//! Gives up when: never; what one attempt leaves, the next takes. Tickets older than the setting says are left to people.

use std::time::Duration;

use fleet_queue::{Cx, Done, Job, JobError, JobResult, Policy, TenantId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use super::room::{partner_for, reserve};
use super::settings::settings;
use crate::event::{self, Event};

/// Tickets that are read at once, and in one pass.
const BATCH: i64 = 100;
const PASS: u64 = 10_000;

/// Gives partners what they had no room for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RouteBacklog {}

/// What a pass did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Drained {
    /// Tickets that wanted a partner.
    pub looked_at: u64,
    /// Of these, how many got one.
    pub routed: u64,
}

impl Job for RouteBacklog {
    const KIND: &'static str = "triage.route_backlog";
    const DESCRIPTION: &'static str = "Gives partners the tickets that they had no room for.";

    type Deps = ();

    fn policy() -> Policy {
        Policy {
            timeout: Duration::from_mins(5),
            max_attempts: 5,
            ..Policy::DEFAULT
        }
    }

    fn example() -> Self {
        Self::default()
    }

    async fn run(self, cx: Cx<()>) -> JobResult {
        if cx.tenant() != TenantId::PLATFORM {
            return Err(JobError::discard("only the platform routes the backlog"));
        }
        Done::output(&route_backlog(cx.pool()).await?)
    }
}

/// A ticket that wants a partner.
struct Wanting {
    tenant_id: Uuid,
    ticket_id: Uuid,
    client_id: Uuid,
    hours: f64,
}

/// Goes over the backlog once.
pub async fn route_backlog(pool: &PgPool) -> Result<Drained, sqlx::Error> {
    let mut done = Drained::default();
    let mut after = (-1, Uuid::nil());
    while done.looked_at < PASS {
        let batch = next(&mut *pool.acquire().await?, after).await?;
        let Some((rank, last)) = batch.last().map(|(rank, it)| (*rank, it.ticket_id)) else {
            break;
        };
        after = (rank, last);
        done.looked_at += batch.len() as u64;
        for (_, ticket) in batch {
            // Each for itself: two passes that give to the same partners then never wait for each other in a circle.
            let mut tx = pool.begin().await?;
            done.routed += u64::from(give(&mut tx, &ticket).await?);
            tx.commit().await?;
        }
    }
    Ok(done)
}

/// The next, by priority, then in the order they came.
async fn next(
    conn: &mut PgConnection,
    after: (i32, Uuid),
) -> Result<Vec<(i32, Wanting)>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"-- triage.next_wanting
        SELECT t.tenant_id, t.ticket_id, t.client_id, r.rank AS "rank!", (extract(epoch FROM fleet.clock() - t.opened_at) / 3600)::float8 AS "hours!"
        FROM fleet.tickets AS t
        CROSS JOIN LATERAL (SELECT array_position('{high,medium,low}'::text[], t.priority) AS rank) AS r
        WHERE t.wants_partner AND NOT t.needs_review AND t.status <> 'resolved' AND NOT 'route' = ANY (t.human_set) AND (r.rank, t.ticket_id) > ($1, $2)
        ORDER BY r.rank, t.ticket_id
        LIMIT $3"#,
        after.0,
        after.1,
        BATCH,
    )
    .fetch_all(conn)
    .await?;
    let wanting = rows.into_iter().map(|row| {
        let it = Wanting {
            tenant_id: row.tenant_id,
            ticket_id: row.ticket_id,
            client_id: row.client_id,
            hours: row.hours,
        };
        (row.rank, it)
    });
    Ok(wanting.collect())
}

async fn give(conn: &mut PgConnection, ticket: &Wanting) -> Result<bool, sqlx::Error> {
    let tenant = TenantId(ticket.tenant_id);
    // First of all, for it is what most of them still lack.
    let Some(partner) = partner_for(conn, tenant, ticket.client_id).await? else {
        return Ok(false);
    };
    let oldest = settings(conn, tenant).await?.settings.backlog_days;
    if ticket.hours > f64::from(oldest) * 24.0 {
        return Ok(false);
    }
    // The ticket before the partner, as by whoever sorts.
    if !hold_wanting(conn, ticket).await? || !reserve(conn, tenant, partner).await? {
        return Ok(false);
    }
    sqlx::query!(
        r#"-- triage.give
        UPDATE fleet.tickets
        SET partner_id = $3, escalation_level = 1, wants_partner = false, watched = priority = 'medium', version = version + 1
        WHERE tenant_id = $1 AND ticket_id = $2"#,
        ticket.tenant_id,
        ticket.ticket_id,
        partner,
    )
    .execute(&mut *conn)
    .await?;
    let payload = json!({ "route": "partner", "partner_id": partner, "by": "route_backlog" });
    event::record(
        conn,
        tenant,
        &Event {
            kind: "ticket.assigned",
            subject: ticket.ticket_id,
            payload,
        },
    )
    .await?;
    Ok(true)
}

/// Holds a ticket that still wants a partner. False where somebody was faster.
async fn hold_wanting(conn: &mut PgConnection, ticket: &Wanting) -> Result<bool, sqlx::Error> {
    let held = sqlx::query_scalar!(
        r#"-- triage.hold_wanting
        SELECT ticket_id FROM fleet.tickets
        WHERE tenant_id = $1 AND ticket_id = $2 AND wants_partner AND NOT needs_review AND status <> 'resolved' AND NOT 'route' = ANY (human_set)
        FOR UPDATE"#,
        ticket.tenant_id,
        ticket.ticket_id,
    )
    .fetch_optional(conn)
    .await?;
    Ok(held.is_some())
}
