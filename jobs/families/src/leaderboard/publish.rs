//! Publishes a built run: one transaction moves the board's pointer, the badges and the events, or none of them.
//!
//! Under the board's advisory lock a run that is older than what readers see gives way: it ends as `superseded_unpublished`.
//! A run over too many bad rows ends as `held`, and readers keep what they have.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::PgConnection;

use super::badges;
use super::board::{Board, SubjectKind};
use super::build::{Built, RunKey};
use super::criteria::Criteria;
use crate::event::{self, Event};

/// Places by which a rank must move for it to be news.
const NEWS: i32 = 3;

/// What became of a built run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Readers see it.
    Published,
    /// A newer one was published first.
    SupersededUnpublished,
    /// Too many bad rows.
    Held,
    /// It was only asked for, to look at.
    DryRun,
}

impl Outcome {
    /// The name in the database and in answers.
    pub fn status(self) -> &'static str {
        match self {
            Self::Published => "published",
            Self::SupersededUnpublished => "superseded_unpublished",
            Self::Held => "held",
            Self::DryRun => "dry_run",
        }
    }
}

/// Decides a run's fate and carries it out, in the caller's transaction.
pub async fn publish(
    conn: &mut PgConnection,
    board: &Board,
    criteria: &Criteria,
    built: &Built,
    dry_run: bool,
) -> Result<Outcome, sqlx::Error> {
    let run = RunKey {
        tenant: board.tenant.0,
        run: built.run_id,
    };
    lock(conn, board).await?;
    let outcome = if dry_run {
        Outcome::DryRun
    } else if built.bad_share > criteria.max_bad_share {
        Outcome::Held
    } else if a_newer_one_is_shown(conn, board, built).await? {
        Outcome::SupersededUnpublished
    } else {
        Outcome::Published
    };
    match outcome {
        Outcome::Published => show(conn, board, criteria, built, run).await?,
        Outcome::Held => announce_hold(conn, board, criteria, built).await?,
        Outcome::DryRun | Outcome::SupersededUnpublished => {}
    }
    end(conn, run, outcome).await?;
    Ok(outcome)
}

/// One publication of a board at a time.
async fn lock(conn: &mut PgConnection, board: &Board) -> Result<(), sqlx::Error> {
    sqlx::query!(
        r#"-- leaderboard.lock
        SELECT pg_advisory_xact_lock(hashtextextended('fleet.leaderboard ' || $1::text, 0))"#,
        board.id.to_string(),
    )
    .execute(conn)
    .await?;
    Ok(())
}

async fn a_newer_one_is_shown(
    conn: &mut PgConnection,
    board: &Board,
    built: &Built,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"-- leaderboard.a_newer_one_is_shown
        SELECT EXISTS (
            SELECT FROM fleet.leaderboard_runs
            WHERE tenant_id = $1 AND board_id = $2 AND status = 'published' AND (window_end, watermark) > ($3, $4)
        ) AS "newer!""#,
        board.tenant.0,
        board.id,
        built.window_end,
        built.watermark,
    )
    .fetch_one(conn)
    .await
}

async fn show(
    conn: &mut PgConnection,
    board: &Board,
    criteria: &Criteria,
    built: &Built,
    run: RunKey,
) -> Result<(), sqlx::Error> {
    badges::settle(conn, board, &criteria.promotions, built).await?;
    announce_ranks(conn, board, run).await?;
    if board.kind == SubjectKind::Partner && board.industry.is_none() && board.tenant.0.is_nil() {
        write_profiles(conn, board, run).await?;
    }
    move_pointer(conn, board, run).await?;
    let payload = json!({
        "run_id": built.run_id, "window_end": built.window_end, "watermark": built.watermark, "ranked": built.ranked,
        "held": built.held, "quarantined": built.quarantined, "checksum": built.checksum,
    });
    let event = Event {
        kind: "leaderboard.published",
        subject: board.id,
        payload,
    };
    event::record(conn, board.tenant, &event).await
}

async fn announce_hold(
    conn: &mut PgConnection,
    board: &Board,
    criteria: &Criteria,
    built: &Built,
) -> Result<(), sqlx::Error> {
    let payload = json!({
        "run_id": built.run_id, "quarantined": built.quarantined, "rows_read": built.rows_read,
        "bad_share": built.bad_share, "max_bad_share": criteria.max_bad_share,
    });
    let event = Event {
        kind: "leaderboard.held",
        subject: board.id,
        payload,
    };
    event::record(conn, board.tenant, &event).await
}

async fn end(conn: &mut PgConnection, run: RunKey, outcome: Outcome) -> Result<(), sqlx::Error> {
    let ended = sqlx::query!(
        r#"-- leaderboard.end
        UPDATE fleet.leaderboard_runs
        SET status = $3, published_at = CASE WHEN $3 = 'published' THEN fleet.clock() END
        WHERE tenant_id = $1 AND run_id = $2 AND status = 'building'"#,
        run.tenant,
        run.run,
        outcome.status(),
    )
    .execute(conn)
    .await?;
    // Pruned in the meantime, because it took longer than any run may: nothing of it must be shown.
    if ended.rows_affected() == 1 {
        Ok(())
    } else {
        Err(sqlx::Error::RowNotFound)
    }
}

async fn move_pointer(
    conn: &mut PgConnection,
    board: &Board,
    run: RunKey,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        r#"-- leaderboard.move_pointer
        WITH old AS (
            UPDATE fleet.leaderboard_runs SET status = 'superseded'
            WHERE tenant_id = $1 AND board_id = $2 AND status = 'published'
        )
        UPDATE fleet.leaderboards SET current_run_id = $3 WHERE tenant_id = $1 AND board_id = $2"#,
        run.tenant,
        board.id,
        run.run,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Tells of ranks that moved against what readers saw until now, by three places or more or over a badge's edge.
async fn announce_ranks(
    conn: &mut PgConnection,
    board: &Board,
    run: RunKey,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        r#"-- leaderboard.announce_ranks
        INSERT INTO fleet.event (tenant_id, kind, subject, payload)
        SELECT n.tenant_id, 'rank.changed', n.subject_id::text,
               jsonb_build_object('board_id', b.board_id, 'run_id', n.run_id, 'from', o.rank, 'to', n.rank)
        FROM fleet.leaderboards AS b
        JOIN fleet.leaderboard_entries AS n ON n.tenant_id = b.tenant_id AND n.run_id = $3
        JOIN fleet.leaderboard_entries AS o
            ON o.tenant_id = b.tenant_id AND o.run_id = b.current_run_id
           AND o.subject_id = n.subject_id AND o.subject_tenant_id = n.subject_tenant_id
        WHERE b.tenant_id = $1 AND b.board_id = $2 AND n.status = 'ranked' AND o.status = 'ranked'
          AND (abs(o.rank - n.rank) >= $4 OR EXISTS (
              SELECT FROM fleet.badges AS g
              WHERE g.tenant_id = b.tenant_id AND g.board_id = b.board_id AND g.subject_id = n.subject_id
                AND g.subject_tenant_id = n.subject_tenant_id AND (g.awarded_run_id = $3 OR g.revoked_run_id = $3)))"#,
        run.tenant,
        board.id,
        run.run,
        NEWS,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Keeps each partner's figures with the partner, by period.
async fn write_profiles(
    conn: &mut PgConnection,
    board: &Board,
    run: RunKey,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        r#"-- leaderboard.write_profiles
        UPDATE fleet.partners AS p
        SET performance_metrics = p.performance_metrics || jsonb_build_object($3::text, f.figures)
        FROM (SELECT subject_id, subject_tenant_id,
                     metrics || jsonb_build_object('rank', rank, 'percentile', percentile, 'score', score, 'status', status) AS figures
              FROM fleet.leaderboard_entries
              WHERE tenant_id = $1 AND run_id = $2) AS f
        WHERE p.tenant_id = f.subject_tenant_id AND p.partner_id = f.subject_id
          AND p.performance_metrics -> $3 IS DISTINCT FROM f.figures"#,
        run.tenant,
        run.run,
        board.period.name(),
    )
    .execute(conn)
    .await?;
    Ok(())
}
