//! What a person turns: how much a partner takes at most, and whether it takes anything.
//!
//! The change asks for the score by itself (`fleet.partner_changed`), in the same transaction.

use fleet_queue::TenantId;
use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::event::{self, Event};

/// The most that fits the column.
const MAX_LOAD_MAX: f64 = 999_999.0;

/// What is to change; what is left out stays.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Limits {
    /// The most it takes; `Some(None)`: what its tier takes.
    pub max_load: Option<Option<f64>>,
    /// Whether it takes no new work.
    pub paused: Option<bool>,
}

/// Why they were not set.
#[derive(Debug, thiserror::Error)]
pub enum LimitError {
    /// No cap can be that.
    #[error("max_load is {0}; a number from 0 to {MAX_LOAD_MAX} is expected")]
    MaxLoad(f64),
    /// The database did not carry it out.
    #[error("the database did not carry it out")]
    Database(#[from] sqlx::Error),
}

/// Sets a partner's limits and tells of it. Gives whose partner it is; `None` where the session may not know of it.
pub async fn set_limits(
    conn: &mut PgConnection,
    partner: Uuid,
    limits: Limits,
    actor: &str,
) -> Result<Option<TenantId>, LimitError> {
    let max_load = limits.max_load.flatten();
    if let Some(max) = max_load.filter(|max| !(0.0..=MAX_LOAD_MAX).contains(max)) {
        return Err(LimitError::MaxLoad(max));
    }
    let tenant = sqlx::query_scalar!(
        r#"-- capacity.set_limits
        UPDATE fleet.partners
        SET max_load = CASE WHEN $2 THEN $3::float8::numeric(8, 2) ELSE max_load END,
            -- One that is gone for good is not brought back by resuming it.
            status = CASE WHEN status = 'inactive' OR $4::boolean IS NULL THEN status WHEN $4 THEN 'paused' ELSE 'active' END
        WHERE partner_id = $1
        RETURNING tenant_id"#,
        partner,
        limits.max_load.is_some(),
        max_load,
        limits.paused,
    )
    .fetch_optional(&mut *conn)
    .await?;
    let Some(tenant) = tenant.map(TenantId) else {
        return Ok(None);
    };
    let event = Event {
        kind: "capacity.limits_changed",
        subject: partner,
        payload: json!({ "max_load": limits.max_load, "paused": limits.paused, "by": actor }),
    };
    event::record(conn, tenant, &event).await?;
    Ok(Some(tenant))
}
