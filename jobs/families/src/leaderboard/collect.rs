//! Sums the window's metrics by subject and segment, in the reporting currency: the only statement that reads every row.

use sqlx::PgConnection;

use super::board::Board;
use super::build::RunKey;
use super::period::Window;

/// Fills `fleet.leaderboard_sums` for a run.
pub(super) async fn collect(
    conn: &mut PgConnection,
    run: RunKey,
    board: &Board,
    window: Window,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        r#"-- leaderboard.collect
        WITH days AS (
            SELECT GREATEST($5::date, (SELECT min(day) FROM fleet.campaign_metrics)) AS first
        ), rates AS MATERIALIZED ( -- one look-up a day and currency instead of one a row
            SELECT d.day::date AS day, c.currency, fleet.rate_on(c.currency, d.day::date) AS rate
            FROM days, generate_series(days.first::timestamp, $6::date::timestamp - interval '1 day', interval '1 day') AS d (day),
                 (SELECT DISTINCT currency FROM fleet.fx_rates) AS c
        )
        INSERT INTO fleet.leaderboard_sums
            (tenant_id, run_id, subject_id, subject_tenant_id, industry, channel, impressions, clicks, conversions,
             spend_micros, revenue_micros, days, metric_rows)
        SELECT $1::uuid, $2::uuid,
               CASE $3 WHEN 'partner' THEN m.partner_id WHEN 'client' THEN m.client_id ELSE m.campaign_id END,
               CASE $3 WHEN 'partner' THEN '00000000-0000-0000-0000-000000000000' ELSE m.tenant_id END,
               c.industry, c.channel, sum(m.impressions), sum(m.clicks), sum(m.conversions),
               -- Rounded row by row: sums of whole numbers are the same in any order.
               sum(round(m.spend_micros * r.rate)), sum(round(m.revenue_micros * r.rate)),
               COALESCE(array_agg(DISTINCT m.day) FILTER (WHERE m.impressions > 0), '{}'), count(*)
        FROM fleet.campaign_metrics AS m
        JOIN fleet.campaigns AS c ON c.tenant_id = m.tenant_id AND c.campaign_id = m.campaign_id
        JOIN rates AS r ON r.day = m.day AND r.currency = m.currency
        WHERE m.day >= $5 AND m.day < $6
          AND ($1::uuid = '00000000-0000-0000-0000-000000000000' OR m.tenant_id = $1)
          AND ($4::text IS NULL OR c.industry = $4)
          AND ($3 <> 'partner' OR m.partner_id IS NOT NULL)
        GROUP BY 3, 4, 5, 6"#,
        run.tenant,
        run.run,
        board.kind.name(),
        board.industry,
        window.start,
        window.end,
    )
    .execute(conn)
    .await?;
    Ok(())
}
