//! Builds a run beside the one that readers see: hold, collect, learn, assess, score, seal.
//!
//! The run's row commits first, as `building`; everything else is one repeatable-read transaction, so that the watermark and the
//! figures come from the same snapshot. A crash leaves a `building` row and nothing else; [`super::prune`] takes it.

use chrono::NaiveDate;
use serde::Serialize;
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use super::board::Board;
use super::criteria::Criteria;
use super::period::Window;
use super::{anomalies, assess, collect, score, shrink};
use crate::metrics::quarantine;

/// A run, as every statement names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RunKey {
    pub(super) tenant: Uuid,
    pub(super) run: Uuid,
}

/// A run that is built and not yet shown.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Built {
    /// The run.
    pub run_id: Uuid,
    /// First day counted.
    pub window_start: NaiveDate,
    /// First day not counted any more.
    pub window_end: NaiveDate,
    /// Highest `seq` it read.
    pub watermark: i64,
    /// Metric rows it read.
    pub rows_read: i64,
    /// Refused rows of its window that nobody has made good.
    pub quarantined: i64,
    /// Their share of all rows of the window.
    pub bad_share: f64,
    /// Entries.
    pub subjects: i32,
    /// Of those, how many are ranked: N.
    pub ranked: i32,
    /// Of those, how many keep their old rank because of an anomaly.
    pub held: i32,
    /// SHA-256 over the ordered entries.
    pub checksum: String,
    /// Anomalies found now for the first time.
    pub anomalies: u64,
}

/// Builds a run of a board. Readers do not see it before [`super::publish`].
pub async fn build(
    pool: &PgPool,
    board: &Board,
    criteria: &Criteria,
    window: Window,
) -> Result<Built, sqlx::Error> {
    let mut conn = pool.acquire().await?;
    let today = crate::metrics::today(&mut conn).await?;
    quarantine::sweep(&mut conn, today).await?;
    let found = anomalies::scan(&mut conn, window.end, &criteria.anomalies).await?;
    let run = begin(&mut conn, board, criteria, window).await?;
    drop(conn);
    let mut tx = pool
        .begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ")
        .await?;
    give_room(&mut tx).await?;
    let watermark = watermark(&mut tx).await?;
    let quarantined = open_quarantine(&mut tx, board, window).await?;
    collect::collect(&mut tx, run, board, window).await?;
    shrink::learn_priors(&mut tx, run, &criteria.prior).await?;
    assess::assess(&mut tx, run, board, criteria, window).await?;
    score::score(&mut tx, run, &criteria.weights).await?;
    let built = seal(&mut tx, run, watermark, quarantined, found).await?;
    tx.commit().await?;
    Ok(built)
}

async fn begin(
    conn: &mut PgConnection,
    board: &Board,
    criteria: &Criteria,
    window: Window,
) -> Result<RunKey, sqlx::Error> {
    let run = sqlx::query_scalar!(
        r#"-- leaderboard.begin
        INSERT INTO fleet.leaderboard_runs (tenant_id, board_id, window_start, window_end, params_version, criteria, prev_run_id)
        SELECT $1, $2, $3, $4, $5, $6,
               (SELECT r.run_id
                FROM fleet.leaderboard_runs AS r
                WHERE r.tenant_id = $1 AND r.board_id = $2 AND r.window_end < $4 AND r.status IN ('published', 'superseded')
                ORDER BY r.window_end DESC, r.published_at DESC
                LIMIT 1)
        RETURNING run_id"#,
        board.tenant.0,
        board.id,
        window.start,
        window.end,
        criteria.version(),
        criteria.to_json(),
    )
    .fetch_one(conn)
    .await?;
    Ok(RunKey {
        tenant: board.tenant.0,
        run,
    })
}

/// A million rows sort and hash better in 64 MB; no statement here runs long enough to repay compiling it; and every join is of
/// one large set with another, where a planner that takes a step's result for 200 rows would loop.
async fn give_room(conn: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query!(
        r#"-- leaderboard.give_room
        SELECT set_config('work_mem', '64MB', true) AS work_mem, set_config('jit', 'off', true) AS jit,
               set_config('enable_nestloop', 'off', true) AS nestloop"#
    )
    .fetch_one(conn)
    .await?;
    Ok(())
}

/// The first statement of the snapshot: everything up to this number is in it, because `seq` rises in commit order.
async fn watermark(conn: &mut PgConnection) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!(
        r#"-- leaderboard.watermark
        SELECT COALESCE(max(seq), 0) AS "watermark!" FROM fleet.campaign_metrics"#
    )
    .fetch_one(conn)
    .await
}

/// Refused rows that belong to the board's window; a row whose day cannot be read counts by the day it came in.
async fn open_quarantine(
    conn: &mut PgConnection,
    board: &Board,
    window: Window,
) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!(
        r#"-- leaderboard.open_quarantine
        SELECT count(*) AS "open!"
        FROM fleet.metric_quarantine AS q
        WHERE q.resolved_at IS NULL
          AND ($1::uuid = '00000000-0000-0000-0000-000000000000' OR q.tenant_id = $1)
          AND COALESCE(q.day, (q.received_at AT TIME ZONE 'UTC')::date) >= $2
          AND COALESCE(q.day, (q.received_at AT TIME ZONE 'UTC')::date) < $3
          AND ($4::text IS NULL OR EXISTS (
              SELECT FROM fleet.campaigns AS c
              WHERE c.tenant_id = q.tenant_id AND c.campaign_id = q.campaign_id AND c.industry = $4))"#,
        board.tenant.0,
        window.start,
        window.end,
        board.industry,
    )
    .fetch_one(conn)
    .await
}

/// Counts and signs the entries, and empties the working tables.
async fn seal(
    conn: &mut PgConnection,
    run: RunKey,
    watermark: i64,
    quarantined: i64,
    anomalies: u64,
) -> Result<Built, sqlx::Error> {
    let rows_read = clear_sums(conn, run).await?;
    let checksum = checksum(conn, run).await?;
    let sealed = sqlx::query!(
        r#"-- leaderboard.seal
        UPDATE fleet.leaderboard_runs AS r
        SET watermark = $3, rows_read = $4, quarantined = $5, checksum = $6,
            subjects = e.subjects, ranked = e.ranked, held = e.held
        FROM (SELECT count(*) AS subjects, count(*) FILTER (WHERE status = 'ranked') AS ranked,
                     count(*) FILTER (WHERE status = 'held') AS held
              FROM fleet.leaderboard_entries
              WHERE tenant_id = $1 AND run_id = $2) AS e
        WHERE r.tenant_id = $1 AND r.run_id = $2 AND r.status = 'building'
        RETURNING r.window_start, r.window_end, r.subjects, r.ranked, r.held"#,
        run.tenant,
        run.run,
        watermark,
        rows_read,
        quarantined,
        checksum,
    )
    .fetch_one(conn)
    .await?;
    Ok(Built {
        run_id: run.run,
        window_start: sealed.window_start,
        window_end: sealed.window_end,
        watermark,
        rows_read,
        quarantined,
        bad_share: quarantined as f64 / (quarantined + rows_read).max(1) as f64,
        subjects: sealed.subjects,
        ranked: sealed.ranked,
        held: sealed.held,
        checksum,
        anomalies,
    })
}

async fn clear_sums(conn: &mut PgConnection, run: RunKey) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!(
        r#"-- leaderboard.clear_sums
        WITH gone AS (
            DELETE FROM fleet.leaderboard_sums WHERE tenant_id = $1 AND run_id = $2 RETURNING metric_rows
        ), gone_too AS (
            DELETE FROM fleet.leaderboard_totals WHERE tenant_id = $1 AND run_id = $2
        )
        SELECT COALESCE(sum(metric_rows), 0)::bigint AS "rows!" FROM gone"#,
        run.tenant,
        run.run,
    )
    .fetch_one(conn)
    .await
}

/// SHA-256 over everything that the run says of its own: not the movement, which depends on what was published before.
pub(super) async fn checksum(conn: &mut PgConnection, run: RunKey) -> Result<String, sqlx::Error> {
    sqlx::query_scalar!(
        r#"-- leaderboard.checksum
        SELECT encode(sha256(convert_to(COALESCE(string_agg(
                   (place, subject_id, subject_tenant_id, status, rank, dense_rank, percentile, score, metrics, missing)::text,
                   E'\n' ORDER BY place), ''), 'UTF8')), 'hex') AS "checksum!"
        FROM fleet.leaderboard_entries
        WHERE tenant_id = $1 AND run_id = $2"#,
        run.tenant,
        run.run,
    )
    .fetch_one(conn)
    .await
}
