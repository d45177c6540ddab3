//! Writes judged rows: good ones into `fleet.campaign_metrics`, refused ones into the quarantine, a batch in one transaction.

use std::collections::HashMap;

use chrono::NaiveDate;
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

use super::quarantine::{self, Refused};
use super::row::MetricRow;

/// What a batch did.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Written {
    /// Rows now in the table.
    pub(crate) accepted: u64,
    /// Of those, how many took the place of an earlier one.
    pub(crate) replaced: u64,
}

/// Writes a batch in a transaction of its own.
pub(crate) async fn write(
    conn: &mut PgConnection,
    rows: &[MetricRow],
) -> Result<Written, sqlx::Error> {
    let mut tx = conn.begin().await?;
    lock(&mut tx).await?;
    let written = write_locked(&mut tx, rows, &[]).await?;
    tx.commit().await?;
    Ok(written)
}

/// Writes a batch in a transaction that holds the ingest [`lock`].
pub(crate) async fn write_locked(
    conn: &mut PgConnection,
    rows: &[MetricRow],
    refused: &[Refused],
) -> Result<Written, sqlx::Error> {
    let (rows, repeated) = last_of_each(rows);
    let columns = Columns::of(&rows);
    let replaced = upsert(conn, &columns).await?;
    quarantine::keep(conn, refused).await?;
    quarantine::resolve(conn, &columns.tenant, &columns.campaign, &columns.day).await?;
    Ok(Written {
        accepted: rows.len() as u64 + repeated,
        replaced: replaced + repeated,
    })
}

/// One statement cannot write a row twice: of rows with the same key the last stands. Also says how many gave way.
fn last_of_each(rows: &[MetricRow]) -> (Vec<&MetricRow>, u64) {
    let key = |row: &'_ MetricRow| (row.tenant, row.campaign, row.day);
    let mut last = HashMap::with_capacity(rows.len());
    for (at, row) in rows.iter().enumerate() {
        last.insert((key(row), row.variant.as_str()), at);
    }
    let standing = rows.iter().enumerate();
    let standing = standing.filter(|(at, row)| last[&(key(row), row.variant.as_str())] == *at);
    let standing: Vec<_> = standing.map(|(_, row)| row).collect();
    let repeated = rows.len() - standing.len();
    (standing, repeated as u64)
}

/// Makes `seq` rise in commit order, which is what lets the highest one stand for "everything up to here".
///
/// Without it a writer that drew its numbers early and committed late would slip rows in under a watermark already taken.
/// Taken before anything else is written, it also keeps two ingests from waiting for each other's rows in a circle.
pub(crate) async fn lock(conn: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query!(
        r#"-- metrics.lock
        SELECT pg_advisory_xact_lock(hashtextextended('fleet.metric_seq', 0))"#
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Rows turned into columns, as unnest takes them.
#[derive(Default)]
struct Columns<'a> {
    tenant: Vec<Uuid>,
    client: Vec<Uuid>,
    partner: Vec<Option<Uuid>>,
    campaign: Vec<Uuid>,
    day: Vec<NaiveDate>,
    variant: Vec<&'a str>,
    impressions: Vec<i64>,
    clicks: Vec<i64>,
    conversions: Vec<i64>,
    spend: Vec<i64>,
    revenue: Vec<i64>,
    currency: Vec<&'a str>,
    hours: Vec<Option<i16>>,
}

impl<'a> Columns<'a> {
    fn of(rows: &[&'a MetricRow]) -> Self {
        let mut columns = Self::default();
        for row in rows {
            columns.tenant.push(row.tenant);
            columns.client.push(row.client);
            columns.partner.push(row.partner);
            columns.campaign.push(row.campaign);
            columns.day.push(row.day);
            columns.variant.push(&row.variant);
            columns.impressions.push(row.impressions);
            columns.clicks.push(row.clicks);
            columns.conversions.push(row.conversions);
            columns.spend.push(row.spend_micros);
            columns.revenue.push(row.revenue_micros);
            columns.currency.push(&row.currency);
            columns.hours.push(row.conversion_hours);
        }
        columns
    }
}

/// Inserts or replaces; returns how many were replaced.
async fn upsert(conn: &mut PgConnection, columns: &Columns<'_>) -> Result<u64, sqlx::Error> {
    let replaced = sqlx::query_scalar!(
        r#"-- metrics.upsert
        WITH written AS (
            INSERT INTO fleet.campaign_metrics AS m
                (tenant_id, client_id, partner_id, campaign_id, day, agent_variant, impressions, clicks, conversions,
                 spend_micros, revenue_micros, currency, conversion_hours)
            SELECT *
            FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::date[], $6::text[], $7::bigint[],
                        $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[], $12::text[], $13::smallint[])
            ON CONFLICT (tenant_id, campaign_id, day, agent_variant) DO UPDATE
            SET client_id = EXCLUDED.client_id, partner_id = EXCLUDED.partner_id, impressions = EXCLUDED.impressions,
                clicks = EXCLUDED.clicks, conversions = EXCLUDED.conversions, spend_micros = EXCLUDED.spend_micros,
                revenue_micros = EXCLUDED.revenue_micros, currency = EXCLUDED.currency,
                conversion_hours = EXCLUDED.conversion_hours, seq = EXCLUDED.seq
            RETURNING m.xmax <> 0 AS replaced -- an inserted row was never locked by anyone
        )
        SELECT count(*) FILTER (WHERE replaced) AS "replaced!" FROM written"#,
        &columns.tenant,
        &columns.client,
        &columns.partner as &[Option<Uuid>],
        &columns.campaign,
        &columns.day,
        &columns.variant as &[&str],
        &columns.impressions,
        &columns.clicks,
        &columns.conversions,
        &columns.spend,
        &columns.revenue,
        &columns.currency as &[&str],
        &columns.hours as &[Option<i16>],
    )
    .fetch_one(conn)
    .await?;
    Ok(replaced as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(campaign: u128, clicks: i64) -> MetricRow {
        MetricRow {
            tenant: Uuid::nil(),
            client: Uuid::nil(),
            partner: None,
            campaign: Uuid::from_u128(campaign),
            day: NaiveDate::default(),
            variant: "baseline".to_owned(),
            impressions: 100,
            clicks,
            conversions: 0,
            spend_micros: 0,
            revenue_micros: 0,
            currency: "EUR".to_owned(),
            conversion_hours: None,
            origin: crate::metrics::row::Origin::default(),
        }
    }

    #[test]
    fn of_rows_with_one_key_the_last_stands() {
        let rows = [row(1, 1), row(2, 2), row(1, 3)];
        let (standing, repeated) = last_of_each(&rows);
        let clicks: Vec<_> = standing.iter().map(|row| row.clicks).collect();
        assert_eq!((clicks, repeated), (vec![2, 3], 1));
    }
}
