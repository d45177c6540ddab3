//! What the model in force takes a ticket to be about; without one, what its words say, and an alert.

use fleet_queue::TenantId;
use serde_json::json;
use sqlx::PgConnection;

use super::decide::{Opinion, by_rules};
use super::text::Text;
use crate::event::{self, Event};
use crate::telemetry;

/// The opinion about a text.
pub(super) async fn classify(
    conn: &mut PgConnection,
    tenant: TenantId,
    text: &Text,
) -> Result<Opinion, sqlx::Error> {
    degraded(
        conn,
        tenant,
        "there is no model; `fleet triage train` makes one",
    )
    .await?;
    Ok(by_rules(&text.masked))
}

/// Tells that rules stand in for the model: once an hour, however many tickets there are.
async fn degraded(conn: &mut PgConnection, tenant: TenantId, why: &str) -> Result<(), sqlx::Error> {
    telemetry::degraded();
    let told = sqlx::query_scalar!(
        r#"-- triage.told_of_degradation
        SELECT EXISTS (
            SELECT FROM fleet.event
            WHERE kind = 'triage.degraded' AND tenant_id = $1 AND created_at > fleet.clock() - interval '1 hour') AS "told!""#,
        tenant.0,
    )
    .fetch_one(&mut *conn)
    .await?;
    if told {
        return Ok(());
    }
    let event = Event {
        kind: "triage.degraded",
        subject: tenant.0,
        payload: json!({ "why": why }),
    };
    event::record(conn, tenant, &event).await
}
