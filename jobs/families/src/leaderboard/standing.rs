//! How partners stand: what the promotion review judges by, gathered in one statement.

use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;

use super::board::Board;
use super::thresholds::Promotions;

/// A partner's rank on one weekly board.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Week {
    /// `None` where it was not ranked.
    pub(super) rank: Option<i32>,
    /// How many were.
    pub(super) ranked: i32,
}

/// A partner, as the review sees it.
#[derive(Clone, Debug)]
pub(super) struct Standing {
    pub(super) partner_id: Uuid,
    pub(super) senior: bool,
    /// Consecutive weekly boards, the latest first; they stop at the first gap.
    pub(super) weeks: Json<Vec<Week>>,
    pub(super) sla_met: i64,
    pub(super) sla_total: i64,
    /// What is open against it: `anomaly`, `escalation`.
    pub(super) against: Vec<String>,
    pub(super) pending: Option<String>,
    pub(super) lately_rejected: bool,
}

impl Standing {
    /// Share of promises kept, where there are enough to say.
    pub(super) fn sla(&self, rules: &Promotions) -> Option<f64> {
        let enough = self.sla_total >= rules.min_sla_samples && self.sla_total > 0;
        enough.then(|| self.sla_met as f64 / self.sla_total as f64)
    }
}

/// The partners that a review can concern: the top of the current board, seniors, and those with a pending proposal.
pub(super) async fn standings(
    conn: &mut PgConnection,
    board: &Board,
    rules: &Promotions,
) -> Result<Vec<Standing>, sqlx::Error> {
    sqlx::query_as!(
        Standing,
        r#"-- promotion.standings
        WITH latest AS (
            SELECT r.tenant_id, r.run_id, r.window_end, r.ranked
            FROM fleet.leaderboards AS b
            JOIN fleet.leaderboard_runs AS r ON r.tenant_id = b.tenant_id AND r.run_id = b.current_run_id
            WHERE b.tenant_id = $1 AND b.board_id = $2
        ), weekly AS ( -- of each week the run published last; weeks follow each other without a gap
            SELECT w.back, r.run_id, r.ranked
            FROM latest AS l, generate_series(0, $3::int - 1) AS w (back),
                 LATERAL (SELECT run_id, ranked FROM fleet.leaderboard_runs
                          WHERE tenant_id = $1 AND board_id = $2 AND window_end = l.window_end - 7 * w.back
                            AND status IN ('published', 'superseded')
                          ORDER BY published_at DESC LIMIT 1) AS r
        ), unbroken AS (
            SELECT * FROM weekly AS w WHERE (SELECT count(*) FROM weekly AS v WHERE v.back <= w.back) = w.back + 1
        ), concerned AS (
            SELECT p.partner_id, p.tier
            FROM fleet.partners AS p
            CROSS JOIN latest AS l
            LEFT JOIN fleet.leaderboard_entries AS e ON e.tenant_id = l.tenant_id AND e.run_id = l.run_id AND e.subject_id = p.partner_id
            WHERE p.status <> 'inactive'
              AND (p.tier = 'senior' OR e.rank <= ceil(l.ranked * $4::float8) OR EXISTS (
                  SELECT FROM fleet.promotion_candidates AS c
                  WHERE c.tenant_id = $1 AND c.partner_id = p.partner_id AND c.status = 'pending'))
        )
        SELECT c.partner_id AS "partner_id!", c.tier = 'senior' AS "senior!",
               COALESCE((SELECT jsonb_agg(jsonb_build_object('rank', e.rank, 'ranked', u.ranked) ORDER BY u.back)
                         FROM unbroken AS u
                         LEFT JOIN fleet.leaderboard_entries AS e
                             ON e.tenant_id = $1 AND e.run_id = u.run_id AND e.subject_id = c.partner_id), '[]') AS "weeks!: Json<Vec<Week>>",
               s.met AS "sla_met!", s.total AS "sla_total!",
               ARRAY(SELECT DISTINCT 'anomaly' FROM fleet.metric_holds AS h WHERE h.partner_id = c.partner_id AND h.cleared_at IS NULL
                     UNION ALL
                     SELECT DISTINCT 'escalation' FROM fleet.partner_escalations AS x
                     WHERE x.partner_id = c.partner_id AND x.closed_at IS NULL) AS "against!",
               (SELECT q.direction FROM fleet.promotion_candidates AS q
                WHERE q.tenant_id = $1 AND q.partner_id = c.partner_id AND q.status = 'pending') AS pending,
               EXISTS (SELECT FROM fleet.promotion_candidates AS q
                       WHERE q.tenant_id = $1 AND q.partner_id = c.partner_id AND q.status = 'rejected'
                         AND q.decided_at > fleet.clock() - make_interval(days => $6)) AS "lately_rejected!"
        FROM concerned AS c,
             LATERAL (SELECT count(*) FILTER (WHERE o.met) AS met, count(*) AS total
                      FROM fleet.sla_outcomes AS o
                      WHERE o.partner_id = c.partner_id AND o.decided_at > fleet.clock() - make_interval(days => $5)) AS s
        ORDER BY c.partner_id"#,
        board.tenant.0,
        board.id,
        rules.weeks.max(rules.demotion_weeks) as i32,
        rules.top_share,
        rules.sla_days,
        rules.rejection_days,
    )
    .fetch_all(conn)
    .await
}
