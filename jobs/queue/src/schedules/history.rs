//! Who changed what of a schedule, and when. Append-only.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::Error;

/// A change, and the schedule as it stood after it.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Change {
    /// The schedule's revision after it.
    pub revision: i32,
    /// created, edited, paused, resumed, deleted.
    pub action: String,
    /// The definition after it; kept as it was written, whatever version wrote it.
    pub definition: serde_json::Value,
    /// Why, where that was said.
    pub note: Option<String>,
    /// By whom.
    pub by: String,
    /// When.
    pub at: DateTime<Utc>,
}

/// Most changes of a page.
const PAGE_MAX: i64 = 500;

/// A schedule's changes, the newest first; `before` is the last revision of the page before. It outlives the schedule.
pub async fn history(
    conn: &mut PgConnection,
    schedule: Uuid,
    before: Option<i32>,
    limit: i64,
) -> Result<Vec<Change>, Error> {
    sqlx::query_as!(
        Change,
        r#"-- schedules.history
        SELECT revision, action, definition, note, by, at FROM fleet.schedule_history
        WHERE schedule_id = $1 AND ($2::integer IS NULL OR revision < $2)
        ORDER BY revision DESC LIMIT $3"#,
        schedule,
        before,
        limit.clamp(1, PAGE_MAX),
    )
    .fetch_all(conn)
    .await
    .map_err(Error::database("schedules.history"))
}

/// Writes a change of a schedule down, with its row as it is now.
pub(super) async fn write_history(
    conn: &mut PgConnection,
    (schedule, revision): (Uuid, i32),
    action: &'static str,
    note: Option<&str>,
    by: &str,
) -> Result<(), Error> {
    let done = sqlx::query!(
        r#"-- schedules.write_history
        INSERT INTO fleet.schedule_history (schedule_id, tenant_id, revision, name, action, definition, note, by, at)
        SELECT id, tenant_id, $2, name, $3, definition, $4, $5, fleet.clock() FROM fleet.schedule WHERE id = $1"#,
        schedule,
        revision,
        action,
        note,
        by,
    )
    .execute(conn)
    .await
    .map_err(Error::database("schedules.write_history"))?;
    assert_eq!(
        done.rows_affected(),
        1,
        "a change is written down while its schedule exists"
    );
    Ok(())
}
