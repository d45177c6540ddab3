//! Events: written in the transaction that makes them true, read by whoever wants to be told.

use fleet_queue::TenantId;
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

/// Something that happened.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    /// `noun.verb`.
    pub(crate) kind: &'static str,
    /// To what.
    pub(crate) subject: Uuid,
    /// The particulars.
    pub(crate) payload: Value,
}

/// Writes one event.
pub(crate) async fn record(
    conn: &mut PgConnection,
    tenant: TenantId,
    event: &Event,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        r#"-- event.record
        INSERT INTO fleet.event (tenant_id, kind, subject, payload) VALUES ($1, $2, $3, $4)"#,
        tenant.0,
        event.kind,
        event.subject.to_string(),
        event.payload,
    )
    .execute(conn)
    .await?;
    Ok(())
}
