//! `leaderboard.prune`: removes runs nobody needs any more, and what a crash left behind.
//!
//! Trigger: a daily schedule.
//! Effect: deletes runs with their entries and priors, orphaned working rows, closed quarantine rows and old events.
//! Safe to repeat because: it deletes by state and age, in batches that each stand for themselves.
//! Gives up when: never; what one attempt leaves, the next takes.
//!
//! Kept: whatever a board shows, and of each window the run that was shown last, so that movement and promotions have their past.

use std::time::Duration;

use fleet_queue::{Cx, Done, Job, JobResult, Policy};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use uuid::Uuid;

/// Rows a statement deletes at most.
const BATCH: i64 = 20_000;

/// Prunes leaderboards.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Prune {
    /// Days that a window's last run is kept; 400 where it is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep_days: Option<u16>,
}

/// What was removed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Pruned {
    /// Runs.
    pub runs: u64,
    /// Their entries.
    pub entries: u64,
    /// Working rows of runs that never ended.
    pub orphans: u64,
    /// Quarantine rows that were made good long ago.
    pub quarantine: u64,
    /// Events that everyone has had time to read.
    pub events: u64,
}

impl Job for Prune {
    const KIND: &'static str = "leaderboard.prune";
    const DESCRIPTION: &'static str =
        "Removes leaderboard runs nobody needs any more, and what a crash left behind.";

    type Deps = ();

    fn policy() -> Policy {
        Policy {
            timeout: Duration::from_mins(30),
            ..Policy::DEFAULT
        }
    }

    fn example() -> Self {
        Self::default()
    }

    async fn run(self, cx: Cx<()>) -> JobResult {
        let mut conn = cx.pool().acquire().await?;
        Done::output(&prune(&mut conn, self.keep_days.unwrap_or(400)).await?)
    }
}

/// Removes what is old, in bounded batches.
pub async fn prune(conn: &mut PgConnection, keep_days: u16) -> Result<Pruned, sqlx::Error> {
    let mut pruned = Pruned::default();
    for run in doomed(conn, i32::from(keep_days)).await? {
        pruned.entries += delete_entries(conn, run).await?;
        pruned.runs += delete_run(conn, run).await?;
    }
    pruned.orphans = delete_orphans(conn).await?;
    pruned.quarantine = delete_quarantine(conn).await?;
    pruned.events = delete_events(conn).await?;
    Ok(pruned)
}

/// Runs that go. A run still building after an hour has lost its process: no attempt may take so long.
async fn doomed(conn: &mut PgConnection, keep_days: i32) -> Result<Vec<Uuid>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"-- prune.doomed
        SELECT r.run_id
        FROM fleet.leaderboard_runs AS r
        WHERE NOT EXISTS (SELECT FROM fleet.leaderboards AS b WHERE b.tenant_id = r.tenant_id AND b.current_run_id = r.run_id)
          AND CASE r.status
                  WHEN 'building' THEN r.started_at < fleet.clock() - interval '1 hour'
                  WHEN 'dry_run' THEN r.started_at < fleet.clock() - interval '1 day'
                  WHEN 'superseded_unpublished' THEN r.started_at < fleet.clock() - interval '1 day'
                  WHEN 'held' THEN r.started_at < fleet.clock() - interval '30 days'
                  WHEN 'superseded' THEN
                      r.published_at < fleet.clock() - make_interval(days => $1)
                      OR r.published_at < fleet.clock() - interval '7 days' AND EXISTS (
                          SELECT FROM fleet.leaderboard_runs AS later
                          WHERE later.tenant_id = r.tenant_id AND later.board_id = r.board_id AND later.window_end = r.window_end
                            AND later.published_at > r.published_at)
                  ELSE false
              END
        ORDER BY r.started_at
        LIMIT 1000"#,
        keep_days,
    )
    .fetch_all(conn)
    .await
}

async fn delete_entries(conn: &mut PgConnection, run: Uuid) -> Result<u64, sqlx::Error> {
    let mut deleted = 0;
    loop {
        let batch = sqlx::query!(
            r#"-- prune.entries
            DELETE FROM fleet.leaderboard_entries
            WHERE ctid = ANY (ARRAY(SELECT e.ctid FROM fleet.leaderboard_entries AS e
                                    JOIN fleet.leaderboard_runs AS r ON r.tenant_id = e.tenant_id AND r.run_id = e.run_id
                                    WHERE r.run_id = $1 LIMIT $2))"#,
            run,
            BATCH,
        )
        .execute(&mut *conn)
        .await?
        .rows_affected();
        deleted += batch;
        if batch < BATCH as u64 {
            return Ok(deleted);
        }
    }
}

async fn delete_run(conn: &mut PgConnection, run: Uuid) -> Result<u64, sqlx::Error> {
    let deleted = sqlx::query!(
        r#"-- prune.run
        WITH gone AS (
            DELETE FROM fleet.leaderboard_runs AS r
            WHERE r.run_id = $1
              AND NOT EXISTS (SELECT FROM fleet.leaderboards AS b WHERE b.tenant_id = r.tenant_id AND b.current_run_id = r.run_id)
            RETURNING r.tenant_id, r.run_id
        ), priors AS (
            DELETE FROM fleet.leaderboard_priors AS p USING gone AS g WHERE p.tenant_id = g.tenant_id AND p.run_id = g.run_id
        )
        SELECT count(*) AS "runs!" FROM gone"#,
        run,
    )
    .fetch_one(conn)
    .await?;
    Ok(deleted.runs as u64)
}

async fn delete_orphans(conn: &mut PgConnection) -> Result<u64, sqlx::Error> {
    let deleted = sqlx::query!(
        r#"-- prune.orphans
        WITH alive AS (
            SELECT tenant_id, run_id FROM fleet.leaderboard_runs WHERE status = 'building'
        ), sums AS (
            DELETE FROM fleet.leaderboard_sums AS s WHERE (s.tenant_id, s.run_id) NOT IN (SELECT tenant_id, run_id FROM alive) RETURNING 1
        ), totals AS (
            DELETE FROM fleet.leaderboard_totals AS t WHERE (t.tenant_id, t.run_id) NOT IN (SELECT tenant_id, run_id FROM alive) RETURNING 1
        )
        SELECT (SELECT count(*) FROM sums) + (SELECT count(*) FROM totals) AS "rows!""#
    )
    .fetch_one(conn)
    .await?;
    Ok(deleted.rows as u64)
}

async fn delete_quarantine(conn: &mut PgConnection) -> Result<u64, sqlx::Error> {
    let deleted = sqlx::query!(
        r#"-- prune.quarantine
        DELETE FROM fleet.metric_quarantine
        WHERE ctid = ANY (ARRAY(SELECT ctid FROM fleet.metric_quarantine
                                WHERE resolved_at < fleet.clock() - interval '90 days' LIMIT $1))"#,
        BATCH,
    )
    .execute(conn)
    .await?;
    Ok(deleted.rows_affected())
}

async fn delete_events(conn: &mut PgConnection) -> Result<u64, sqlx::Error> {
    let deleted = sqlx::query!(
        r#"-- prune.events
        DELETE FROM fleet.event
        WHERE ctid = ANY (ARRAY(SELECT ctid FROM fleet.event
                                WHERE created_at < fleet.clock() - interval '90 days' ORDER BY created_at LIMIT $1))"#,
        BATCH,
    )
    .execute(conn)
    .await?;
    Ok(deleted.rows_affected())
}
