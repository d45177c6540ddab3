//! Badges: the top tenth of a board wears one, and loses it when it falls out.

use sqlx::PgConnection;

use super::board::Board;
use super::build::Built;
use super::thresholds::Promotions;

/// The last rank of the top `share` among `ranked`: rounded up, with those who tie at the edge inside; 0 where too few are ranked.
pub(super) fn last_top_rank(ranked: i32, share: f64, min_ranked: i32) -> i32 {
    if ranked < min_ranked {
        return 0;
    }
    // Rounded first: 0.1 * 30 is 3.0000000000000004, and four of thirty are no tenth.
    ((f64::from(ranked) * share * 1e9).round() / 1e9).ceil() as i32
}

/// Awards and revokes, each with its event. Who is held keeps what it has.
pub(super) async fn settle(
    conn: &mut PgConnection,
    board: &Board,
    rules: &Promotions,
    built: &Built,
) -> Result<(), sqlx::Error> {
    let edge = last_top_rank(built.ranked, rules.top_share, rules.min_ranked);
    revoke(conn, board, built, edge).await?;
    award(conn, board, built, edge).await
}

async fn award(
    conn: &mut PgConnection,
    board: &Board,
    built: &Built,
    edge: i32,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        r#"-- badges.award
        WITH awarded AS (
            INSERT INTO fleet.badges (tenant_id, board_id, subject_id, subject_tenant_id, badge, awarded_run_id)
            SELECT tenant_id, $2, subject_id, subject_tenant_id, 'top_10_percent', run_id
            FROM fleet.leaderboard_entries
            WHERE tenant_id = $1 AND run_id = $3 AND status = 'ranked' AND rank <= $4
            ON CONFLICT (tenant_id, board_id, subject_id, subject_tenant_id, badge) WHERE revoked_at IS NULL DO NOTHING
            RETURNING subject_id, badge
        )
        INSERT INTO fleet.event (tenant_id, kind, subject, payload)
        SELECT $1, 'badge.awarded', subject_id::text, jsonb_build_object('badge', badge, 'board_id', $2::uuid, 'run_id', $3::uuid)
        FROM awarded"#,
        board.tenant.0,
        board.id,
        built.run_id,
        edge,
    )
    .execute(conn)
    .await?;
    Ok(())
}

async fn revoke(
    conn: &mut PgConnection,
    board: &Board,
    built: &Built,
    edge: i32,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        r#"-- badges.revoke
        WITH revoked AS (
            UPDATE fleet.badges AS g
            SET revoked_at = fleet.clock(), revoked_run_id = $3
            WHERE g.tenant_id = $1 AND g.board_id = $2 AND g.revoked_at IS NULL
              AND NOT EXISTS (
                  SELECT FROM fleet.leaderboard_entries AS e
                  WHERE e.tenant_id = $1 AND e.run_id = $3 AND e.subject_id = g.subject_id
                    AND e.subject_tenant_id = g.subject_tenant_id AND (e.status = 'held' OR e.rank <= $4))
            RETURNING g.subject_id, g.badge
        )
        INSERT INTO fleet.event (tenant_id, kind, subject, payload)
        SELECT $1, 'badge.revoked', subject_id::text, jsonb_build_object('badge', badge, 'board_id', $2::uuid, 'run_id', $3::uuid)
        FROM revoked"#,
        board.tenant.0,
        board.id,
        built.run_id,
        edge,
    )
    .execute(conn)
    .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_top_tenth_is_rounded_up_and_needs_ten() {
        let edges = [0, 9, 10, 11, 20, 21, 30, 100, 101].map(|n| last_top_rank(n, 0.10, 10));
        assert_eq!(edges, [0, 0, 1, 2, 2, 3, 3, 10, 11]);
    }

    proptest! {
        #[test]
        fn agrees_with_whole_number_arithmetic(ranked in 10..1_000_000_i32) {
            prop_assert_eq!(last_top_rank(ranked, 0.10, 10), (ranked + 9) / 10);
        }
    }
}
