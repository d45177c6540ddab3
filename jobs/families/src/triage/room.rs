//! Room at partners: who has it, and taking it for a ticket, in the transaction that gives the ticket.

use fleet_queue::TenantId;
use sqlx::PgConnection;
use uuid::Uuid;

use super::route::Routed;
use crate::tickets::Held;

/// Seniors that are asked, each only where the one before had no room left after all.
const ASKED: usize = 3;

/// The client's own partner, if it has room.
pub(super) async fn partner_for(
    conn: &mut PgConnection,
    tenant: TenantId,
    client: Uuid,
) -> Result<Option<Uuid>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"-- triage.partner_for
        SELECT fleet.ticket_partner($1, $2)"#,
        tenant.0,
        client,
    )
    .fetch_one(conn)
    .await
}

/// Takes room for one more ticket at a partner. False where there is none: whoever looked has seen less than others have taken since.
pub(super) async fn reserve(
    conn: &mut PgConnection,
    tenant: TenantId,
    partner: Uuid,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"-- triage.reserve
        SELECT fleet.reserve_ticket($1, $2) AS "taken!""#,
        tenant.0,
        partner,
    )
    .fetch_one(conn)
    .await
}

/// Takes room at the client's own partner, but where the ticket is its already: `of`. `None` where it has none.
pub(crate) async fn take_partner(
    conn: &mut PgConnection,
    tenant: TenantId,
    client: Uuid,
    of: Option<Uuid>,
) -> Result<Option<Uuid>, sqlx::Error> {
    let Some(partner) = partner_for(conn, tenant, client).await? else {
        return Ok(None);
    };
    let taken = of == Some(partner) || reserve(conn, tenant, partner).await?;
    Ok(taken.then_some(partner))
}

/// Takes room at the senior partner with most of it that works for the tenant. `None` where none has any.
pub(crate) async fn take_senior(
    conn: &mut PgConnection,
    tenant: TenantId,
    except: Option<Uuid>,
) -> Result<Option<Uuid>, sqlx::Error> {
    for _ in 0..ASKED {
        let Some(senior) = senior(conn, tenant, except).await? else {
            return Ok(None);
        };
        if reserve(conn, tenant, senior).await? {
            return Ok(Some(senior));
        }
    }
    Ok(None)
}

async fn senior(
    conn: &mut PgConnection,
    tenant: TenantId,
    except: Option<Uuid>,
) -> Result<Option<Uuid>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"-- triage.senior
        SELECT fleet.ticket_senior($1, $2)"#,
        tenant.0,
        except,
    )
    .fetch_one(conn)
    .await
}

/// Takes the room that a route needs; where there is none any more, the ticket goes to the first line and waits for it.
pub(super) async fn take_room(
    conn: &mut PgConnection,
    tenant: TenantId,
    held: &Held,
    routed: Routed,
) -> Result<Routed, sqlx::Error> {
    let needed = routed
        .partner
        .filter(|partner| !held.stays && !held.is_of(1, *partner));
    match needed {
        Some(partner) if !reserve(conn, tenant, partner).await? => Ok(Routed::WITHOUT_ROOM),
        _ => Ok(routed),
    }
}
