//! Whether a partner can take a client that a person means to give it, and whom it looks after.

use sqlx::PgConnection;
use uuid::Uuid;

/// What stands in the way of a partner and a tenant's client of that weight, in words. `None`: nothing.
/// Asked before, so that a refusal says why; the slot itself is taken by the guarded statement.
pub(super) async fn obstacle(
    conn: &mut PgConnection,
    tenant: Uuid,
    partner: Uuid,
    weight: f64,
) -> Result<Option<String>, sqlx::Error> {
    let it = sqlx::query!(
        r#"-- assignment.obstacle
        SELECT status, serves AS "serves!", load::float8 AS load, cap::float8 AS cap
        FROM fleet.partner_for($1, $2) AS p (status, serves, load, cap)"#,
        tenant,
        partner,
    )
    .fetch_optional(conn)
    .await?;
    let Some(it) = it else {
        return Ok(Some(format!("there is no partner {partner}")));
    };
    let status = it.status.unwrap_or_default();
    Ok(match (it.load, it.cap) {
        _ if !it.serves => Some(format!("partner {partner} does not work for this tenant")),
        _ if status != "active" => Some(format!("partner {partner} is {status}")),
        (Some(load), Some(cap)) if load + weight > cap + 0.001 => Some(format!(
            "partner {partner} has a load of {load} of {cap}, and the client adds {weight}"
        )),
        (None, _) | (_, None) => Some(format!("partner {partner} was never scored")),
        _ => None,
    })
}

/// A partner's clients: whose, and which.
pub(super) async fn clients_of(
    conn: &mut PgConnection,
    partner: Uuid,
    limit: i64,
) -> Result<(Vec<Uuid>, Vec<Uuid>), sqlx::Error> {
    let rows = sqlx::query!(
        r#"-- assignment.clients_of
        SELECT tenant_id AS "tenant_id!", client_id AS "client_id!" FROM (
            SELECT tenant_id, client_id FROM fleet.client_assignments WHERE partner_id = $1 AND ended_at IS NULL
            UNION
            SELECT tenant_id, client_id FROM fleet.assignment_reservations WHERE partner_id = $1 AND ended_at IS NULL) AS c
        ORDER BY client_id
        LIMIT $2"#,
        partner,
        limit,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.tenant_id, row.client_id))
        .unzip())
}
