//! Looks for days that are too good to be true, and holds them for a person.
//!
//! A campaign's day stands out where |x − median| exceeds `max_z` times the larger of 1.4826 MAD over the trailing days and the
//! standard error that chance alone gives to a day like it (binomial for rates, Poisson orders for revenue; by the campaign's mean
//! or by the day itself, whichever is larger). Without the latter, a campaign of one sale in three days, whose MAD is zero, would
//! stand out with every second sale. Besides come rules that no honest campaign breaks. What was cleared once is not held again.

use chrono::NaiveDate;
use serde_json::json;
use sha2::{Digest, Sha256};
use sqlx::PgConnection;

use super::thresholds::Anomalies;

/// Scans the days before `end`, unless these metrics were scanned by these rules already. Returns how many holds are new.
pub(super) async fn scan(
    conn: &mut PgConnection,
    end: NaiveDate,
    rules: &Anomalies,
) -> Result<u64, sqlx::Error> {
    let digest = format!("{:x}", Sha256::digest(json!(rules).to_string()));
    let Some(watermark) = unscanned(conn, end, &digest).await? else {
        return Ok(0);
    };
    let found = outliers(conn, end, rules).await?
        + impossible_days(conn, end, rules).await?
        + bursts(conn, end, rules).await?;
    remember(conn, end, &digest, watermark).await?;
    Ok(found)
}

/// The watermark to scan up to, or `None` where that has been done.
async fn unscanned(
    conn: &mut PgConnection,
    end: NaiveDate,
    rules: &str,
) -> Result<Option<i64>, sqlx::Error> {
    let row = sqlx::query!(
        r#"-- anomalies.unscanned
        SELECT (SELECT COALESCE(max(seq), 0) FROM fleet.campaign_metrics) AS "watermark!",
               (SELECT watermark FROM fleet.metric_scans
                WHERE tenant_id = '00000000-0000-0000-0000-000000000000' AND window_end = $1 AND rules = $2) AS scanned"#,
        end,
        rules,
    )
    .fetch_one(conn)
    .await?;
    Ok((row.scanned < Some(row.watermark)).then_some(row.watermark))
}

/// Rates and revenue far from the campaign's own median.
async fn outliers(
    conn: &mut PgConnection,
    end: NaiveDate,
    rules: &Anomalies,
) -> Result<u64, sqlx::Error> {
    let held = sqlx::query!(
        r#"-- anomalies.outliers
        WITH daily AS ( -- variants of a day taken together
            SELECT tenant_id, campaign_id, day, sum(impressions::float8) AS n, sum(clicks::float8) AS clicks,
                   sum(conversions::float8) AS conversions, sum(revenue_micros::float8) AS revenue
            FROM fleet.campaign_metrics
            WHERE day >= $1::date - $2::int AND day < $1
            GROUP BY tenant_id, campaign_id, day
        ), series AS ( -- a campaign's days as one row: what follows stays within it, and no plan can go astray in joins
            SELECT tenant_id, campaign_id, array_agg(day) AS days, array_agg(n) AS ns, array_agg(revenue) AS revenues,
                   array_agg(clicks) AS clicks, array_agg(conversions) AS conversions,
                   array_agg(clicks / NULLIF(n, 0)) AS ctrs, array_agg(conversions / NULLIF(clicks, 0)) AS cvrs,
                   sum(clicks) / NULLIF(sum(n), 0) AS mean_ctr, sum(conversions) / NULLIF(sum(clicks), 0) AS mean_cvr,
                   avg(conversions) AS mean_conversions, sum(revenue) / NULLIF(sum(conversions), 0) AS mean_order
            FROM daily
            GROUP BY tenant_id, campaign_id
        ), beyond_chance AS MATERIALIZED ( -- few pass, and only for them the spread is looked at
            SELECT s.*, m.ctr AS median_ctr, m.cvr AS median_cvr, m.revenue AS median_revenue, d.day, d.n, d.ctr, d.cvr, d.revenue,
                   c.ctr AS chance_ctr, c.cvr AS chance_cvr, c.revenue AS chance_revenue
            FROM series AS s,
            LATERAL (SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY ctr) AS ctr, percentile_cont(0.5) WITHIN GROUP (ORDER BY cvr) AS cvr,
                            percentile_cont(0.5) WITHIN GROUP (ORDER BY revenue) AS revenue
                     FROM unnest(s.ctrs, s.cvrs, s.revenues) AS u (ctr, cvr, revenue)) AS m,
            LATERAL unnest(s.days, s.ns, s.clicks, s.conversions, s.revenues, s.ctrs, s.cvrs)
                AS d (day, n, clicks, conversions, revenue, ctr, cvr),
            LATERAL (SELECT sqrt(GREATEST(s.mean_ctr * (1 - s.mean_ctr), d.ctr * (1 - d.ctr)) / NULLIF(d.n, 0)) AS ctr,
                            sqrt(GREATEST(s.mean_cvr * (1 - s.mean_cvr), d.cvr * (1 - d.cvr)) / NULLIF(d.clicks, 0)) AS cvr,
                            s.mean_order * sqrt(GREATEST(s.mean_conversions, d.conversions)) AS revenue) AS c
            WHERE d.n >= $3
              AND (abs(d.ctr - m.ctr) > $4::float8 * c.ctr OR abs(d.cvr - m.cvr) > $4 * c.cvr OR abs(d.revenue - m.revenue) > $4 * c.revenue)
        ), measured AS (
            SELECT b.tenant_id, b.campaign_id, b.day, b.n, x.rule, x.value, x.median,
                   abs(x.value - x.median) / NULLIF(GREATEST(1.4826 * x.mad, x.chance), 0) AS z
            FROM beyond_chance AS b,
            LATERAL (SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY abs(ctr - b.median_ctr)) AS ctr,
                            percentile_cont(0.5) WITHIN GROUP (ORDER BY abs(cvr - b.median_cvr)) AS cvr,
                            percentile_cont(0.5) WITHIN GROUP (ORDER BY abs(revenue - b.median_revenue)) AS revenue
                     FROM unnest(b.ctrs, b.cvrs, b.revenues) AS u (ctr, cvr, revenue)) AS mad,
            LATERAL (VALUES ('ctr_outlier', b.ctr, b.median_ctr, mad.ctr, b.chance_ctr),
                            ('cvr_outlier', b.cvr, b.median_cvr, mad.cvr, b.chance_cvr),
                            ('revenue_outlier', b.revenue, b.median_revenue, mad.revenue, b.chance_revenue))
                AS x (rule, value, median, mad, chance)
        )
        INSERT INTO fleet.metric_holds (tenant_id, campaign_id, client_id, partner_id, day, rule, detail)
        SELECT o.tenant_id, o.campaign_id, c.client_id, c.partner_id, o.day, o.rule,
               jsonb_build_object('value', o.value, 'median', o.median, 'z', round(o.z::numeric, 2), 'n', o.n)
        FROM measured AS o
        JOIN fleet.campaigns AS c USING (tenant_id, campaign_id)
        WHERE o.z > $4
        ON CONFLICT DO NOTHING"#,
        end,
        rules.trailing_days,
        rules.min_impressions as f64,
        rules.max_z,
    )
    .execute(conn)
    .await?;
    Ok(held.rows_affected())
}

/// Revenue without a click, and more conversions per click than anybody reaches.
async fn impossible_days(
    conn: &mut PgConnection,
    end: NaiveDate,
    rules: &Anomalies,
) -> Result<u64, sqlx::Error> {
    let held = sqlx::query!(
        r#"-- anomalies.impossible_days
        WITH broken AS (
            SELECT tenant_id, campaign_id, client_id, partner_id, day, clicks, conversions, revenue_micros,
                   CASE WHEN clicks = 0 THEN 'revenue_without_clicks' ELSE 'cvr_too_high' END AS rule
            FROM fleet.campaign_metrics
            WHERE day >= $1::date - $2::int AND day < $1
              AND (clicks = 0 AND revenue_micros > 0 OR clicks >= $3 AND conversions > $4::float8 * clicks)
        )
        INSERT INTO fleet.metric_holds (tenant_id, campaign_id, client_id, partner_id, day, rule, detail)
        SELECT tenant_id, campaign_id, client_id, partner_id, day, rule,
               jsonb_build_object('clicks', clicks, 'conversions', conversions, 'revenue_micros', revenue_micros)
        FROM broken
        ON CONFLICT DO NOTHING"#,
        end,
        rules.trailing_days,
        rules.min_clicks,
        rules.max_cvr,
    )
    .execute(conn)
    .await?;
    Ok(held.rows_affected())
}

/// Conversions that all fall into a few hours, where the source tells the hours of every day that had any.
async fn bursts(
    conn: &mut PgConnection,
    end: NaiveDate,
    rules: &Anomalies,
) -> Result<u64, sqlx::Error> {
    let held = sqlx::query!(
        r#"-- anomalies.bursts
        WITH burst AS (
            SELECT tenant_id, campaign_id, max(day) AS day, sum(conversions) AS conversions, sum(conversion_hours) AS hours,
                   24 * count(DISTINCT day) AS of_hours
            FROM fleet.campaign_metrics
            WHERE day >= $1::date - $2::int AND day < $1 AND conversion_hours IS NOT NULL
            GROUP BY tenant_id, campaign_id
            HAVING sum(conversions) >= $3 AND sum(conversion_hours) < $4 * 24 * count(DISTINCT day)
        )
        INSERT INTO fleet.metric_holds (tenant_id, campaign_id, client_id, partner_id, day, rule, detail)
        SELECT b.tenant_id, b.campaign_id, c.client_id, c.partner_id, b.day, 'conversions_in_few_hours',
               jsonb_build_object('conversions', b.conversions, 'hours', b.hours, 'of_hours', b.of_hours)
        FROM burst AS b
        JOIN fleet.campaigns AS c USING (tenant_id, campaign_id)
        -- It is a trait of the whole span: one hold within it says all.
        WHERE NOT EXISTS (SELECT FROM fleet.metric_holds AS h
                          WHERE h.tenant_id = b.tenant_id AND h.campaign_id = b.campaign_id
                            AND h.rule = 'conversions_in_few_hours' AND h.day >= $1::date - $2::int)
          AND NOT EXISTS (SELECT FROM fleet.campaign_metrics AS m
                          WHERE m.tenant_id = b.tenant_id AND m.campaign_id = b.campaign_id AND m.conversions > 0
                            AND m.conversion_hours IS NULL AND m.day >= $1::date - $2::int AND m.day < $1)
        ON CONFLICT DO NOTHING"#,
        end,
        rules.trailing_days,
        rules.min_conversions as _,
        rules.min_hour_share as _,
    )
    .execute(conn)
    .await?;
    Ok(held.rows_affected())
}

async fn remember(
    conn: &mut PgConnection,
    end: NaiveDate,
    rules: &str,
    watermark: i64,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        r#"-- anomalies.remember
        INSERT INTO fleet.metric_scans (window_end, rules, watermark) VALUES ($1, $2, $3)
        ON CONFLICT (tenant_id, window_end, rules) DO UPDATE
        SET watermark = GREATEST(fleet.metric_scans.watermark, EXCLUDED.watermark), scanned_at = fleet.clock()"#,
        end,
        rules,
        watermark,
    )
    .execute(conn)
    .await?;
    Ok(())
}
