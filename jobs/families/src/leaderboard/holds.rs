//! Holds: anomalies that wait for a person. While one is open, its campaign, client and partner neither move nor rise.

use chrono::{DateTime, NaiveDate, Utc};
use fleet_queue::TenantId;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::event::{self, Event};

/// One anomaly.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Hold {
    /// Its id.
    pub hold_id: Uuid,
    /// Whose campaign.
    pub tenant_id: Uuid,
    /// The campaign.
    pub campaign_id: Uuid,
    /// Its client.
    pub client_id: Uuid,
    /// Who ran it.
    pub partner_id: Option<Uuid>,
    /// The day that stands out.
    pub day: NaiveDate,
    /// The rule it breaks.
    pub rule: String,
    /// The figures.
    pub detail: Value,
    /// When it was found.
    pub opened_at: DateTime<Utc>,
    /// When a person cleared it.
    pub cleared_at: Option<DateTime<Utc>>,
    /// Who.
    pub cleared_by: Option<String>,
    /// Why.
    pub note: Option<String>,
}

/// Holds that the session may see, newest first, after `after` (an id), at most `limit`.
pub async fn list_holds(
    conn: &mut PgConnection,
    open_only: bool,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<Hold>, sqlx::Error> {
    sqlx::query_as!(
        Hold,
        r#"-- holds.list
        SELECT hold_id, tenant_id, campaign_id, client_id, partner_id, day, rule, detail, opened_at, cleared_at, cleared_by, note
        FROM fleet.metric_holds
        WHERE ($1::uuid IS NULL OR hold_id < $1) AND (NOT $2 OR cleared_at IS NULL)
        ORDER BY hold_id DESC -- ids are UUIDv7, so this is the order of opening
        LIMIT $3"#,
        after,
        open_only,
        limit,
    )
    .fetch_all(conn)
    .await
}

/// Clears a hold; the next run lets its subjects move again. `None` where there is no open hold of that id.
pub async fn clear(
    conn: &mut PgConnection,
    hold: Uuid,
    actor: &str,
    note: Option<&str>,
) -> Result<Option<Hold>, sqlx::Error> {
    let cleared = sqlx::query_as!(
        Hold,
        r#"-- holds.clear
        UPDATE fleet.metric_holds
        SET cleared_at = fleet.clock(), cleared_by = $2, note = $3
        WHERE hold_id = $1 AND cleared_at IS NULL
        RETURNING hold_id, tenant_id, campaign_id, client_id, partner_id, day, rule, detail, opened_at, cleared_at, cleared_by, note"#,
        hold,
        actor,
        note,
    )
    .fetch_optional(&mut *conn)
    .await?;
    if let Some(hold) = &cleared {
        let payload = json!({ "campaign_id": hold.campaign_id, "rule": hold.rule, "by": actor, "note": note });
        let event = Event {
            kind: "hold.cleared",
            subject: hold.hold_id,
            payload,
        };
        event::record(conn, TenantId(hold.tenant_id), &event).await?;
    }
    Ok(cleared)
}
