//! Looks at every job in the database.

use fleet_queue::{JobId, WorkerId};
use sqlx::Row as _;

use super::board::{self, Board, Row};
use super::engine::Engine;

impl Engine {
    pub(super) async fn look(&mut self) -> Board {
        let rows = sqlx::query(LOOK)
            .fetch_all(&mut self.conn)
            .await
            .expect("the look's SQL is right");
        let read = |row: &sqlx::postgres::PgRow| {
            let worker: Option<uuid::Uuid> = row.get("worker_id");
            let token: Option<i64> = row.get("token");
            let past: serde_json::Value = row.get("past");
            let seen = Row {
                state: row.get("state"),
                priority: row.get("priority"),
                attempt: row.get("attempt"),
                crashes: row.get("crashes"),
                snoozes: row.get("snoozes"),
                claim_no: row.get("claim_no"),
                run_at: row.get("run_at"),
                blockers: row.get("blockers"),
                holder: worker.map(WorkerId).zip(token),
                cancelling: row.get("cancelling"),
                unique_key: row.get("unique_key"),
                payload: row.get("payload"),
                reason: board::plain(row.get("reason")),
                past: serde_json::from_value(past).expect("an array of triples"),
            };
            (JobId(row.get("id")), seen)
        };
        Board(rows.iter().map(read).collect())
    }
}

/// An ended job holds no key, whatever its row in the history remembers.
const LOOK: &str = "
    SELECT j.*, COALESCE((SELECT jsonb_agg(jsonb_build_array(a.claim_no, a.attempt, a.outcome) ORDER BY a.claim_no, a.attempt, a.outcome)
        FROM fleet.attempt a WHERE a.job_id = j.id), '[]') AS past
    FROM (
        SELECT id, state::text, priority, attempt, crashes, snoozes, claim_no, run_at, blockers, worker_id, token,
            cancel_requested_at IS NOT NULL AS cancelling, unique_key, payload::text, NULL::text AS reason FROM fleet.job
        UNION ALL
        SELECT id, state::text, priority, attempt, crashes, snoozes, claim_no, run_at, 0, NULL, NULL, false, NULL, payload::text, reason FROM fleet.job_history) j";
