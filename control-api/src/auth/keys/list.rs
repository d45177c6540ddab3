//! Keys as people see them: never their text, which nobody has, and never its hash.

use chrono::{DateTime, Utc};
use fleet_queue::TenantId;
use schemars::JsonSchema;
use serde::Serialize;
use sqlx::PgConnection;
use uuid::Uuid;

use super::KeyError;

/// Most keys of [`list`].
const LIST_MAX: i64 = 1_000;

/// A key as listed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct KeyInfo {
    /// Its id.
    pub id: Uuid,
    /// The visible beginning of the key, after `fleet_`.
    pub prefix: String,
    /// For people.
    pub name: String,
    /// Whose rows it reaches; `None`: every tenant's.
    pub tenant_id: Option<Uuid>,
    /// What it may do.
    pub scopes: Vec<String>,
    /// Kinds it may enqueue; `None`: any.
    pub kinds: Option<Vec<String>>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// Good until then.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was revoked.
    pub revoked_at: Option<DateTime<Utc>>,
    /// When it was used last, to the minute.
    pub last_used_at: Option<DateTime<Utc>>,
}

/// The newest keys, of every tenant.
pub async fn list(conn: &mut PgConnection) -> Result<Vec<KeyInfo>, KeyError> {
    page(conn, None, None, LIST_MAX).await
}

/// Keys, newest first, of one tenant or all, made before `before` (an id), at most `limit`.
pub async fn page(
    conn: &mut PgConnection,
    tenant: Option<TenantId>,
    before: Option<Uuid>,
    limit: i64,
) -> Result<Vec<KeyInfo>, KeyError> {
    sqlx::query_as!(
        KeyInfo,
        r#"-- keys.page
        SELECT id, prefix, name, tenant_id, scopes, kinds, created_at, expires_at, revoked_at, last_used_at
        FROM fleet.api_key
        WHERE ($1::uuid IS NULL OR tenant_id = $1) AND ($2::uuid IS NULL OR id < $2)
        ORDER BY id DESC -- ids are UUIDv7, so this is the order of their making
        LIMIT $3"#,
        tenant.map(|tenant| tenant.0),
        before,
        limit,
    )
    .fetch_all(conn)
    .await
    .map_err(|source| KeyError::Database("keys.page", source))
}
