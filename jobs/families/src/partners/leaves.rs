//! When a partner takes no new work. Past leaves stay: they say why a score was nothing.

use chrono::{DateTime, TimeDelta, Utc};
use fleet_queue::TenantId;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::event::{self, Event};

/// The longest leave that is believed to be meant.
const LONGEST: TimeDelta = TimeDelta::days(1830);

/// A leave.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Leave {
    /// Its id.
    pub leave_id: Uuid,
    /// Whose.
    pub partner_id: Uuid,
    /// From when.
    pub starts_at: DateTime<Utc>,
    /// Until when.
    pub ends_at: DateTime<Utc>,
}

/// Why a leave was not added.
#[derive(Debug, thiserror::Error)]
pub enum LeaveError {
    /// It ends before it starts.
    #[error("it ends at {ends_at}, which is not after its start at {starts_at}")]
    Backwards {
        /// From when.
        starts_at: DateTime<Utc>,
        /// Until when.
        ends_at: DateTime<Utc>,
    },
    /// Nobody is away for so long.
    #[error("it lasts {0} days; at most {max} are possible: a partner who is gone is inactive", max = LONGEST.num_days())]
    TooLong(i64),
    /// The database did not carry it out.
    #[error("the database did not carry it out")]
    Database(#[from] sqlx::Error),
}

/// Adds a leave. `None` where there is no such partner that the session may see.
pub async fn add_leave(
    conn: &mut PgConnection,
    partner: Uuid,
    starts_at: DateTime<Utc>,
    ends_at: DateTime<Utc>,
    actor: &str,
) -> Result<Option<Leave>, LeaveError> {
    let length = ends_at - starts_at;
    if length <= TimeDelta::zero() {
        return Err(LeaveError::Backwards { starts_at, ends_at });
    }
    if length > LONGEST {
        return Err(LeaveError::TooLong(length.num_days()));
    }
    let leave = sqlx::query!(
        r#"-- partners.add_leave
        INSERT INTO fleet.partner_leaves (tenant_id, partner_id, starts_at, ends_at)
        SELECT tenant_id, partner_id, $2, $3 FROM fleet.partners WHERE partner_id = $1
        RETURNING tenant_id, leave_id"#,
        partner,
        starts_at,
        ends_at,
    )
    .fetch_optional(&mut *conn)
    .await?;
    let Some(added) = leave else { return Ok(None) };
    let leave = Leave {
        leave_id: added.leave_id,
        partner_id: partner,
        starts_at,
        ends_at,
    };
    tell(
        conn,
        TenantId(added.tenant_id),
        "partner.leave_added",
        &leave,
        actor,
    )
    .await?;
    Ok(Some(leave))
}

/// Takes a leave back. False where there is none that the session may see.
pub async fn remove_leave(
    conn: &mut PgConnection,
    partner: Uuid,
    leave: Uuid,
    actor: &str,
) -> Result<bool, sqlx::Error> {
    let removed = sqlx::query!(
        r#"-- partners.remove_leave
        DELETE FROM fleet.partner_leaves WHERE partner_id = $1 AND leave_id = $2
        RETURNING tenant_id, starts_at, ends_at"#,
        partner,
        leave,
    )
    .fetch_optional(&mut *conn)
    .await?;
    let Some(removed) = removed else {
        return Ok(false);
    };
    let leave = Leave {
        leave_id: leave,
        partner_id: partner,
        starts_at: removed.starts_at,
        ends_at: removed.ends_at,
    };
    let tenant = TenantId(removed.tenant_id);
    tell(conn, tenant, "partner.leave_removed", &leave, actor).await?;
    Ok(true)
}

async fn tell(
    conn: &mut PgConnection,
    tenant: TenantId,
    kind: &'static str,
    leave: &Leave,
    actor: &str,
) -> Result<(), sqlx::Error> {
    let event = Event {
        kind,
        subject: leave.partner_id,
        payload: json!({ "leave": leave, "by": actor }),
    };
    event::record(conn, tenant, &event).await
}

/// A partner's leaves that the session may see, the latest first, at most `limit`.
pub async fn list_leaves(
    conn: &mut PgConnection,
    partner: Uuid,
    limit: i64,
) -> Result<Vec<Leave>, sqlx::Error> {
    sqlx::query_as!(
        Leave,
        r#"-- partners.list_leaves
        SELECT leave_id, partner_id, starts_at, ends_at FROM fleet.partner_leaves
        WHERE partner_id = $1
        ORDER BY ends_at DESC, leave_id
        LIMIT $2"#,
        partner,
        limit,
    )
    .fetch_all(conn)
    .await
}
