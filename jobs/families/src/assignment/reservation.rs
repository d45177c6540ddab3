//! Slots kept while a person decides: found, bound to the question that was asked, and ended.

use sqlx::PgConnection;
use uuid::Uuid;

use super::client::Client;
use super::slot;

/// An open reservation.
#[derive(Clone, Debug)]
#[expect(clippy::struct_field_names, reason = "columns, as they are called")]
pub(super) struct Reservation {
    pub(super) reservation_id: Uuid,
    pub(super) tenant_id: Uuid,
    pub(super) partner_id: Uuid,
    pub(super) weight: f64,
    pub(super) decision_id: Uuid,
    pub(super) approval_id: Option<Uuid>,
    /// Whether its time is over.
    pub(super) is_due: bool,
}

/// How one ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The client is the partner's.
    Assigned,
    /// A person would not have it, or took something else.
    Released,
    /// Nobody decided.
    Expired,
}

impl End {
    fn name(self) -> &'static str {
        match self {
            Self::Assigned => "assigned",
            Self::Released => "released",
            Self::Expired => "expired",
        }
    }
}

/// Which question it waits for.
pub(super) async fn bind(
    conn: &mut PgConnection,
    tenant: Uuid,
    reservation: Uuid,
    approval: Uuid,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        r#"-- assignment.bind_reservation
        UPDATE fleet.assignment_reservations SET approval_id = $3 WHERE tenant_id = $1 AND reservation_id = $2"#,
        tenant,
        reservation,
        approval,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The client's open reservation. Read it under the client's lock.
pub(super) async fn of_client(
    conn: &mut PgConnection,
    client: &Client,
) -> Result<Option<Reservation>, sqlx::Error> {
    sqlx::query_as!(
        Reservation,
        r#"-- assignment.reservation
        SELECT reservation_id, tenant_id, partner_id, weight::float8 AS "weight!", decision_id, approval_id,
               expires_at <= fleet.clock() AS "is_due!"
        FROM fleet.assignment_reservations
        WHERE tenant_id = $1 AND client_id = $2 AND ended_at IS NULL"#,
        client.tenant_id,
        client.client_id,
    )
    .fetch_optional(conn)
    .await
}

/// What a client of that weight would add to the partner's load: a slot that is kept for it there counts in the load already.
pub(super) async fn weight_added(
    conn: &mut PgConnection,
    client: &Client,
    partner: Uuid,
    weight: f64,
) -> Result<f64, sqlx::Error> {
    let open = of_client(conn, client).await?;
    let kept = open.filter(|open| open.partner_id == partner);
    Ok(weight - kept.map_or(0.0, |open| open.weight))
}

/// Ends it, and gives its slot back; for whoever does not pass the slot on.
pub(super) async fn release(
    conn: &mut PgConnection,
    it: &Reservation,
    end: End,
) -> Result<(), sqlx::Error> {
    // Before the row, whose change asks for the partner's score: whoever takes a slot has the partner first, and then asks.
    slot::lock(conn, &[it.partner_id]).await?;
    if close(conn, it, end).await? {
        slot::free(conn, it.partner_id, it.weight).await?;
    }
    Ok(())
}

/// Ends it without touching the load: its slot is the client's from now on. False where it had ended.
pub(super) async fn close(
    conn: &mut PgConnection,
    it: &Reservation,
    end: End,
) -> Result<bool, sqlx::Error> {
    let ended = sqlx::query!(
        r#"-- assignment.close_reservation
        UPDATE fleet.assignment_reservations SET ended_at = GREATEST(fleet.clock(), reserved_at), ended_as = $3
        WHERE tenant_id = $1 AND reservation_id = $2 AND ended_at IS NULL"#,
        it.tenant_id,
        it.reservation_id,
        end.name(),
    )
    .execute(conn)
    .await?;
    Ok(ended.rows_affected() == 1)
}

/// Passes a reserved slot on to the client: the load stays as it is.
pub(super) async fn pass_on(
    conn: &mut PgConnection,
    it: &Reservation,
    decision: Uuid,
) -> Result<Uuid, sqlx::Error> {
    close(conn, it, End::Assigned).await?;
    sqlx::query_scalar!(
        r#"-- assignment.pass_on
        INSERT INTO fleet.client_assignments (tenant_id, client_id, partner_id, weight, decision_id, load_after, cap_then)
        SELECT r.tenant_id, r.client_id, r.partner_id, r.weight, $3, r.load_after, r.cap_then
        FROM fleet.assignment_reservations AS r
        WHERE r.tenant_id = $1 AND r.reservation_id = $2
        RETURNING assignment_id"#,
        it.tenant_id,
        it.reservation_id,
        decision,
    )
    .fetch_one(conn)
    .await
}
