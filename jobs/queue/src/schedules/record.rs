//! How a schedule has done: its last ticks, their jobs, and how those ended.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{Error, JobId, JobState};

/// A tick and what came of it.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct TickRecord {
    /// The tick; or, of a run by hand, when it was asked for.
    pub tick_at: DateTime<Utc>,
    /// `time`, or `hand`.
    pub cause: String,
    /// `fired`; or `skipped`, where a job of an earlier tick was in its way.
    pub outcome: String,
    /// Its job; or the one in its way.
    pub job_id: JobId,
    /// That job's state; none where it is past its retention.
    pub state: Option<JobState>,
    /// Why it ended so, where it did not simply complete.
    pub reason: Option<String>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
    /// When the tick was decided.
    pub decided_at: DateTime<Utc>,
}

/// Most ticks of a page.
const PAGE_MAX: i64 = 500;

/// A schedule's last ticks, the newest first; `before` is the last one of the page before.
pub async fn record(
    conn: &mut PgConnection,
    schedule: Uuid,
    before: Option<DateTime<Utc>>,
    limit: i64,
) -> Result<Vec<TickRecord>, Error> {
    let rows = sqlx::query!(
        r#"-- schedules.record
        SELECT t.tick_at, t.cause, t.outcome, t.job_id, t.decided_at, COALESCE(j.state, h.state)::text AS state, h.reason AS "reason?", h.finished_at AS "finished_at?"
        FROM (SELECT * FROM fleet.schedule_tick
            WHERE schedule_id = $1 AND ($2::timestamptz IS NULL OR tick_at < $2)
            ORDER BY tick_at DESC LIMIT $3) t
        LEFT JOIN fleet.job j ON j.id = t.job_id
        LEFT JOIN LATERAL (SELECT state, reason, finished_at FROM fleet.job_history WHERE id = t.job_id LIMIT 1) h ON j.id IS NULL
        ORDER BY t.tick_at DESC"#,
        schedule,
        before,
        limit.clamp(1, PAGE_MAX),
    )
    .fetch_all(conn)
    .await
    .map_err(Error::database("schedules.record"))?;
    let records = rows.into_iter().map(|row| TickRecord {
        tick_at: row.tick_at,
        cause: row.cause,
        outcome: row.outcome,
        job_id: JobId(row.job_id),
        state: row
            .state
            .map(|word| word.parse().expect("the database knows the same states")),
        reason: row.reason,
        finished_at: row.finished_at,
        decided_at: row.decided_at,
    });
    Ok(records.collect())
}
