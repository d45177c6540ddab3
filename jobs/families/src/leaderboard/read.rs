//! What people see of boards. Each function is one statement over one run, so nothing it gives is ever mixed.
//!
//! The connection's `fleet.tenant` decides which boards exist for it; unset, none do. `fleet.leaderboard_shown` applies privacy.

use chrono::{DateTime, NaiveDate, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;

use super::build::{self, RunKey};
use super::privacy::Viewer;

/// Most entries of a page.
pub const PAGE_MAX: i32 = 200;

/// Where a page begins: after a place of a certain run, so that leafing on stays within the run one began with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// The run.
    pub run: Uuid,
    /// The last place already seen.
    pub after: i32,
}

/// A run, as readers know it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunInfo {
    /// Its id.
    pub run_id: Uuid,
    /// What became of it.
    pub status: String,
    /// First day counted.
    pub window_start: NaiveDate,
    /// First day not counted any more.
    pub window_end: NaiveDate,
    /// Highest `seq` it read.
    pub watermark: i64,
    /// SHA-256 of its criteria.
    pub params_version: String,
    /// Metric rows it read.
    pub rows_read: i64,
    /// Refused rows of its window.
    pub quarantined: i64,
    /// Entries.
    pub subjects: i32,
    /// N.
    pub ranked: i32,
    /// Entries that keep their old rank.
    pub held: i32,
    /// SHA-256 over its entries.
    pub checksum: Option<String>,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When readers first saw it.
    pub published_at: Option<DateTime<Utc>>,
}

/// An entry, as a certain viewer sees it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Entry {
    /// Place in the order of display.
    pub place: i32,
    /// Whether it is the viewer's own.
    pub is_own: bool,
    /// Who it is; absent for the anonymous.
    pub subject_id: Option<Uuid>,
    /// Name or alias.
    pub label: String,
    /// How it asked to be seen.
    pub visibility: String,
    /// `ranked`, `held` or `unranked`.
    pub status: String,
    /// Its rank; equal scores share one.
    pub rank: Option<i32>,
    /// The same counted without gaps.
    pub dense_rank: Option<i32>,
    /// Share of the ranked that it is not behind.
    pub percentile: Option<f64>,
    /// Rank in the window before; what a held entry shows.
    pub prev_rank: Option<i32>,
    /// Places climbed since then.
    pub rank_delta: Option<i32>,
    /// Not ranked in the window before.
    pub is_new: bool,
    /// Score, 0 to 100.
    pub score: Option<f64>,
    /// Figures; empty for the anonymous.
    pub metrics: Value,
    /// Badges it wears on this board.
    pub badges: Vec<String>,
    /// For the viewer's own unranked entries: what is missing.
    pub missing: Value,
}

/// A page of a board.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct BoardPage {
    /// The run it shows; absent where nothing was published yet.
    pub run: Option<RunInfo>,
    /// Entries in order.
    pub entries: Vec<Entry>,
    /// Whether the board is kept back because so few stand on it that aliases hide nobody.
    pub suppressed: bool,
}

impl BoardPage {
    /// Where the next page begins, if this one was full.
    pub fn next(&self, limit: i32) -> Option<Cursor> {
        let (run, last) = (self.run.as_ref()?, self.entries.last()?);
        let full =
            self.entries.len() >= usize::try_from(limit.clamp(1, PAGE_MAX)).unwrap_or_default();
        full.then_some(Cursor {
            run: run.run_id,
            after: last.place,
        })
    }
}

/// A page of the current run, or of the run that the cursor names; at most `limit` entries, never over [`PAGE_MAX`].
///
/// `None` where the session may not know the board.
pub async fn board_page(
    conn: &mut PgConnection,
    board: Uuid,
    viewer: Viewer,
    cursor: Option<Cursor>,
    limit: i32,
) -> Result<Option<BoardPage>, sqlx::Error> {
    let found = sqlx::query!(
        r#"-- leaderboard.board_page
        SELECT to_jsonb(r) AS "run: Json<RunInfo>", b.industry IS NOT NULL AND COALESCE(r.ranked < 5, false) AS "small!",
               COALESCE((SELECT jsonb_agg(to_jsonb(s) ORDER BY s.place)
                         FROM fleet.leaderboard_shown(b.board_id, r.run_id, $2, $3, $5, $6, NULL) AS s), '[]') AS "entries!: Json<Vec<Entry>>"
        FROM fleet.leaderboards AS b
        LEFT JOIN fleet.leaderboard_runs AS r
            ON r.tenant_id = b.tenant_id AND r.board_id = b.board_id AND r.run_id = COALESCE($4, b.current_run_id)
           AND r.status IN ('published', 'superseded')
        WHERE b.board_id = $1"#,
        board,
        viewer.is_admin(),
        viewer.partner(),
        cursor.map(|cursor| cursor.run),
        cursor.map_or(0, |cursor| cursor.after),
        limit.clamp(1, PAGE_MAX),
    )
    .fetch_optional(conn)
    .await?;
    Ok(found.map(|found| BoardPage {
        run: found.run.map(|run| run.0),
        entries: found.entries.0,
        suppressed: found.small && !viewer.is_admin(),
    }))
}

/// What a viewer may know of one subject on a board.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Rank {
    /// The run it stands in.
    pub run: RunInfo,
    /// Its entry; absent where it had no metrics in the window, or the viewer may not see it.
    pub entry: Option<Entry>,
}

/// One subject's place on a board, with what it lacks if it is not ranked. `None` where nothing is published to the session.
pub async fn rank_of(
    conn: &mut PgConnection,
    board: Uuid,
    viewer: Viewer,
    subject: Uuid,
) -> Result<Option<Rank>, sqlx::Error> {
    let found = sqlx::query!(
        r#"-- leaderboard.rank_of
        SELECT to_jsonb(r) AS "run!: Json<RunInfo>", s.entry AS "entry?: Json<Entry>"
        FROM fleet.leaderboards AS b
        JOIN fleet.leaderboard_runs AS r ON r.tenant_id = b.tenant_id AND r.run_id = b.current_run_id
        LEFT JOIN LATERAL (
            SELECT to_jsonb(e) AS entry
            FROM fleet.leaderboard_shown(b.board_id, r.run_id, $2, $3, 0, 2, $4) AS e
            ORDER BY e.is_own DESC -- two tenants may use the same id
            LIMIT 1) AS s ON true
        WHERE b.board_id = $1"#,
        board,
        viewer.is_admin(),
        viewer.partner(),
        subject,
    )
    .fetch_optional(conn)
    .await?;
    Ok(found.map(|found| Rank {
        run: found.run.0,
        entry: found.entry.map(|entry| entry.0),
    }))
}

/// A board's runs that the session may know of, latest window first, at most `limit`.
pub async fn history(
    conn: &mut PgConnection,
    board: Uuid,
    before: Option<NaiveDate>,
    limit: i64,
) -> Result<Vec<RunInfo>, sqlx::Error> {
    sqlx::query_as!(
        RunInfo,
        r#"-- leaderboard.history
        SELECT run_id, status, window_start, window_end, watermark, params_version, rows_read, quarantined, subjects, ranked,
               held, checksum, started_at, published_at
        FROM fleet.leaderboard_runs
        WHERE board_id = $1 AND ($2::date IS NULL OR window_end < $2)
        ORDER BY window_end DESC, started_at DESC
        LIMIT $3"#,
        board,
        before,
        limit,
    )
    .fetch_all(conn)
    .await
}

/// The checksum over the entries as they stand now: equal to the run's own unless someone has altered them.
pub async fn checksum_of(conn: &mut PgConnection, run: &RunInfo) -> Result<String, sqlx::Error> {
    let tenant = sqlx::query_scalar!(
        r#"-- leaderboard.tenant_of_run
        SELECT tenant_id FROM fleet.leaderboard_runs WHERE run_id = $1"#,
        run.run_id,
    )
    .fetch_one(&mut *conn)
    .await?;
    build::checksum(
        conn,
        RunKey {
            tenant,
            run: run.run_id,
        },
    )
    .await
}

/// Seconds since each board was published, for the gauge; a board without a run has none.
pub async fn staleness(conn: &mut PgConnection) -> Result<Vec<(Uuid, f64)>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"-- leaderboard.staleness
        SELECT b.board_id, extract(epoch FROM fleet.clock() - r.published_at)::float8 AS "seconds!"
        FROM fleet.leaderboards AS b
        JOIN fleet.leaderboard_runs AS r ON r.tenant_id = b.tenant_id AND r.run_id = b.current_run_id"#
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.board_id, row.seconds))
        .collect())
}
