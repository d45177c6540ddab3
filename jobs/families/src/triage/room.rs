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
    let taken = reserve_all(conn, &[(tenant, partner)]).await?;
    Ok(taken == [true])
}

/// Takes room for a ticket at each of these partners, one after another in the order of their ids, so that two who take at several do not
/// wait for each other. Answers in the order of asking.
async fn reserve_all(
    conn: &mut PgConnection,
    at: &[(TenantId, Uuid)],
) -> Result<Vec<bool>, sqlx::Error> {
    let (tenants, partners): (Vec<_>, Vec<_>) = at.iter().map(|at| (at.0.0, at.1)).unzip();
    let rows = sqlx::query!(
        r#"-- triage.reserve
        SELECT a.ord - 1 AS "asked!", fleet.reserve_ticket(a.tenant_id, a.partner_id) AS "taken!"
        FROM unnest($1::uuid[], $2::uuid[]) WITH ORDINALITY AS a (tenant_id, partner_id, ord)
        ORDER BY a.partner_id, a.ord -- what is volatile is computed after it"#,
        &tenants,
        &partners,
    )
    .fetch_all(conn)
    .await?;
    let mut taken = vec![false; at.len()];
    for row in rows {
        taken[row.asked as usize] = row.taken;
    }
    Ok(taken)
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
    let mut routed = routed;
    take_rooms(conn, vec![(tenant, held, &mut routed)]).await?;
    Ok(routed)
}

/// The same for several tickets.
pub(super) async fn take_rooms(
    conn: &mut PgConnection,
    routes: Vec<(TenantId, &Held, &mut Routed)>,
) -> Result<(), sqlx::Error> {
    let (mut needed, mut takers) = (Vec::new(), Vec::new());
    for (tenant, held, routed) in routes {
        let partner = routed.partner;
        if let Some(partner) = partner.filter(|it| !held.stays && !held.is_of(1, *it)) {
            needed.push((tenant, partner));
            takers.push(routed);
        }
    }
    if needed.is_empty() {
        return Ok(());
    }
    for (routed, taken) in takers.into_iter().zip(reserve_all(conn, &needed).await?) {
        if !taken {
            *routed = Routed::WITHOUT_ROOM;
        }
    }
    Ok(())
}
