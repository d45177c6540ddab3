//! Takes a subject's segments together, draws its rates towards theirs, and says whether it is eligible and what it lacks.

use sqlx::PgConnection;

use super::board::Board;
use super::build::RunKey;
use super::criteria::Criteria;
use super::period::Window;

/// Fills `fleet.leaderboard_totals` from `fleet.leaderboard_sums`.
///
/// A subject's rate is the mean of its segments' shrunk rates, weighted by their trials; without a trial in any, their plain mean,
/// which is what is typical there.
pub(super) async fn assess(
    conn: &mut PgConnection,
    run: RunKey,
    board: &Board,
    criteria: &Criteria,
    window: Window,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        r#"-- leaderboard.assess
        WITH shrunk AS (
            SELECT s.*, fleet.shrunk_rate(s.clicks, s.impressions, ctr.mean, ctr.strength) AS ctr,
                   fleet.shrunk_rate(s.conversions, s.clicks, cvr.mean, cvr.strength) AS cvr
            FROM fleet.leaderboard_sums AS s
            LEFT JOIN fleet.leaderboard_priors AS ctr
                ON (ctr.tenant_id, ctr.run_id, ctr.industry, ctr.channel, ctr.rate) = ($1, $2, s.industry, s.channel, 'ctr')
            LEFT JOIN fleet.leaderboard_priors AS cvr
                ON (cvr.tenant_id, cvr.run_id, cvr.industry, cvr.channel, cvr.rate) = ($1, $2, s.industry, s.channel, 'cvr')
            WHERE s.tenant_id = $1 AND s.run_id = $2
        ), total AS (
            SELECT subject_id, subject_tenant_id, sum(impressions) AS impressions, sum(clicks) AS clicks,
                   sum(conversions) AS conversions, sum(spend_micros) AS spend, sum(revenue_micros) AS revenue,
                   round(COALESCE(sum(impressions * ctr) / NULLIF(sum(impressions), 0), avg(ctr)), 12) AS ctr,
                   round(COALESCE(sum(clicks * cvr) / NULLIF(sum(clicks), 0), avg(cvr)), 12) AS cvr
            FROM shrunk
            GROUP BY subject_id, subject_tenant_id
        ), active AS (
            SELECT subject_id, subject_tenant_id, count(DISTINCT day) AS days
            FROM shrunk, unnest(days) AS day
            GROUP BY subject_id, subject_tenant_id
        ), suspect AS (
            SELECT DISTINCT CASE $3::text WHEN 'partner' THEN partner_id WHEN 'client' THEN client_id ELSE campaign_id END AS subject_id,
                   CASE $3 WHEN 'partner' THEN '00000000-0000-0000-0000-000000000000' ELSE tenant_id END AS subject_tenant_id
            FROM fleet.metric_holds
            WHERE cleared_at IS NULL AND day < $4::date AND ($1::uuid = '00000000-0000-0000-0000-000000000000' OR tenant_id = $1)
        ), listed AS (
            SELECT t.*, x.tenant_id AS owner, x.partner_id, x.name, COALESCE(a.days, 0) AS days, u.subject_id IS NOT NULL AS suspected,
                   GREATEST($4 - x.active_since, 0) AS tenure
            FROM total AS t
            JOIN fleet.leaderboard_subjects AS x
                ON x.subject_kind = $3 AND x.subject_id = t.subject_id AND ($3 = 'partner' OR x.tenant_id = t.subject_tenant_id)
            LEFT JOIN active AS a ON a.subject_id = t.subject_id AND a.subject_tenant_id = t.subject_tenant_id
            LEFT JOIN suspect AS u ON u.subject_id = t.subject_id AND u.subject_tenant_id = t.subject_tenant_id
        )
        INSERT INTO fleet.leaderboard_totals
            (tenant_id, run_id, subject_id, subject_tenant_id, partner_id, label, status, impressions, clicks, conversions,
             spend_micros, revenue_micros, days, ctr, cvr, roas, missing)
        SELECT $1, $2, l.subject_id, l.owner, l.partner_id, l.name,
               CASE WHEN m.missing <> '[]' THEN 'unranked' WHEN l.suspected THEN 'held' ELSE 'ranked' END,
               l.impressions, l.clicks, l.conversions, l.spend, l.revenue, l.days, l.ctr, l.cvr,
               round(l.revenue / NULLIF(l.spend, 0), 12), m.missing
        FROM listed AS l,
             LATERAL (SELECT COALESCE(jsonb_agg(jsonb_build_object('requirement', requirement, 'has', has, 'needs', needs) ORDER BY requirement), '[]')
                      FROM (VALUES ('impressions', l.impressions, $5::bigint), ('active_days', l.days, $6), ('tenure_days', l.tenure, $7))
                          AS r (requirement, has, needs)
                      WHERE has < needs) AS m (missing)"#,
        run.tenant,
        run.run,
        board.kind.name(),
        window.end,
        criteria.eligibility.min_impressions,
        criteria.active_days_needed(window.days()),
        criteria.eligibility.min_tenure_days,
    )
    .execute(conn)
    .await?;
    Ok(())
}
