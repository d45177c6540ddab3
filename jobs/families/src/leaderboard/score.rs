//! Scores and ranks the eligible, and turns every subject into an entry.
//!
//! score = 100 * (wc pr(CTR) + wv pr(CVR) + wr pr(ROAS) + wm pr(revenue)) / (sum of the weights of what the subject has), where
//! `pr` is the percent rank among the eligible. The text takes log1p of ROAS and of revenue first; that changes no order, and
//! so no percent rank, and is left out. Equal scores share a rank; revenue and id only order the display.

use sqlx::PgConnection;

use super::build::RunKey;
use super::thresholds::Weights;

/// Writes a run's entries from `fleet.leaderboard_totals`.
pub(super) async fn score(
    conn: &mut PgConnection,
    run: RunKey,
    weights: &Weights,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        r#"-- leaderboard.score
        WITH parts AS ( -- what a subject lacks is null: it takes no place among the others' and brings no weight
            SELECT subject_id, subject_tenant_id, part.weight, part.share
            FROM (SELECT subject_id, subject_tenant_id, ctr, cvr, roas,
                         percent_rank() OVER (PARTITION BY ctr IS NULL ORDER BY ctr) AS ctr_share,
                         percent_rank() OVER (PARTITION BY cvr IS NULL ORDER BY cvr) AS cvr_share,
                         percent_rank() OVER (PARTITION BY roas IS NULL ORDER BY roas) AS roas_share,
                         percent_rank() OVER (ORDER BY revenue_micros) AS revenue_share
                  FROM fleet.leaderboard_totals
                  WHERE tenant_id = $1 AND run_id = $2 AND status = 'ranked') AS t,
                 LATERAL (VALUES ($3::float8, ctr_share, ctr IS NOT NULL), ($4::float8, cvr_share, cvr IS NOT NULL),
                                 ($5::float8, roas_share, roas IS NOT NULL), ($6::float8, revenue_share, true))
                     AS part (weight, share, present)
            WHERE part.present
        ), scores AS ( -- numeric, so that the sum is the same in any order
            SELECT subject_id, subject_tenant_id,
                   round(100 * sum(weight::numeric * share::numeric) / COALESCE(NULLIF(sum(weight::numeric), 0), 1), 4) AS score
            FROM parts
            GROUP BY subject_id, subject_tenant_id
        ), ranks AS (
            SELECT *, rank() OVER (ORDER BY score DESC) AS rank, dense_rank() OVER (ORDER BY score DESC) AS dense_rank, count(*) OVER () AS n
            FROM scores
        ), before AS ( -- a held subject goes on showing the rank it was held at
            SELECT p.subject_id, p.subject_tenant_id, CASE p.status WHEN 'ranked' THEN p.rank WHEN 'held' THEN p.prev_rank END AS rank
            FROM fleet.leaderboard_runs AS r
            JOIN fleet.leaderboard_entries AS p ON p.tenant_id = r.tenant_id AND p.run_id = r.prev_run_id
            WHERE r.tenant_id = $1 AND r.run_id = $2
        )
        INSERT INTO fleet.leaderboard_entries
            (tenant_id, run_id, subject_id, subject_tenant_id, partner_id, label, status, place, rank, dense_rank, percentile,
             prev_rank, rank_delta, is_new, score, metrics, missing)
        SELECT $1, $2, t.subject_id, t.subject_tenant_id, t.partner_id, t.label, t.status,
               row_number() OVER (ORDER BY t.status = 'unranked', CASE WHEN t.status <> 'unranked' THEN COALESCE(r.rank, b.rank) END, t.revenue_micros DESC, t.subject_id, t.subject_tenant_id),
               r.rank, r.dense_rank, round(1 - (r.rank - 1)::numeric / r.n, 6),
               b.rank, b.rank - r.rank, b.rank IS NULL, r.score,
               jsonb_build_object(
                   'impressions', t.impressions, 'clicks', t.clicks, 'conversions', t.conversions, 'active_days', t.days,
                   'spend', round(t.spend_micros / 1000000, 2), 'revenue', round(t.revenue_micros / 1000000, 2),
                   'ctr_raw', round(t.clicks / NULLIF(t.impressions, 0), 6), 'ctr', round(t.ctr, 6),
                   'cvr_raw', round(t.conversions / NULLIF(t.clicks, 0), 6), 'cvr', round(t.cvr, 6), 'roas', round(t.roas, 4)),
               t.missing
        FROM fleet.leaderboard_totals AS t
        LEFT JOIN ranks AS r ON r.subject_id = t.subject_id AND r.subject_tenant_id = t.subject_tenant_id
        LEFT JOIN before AS b ON b.subject_id = t.subject_id AND b.subject_tenant_id = t.subject_tenant_id
        WHERE t.tenant_id = $1 AND t.run_id = $2"#,
        run.tenant,
        run.run,
        weights.ctr,
        weights.cvr,
        weights.roas,
        weights.revenue,
    )
    .execute(conn)
    .await?;
    Ok(())
}
