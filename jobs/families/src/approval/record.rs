//! How people have decided: what shows whether a threshold is right.

use schemars::JsonSchema;
use serde::Serialize;
use sqlx::PgConnection;

/// What became of the questions of a kind.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Record {
    /// The kind of decision.
    pub decision: String,
    /// Those that wait.
    pub pending: i64,
    /// Those that were done as proposed.
    pub approved: i64,
    /// Those that were not done.
    pub rejected: i64,
    /// Those that were done otherwise.
    pub corrected: i64,
    /// Those that nobody answered in time.
    pub expired: i64,
    /// Share of the answered ones that people rejected or corrected; absent where none was answered.
    pub overruled: Option<f64>,
}

/// The record of each kind of decision over the last `days`, as far as the session may see; those that wait are counted whatever their age.
pub async fn record(conn: &mut PgConnection, days: i32) -> Result<Vec<Record>, sqlx::Error> {
    sqlx::query_as!(
        Record,
        r#"-- approval.record
        SELECT decision AS "decision!",
               count(*) FILTER (WHERE status = 'pending') AS "pending!",
               count(*) FILTER (WHERE status = 'approved') AS "approved!",
               count(*) FILTER (WHERE status = 'rejected') AS "rejected!",
               count(*) FILTER (WHERE status = 'corrected') AS "corrected!",
               count(*) FILTER (WHERE status = 'expired') AS "expired!",
               (count(*) FILTER (WHERE status IN ('rejected', 'corrected')))::float8
                   / NULLIF(count(*) FILTER (WHERE status IN ('approved', 'rejected', 'corrected')), 0) AS overruled
        FROM fleet.approvals
        WHERE status = 'pending' OR decided_at > fleet.clock() - make_interval(days => $1)
        GROUP BY decision
        ORDER BY decision"#,
        days,
    )
    .fetch_all(conn)
    .await
}
