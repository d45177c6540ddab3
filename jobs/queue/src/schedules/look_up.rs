//! Looks schedules up: get, find, list. Tenants are kept apart by the session's row-level security (I12).

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;
use sqlx::PgConnection;
use uuid::Uuid;

use super::Definition;
use crate::{Error, TenantId};

/// A schedule as it stands.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Schedule {
    /// Its id, for life.
    pub id: Uuid,
    /// Whose it is.
    pub tenant_id: TenantId,
    /// What was said of it.
    #[serde(flatten)]
    pub definition: Definition,
    /// `default` where it came from the checked-in file and nobody has edited it since; else `person`.
    pub origin: String,
    /// Raised by each change.
    pub revision: i32,
    /// Set while it is paused.
    pub paused: Option<PausedBy>,
    /// Its next tick; none where it has ended.
    pub next_at: Option<DateTime<Utc>>,
    /// When that is fired, jitter included; later after an error; none while paused.
    pub due_at: Option<DateTime<Utc>>,
    /// Ticks dropped because nobody could fire them in time.
    pub missed_count: i64,
    /// Why its tick could not be fired, where it could not.
    pub error: Option<String>,
    /// Made then.
    pub created_at: DateTime<Utc>,
    /// Changed then.
    pub updated_at: DateTime<Utc>,
    /// By whom.
    pub updated_by: String,
}

/// A pause.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct PausedBy {
    /// Since then.
    pub since: DateTime<Utc>,
    /// By whom.
    pub by: String,
    /// Why.
    pub note: String,
}

/// Most schedules of a page.
const PAGE_MAX: i64 = 500;

struct Row {
    id: Uuid,
    tenant_id: Uuid,
    definition: serde_json::Value,
    origin: String,
    revision: i32,
    paused_at: Option<DateTime<Utc>>,
    paused_by: Option<String>,
    pause_note: Option<String>,
    next_at: Option<DateTime<Utc>>,
    due_at: Option<DateTime<Utc>>,
    missed_count: i64,
    error: Option<String>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    updated_by: String,
}

impl TryFrom<Row> for Schedule {
    type Error = Error;
    fn try_from(row: Row) -> Result<Self, Error> {
        let pause = row.paused_at.zip(row.paused_by).zip(row.pause_note);
        Ok(Self {
            id: row.id,
            tenant_id: TenantId(row.tenant_id),
            definition: Definition::read(row.definition)?,
            origin: row.origin,
            revision: row.revision,
            paused: pause.map(|((since, by), note)| PausedBy { since, by, note }),
            next_at: row.next_at,
            due_at: row.due_at,
            missed_count: row.missed_count,
            error: row.error,
            created_at: row.created_at,
            updated_at: row.updated_at,
            updated_by: row.updated_by,
        })
    }
}

/// A schedule by its id.
pub async fn get(conn: &mut PgConnection, id: Uuid) -> Result<Option<Schedule>, Error> {
    let row = sqlx::query_as!(
        Row,
        r#"-- schedules.get
        SELECT id, tenant_id, definition, origin, revision, paused_at, paused_by, pause_note, next_at, due_at, missed_count, error,
            created_at, updated_at, updated_by
        FROM fleet.schedule WHERE id = $1"#,
        id,
    )
    .fetch_optional(conn)
    .await
    .map_err(Error::database("schedules.get"))?;
    row.map(Schedule::try_from).transpose()
}

/// The id of a tenant's schedule of that name.
pub async fn find(
    conn: &mut PgConnection,
    tenant: TenantId,
    name: &str,
) -> Result<Option<Uuid>, Error> {
    sqlx::query_scalar!(
        r#"-- schedules.find
        SELECT id FROM fleet.schedule WHERE tenant_id = $1 AND name = $2"#,
        tenant.0,
        name,
    )
    .fetch_optional(conn)
    .await
    .map_err(Error::database("schedules.find"))
}

/// A page of schedules by tenant and name, of one tenant or of all; `after` is the last one of the page before.
pub async fn list(
    conn: &mut PgConnection,
    tenant: Option<TenantId>,
    after: Option<(TenantId, &str)>,
    limit: i64,
) -> Result<Vec<Schedule>, Error> {
    let rows = sqlx::query_as!(
        Row,
        r#"-- schedules.list
        SELECT id, tenant_id, definition, origin, revision, paused_at, paused_by, pause_note, next_at, due_at, missed_count, error,
            created_at, updated_at, updated_by
        FROM fleet.schedule
        WHERE ($1::uuid IS NULL OR tenant_id = $1) AND ($2::uuid IS NULL OR (tenant_id, name) > ($2, $3::text))
        ORDER BY tenant_id, name LIMIT $4"#,
        tenant.map(|tenant| tenant.0),
        after.map(|(tenant, _)| tenant.0),
        after.map(|(_, name)| name),
        limit.clamp(1, PAGE_MAX),
    )
    .fetch_all(conn)
    .await
    .map_err(Error::database("schedules.list"))?;
    rows.into_iter().map(Schedule::try_from).collect()
}
