//! The audit, read by page: newest first, by the number of the last row seen.

use chrono::{DateTime, Utc};
use fleet_queue::TenantId;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

/// Which rows; what is `None` filters nothing.
#[derive(Debug, Default)]
pub(crate) struct AuditFilter {
    /// Whose rows were changed. A session of one tenant should say so: the index by tenant then serves it.
    pub(crate) tenant: Option<TenantId>,
    /// What was done.
    pub(crate) action: Option<String>,
    /// Who did it.
    pub(crate) key: Option<Uuid>,
    /// Done at or after.
    pub(crate) from: Option<DateTime<Utc>>,
    /// Done before.
    pub(crate) to: Option<DateTime<Utc>>,
}

/// A changing action, as it was written down.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct AuditRow {
    /// Its number; later ones are higher.
    id: i64,
    /// When.
    at: DateTime<Utc>,
    /// The key that did it; the nil id: somebody at the command line.
    key_id: Uuid,
    /// That key's name, as it was.
    key_name: String,
    /// Whose rows it changed; the nil id: the platform's.
    tenant_id: Uuid,
    /// What was done.
    action: String,
    /// What it was done to, where that is no job.
    subject: Option<String>,
    /// The jobs it was done to.
    jobs: Option<Vec<Uuid>>,
    /// Why, as the caller said.
    reason: Option<String>,
    /// What else there is to know.
    detail: Option<Value>,
    /// The requests that did it; several where they shared a commit.
    request_ids: Vec<String>,
}

impl AuditRow {
    /// Where the next page goes on.
    pub(crate) fn cursor(&self) -> i64 {
        self.id
    }
}

/// Rows that the session may see, before the row `before`, at most `limit`. In a transaction of its own, because it sets its plan.
pub(crate) async fn page(
    conn: &mut PgConnection,
    filter: &AuditFilter,
    before: Option<i64>,
    limit: i64,
) -> Result<Vec<AuditRow>, sqlx::Error> {
    // Planned anew for the filters at hand: a plan for every filter at once would use no index.
    sqlx::query!(
        r#"-- audit.bound
        SELECT set_config('plan_cache_mode', 'force_custom_plan', true) AS plan, set_config('statement_timeout', '3s', true) AS longest"#
    )
    .fetch_one(&mut *conn)
    .await?;
    sqlx::query_as!(
        AuditRow,
        r#"-- audit.page
        SELECT id, at, key_id, key_name, tenant_id, action, subject, jobs, reason, detail, request_ids
        FROM fleet.audit
        WHERE ($1::bigint IS NULL OR id < $1) AND ($2::uuid IS NULL OR tenant_id = $2) AND ($3::text IS NULL OR action = $3)
          AND ($4::uuid IS NULL OR key_id = $4) AND ($5::timestamptz IS NULL OR at >= $5) AND ($6::timestamptz IS NULL OR at < $6)
        ORDER BY id DESC
        LIMIT $7"#,
        before,
        filter.tenant.map(|tenant| tenant.0),
        filter.action,
        filter.key,
        filter.from,
        filter.to,
        limit,
    )
    .fetch_all(conn)
    .await
}
