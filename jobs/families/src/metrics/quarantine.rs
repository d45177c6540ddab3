//! The quarantine: refused rows with their place and reason, until a good row for the same campaign and day arrives.

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;
use sha2::{Digest, Sha256};
use sqlx::PgConnection;
use uuid::Uuid;

use super::reason::Fault;

/// As much of a line as is kept, in characters.
const LONGEST_RAW: usize = 1000;

/// A row that was refused.
#[derive(Clone, Debug)]
pub(crate) struct Refused {
    pub(crate) tenant: Uuid,
    pub(crate) source: String,
    pub(crate) line: u64,
    pub(crate) fault: Fault,
    pub(crate) digest: String,
    pub(crate) raw: String,
    pub(crate) campaign: Option<Uuid>,
    pub(crate) day: Option<NaiveDate>,
}

/// A line as the quarantine keeps it: its digest, and what of it is printable.
pub(crate) fn fingerprint(line: &[u8]) -> (String, String) {
    let text = String::from_utf8_lossy(line);
    let raw = text
        .chars()
        .filter(|c| *c != '\0')
        .take(LONGEST_RAW)
        .collect();
    (format!("{:x}", Sha256::digest(line)), raw)
}

/// Keeps refused rows. The same bad line sent again is the same row, and open again.
pub(super) async fn keep(conn: &mut PgConnection, refused: &[Refused]) -> Result<(), sqlx::Error> {
    if refused.is_empty() {
        return Ok(());
    }
    let column = |of: fn(&Refused) -> String| refused.iter().map(of).collect::<Vec<_>>();
    let lines: Vec<i64> = refused.iter().map(|row| row.line as i64).collect();
    let fields: Vec<_> = refused.iter().map(|row| row.fault.field).collect();
    let tenants: Vec<_> = refused.iter().map(|row| row.tenant).collect();
    let campaigns: Vec<_> = refused.iter().map(|row| row.campaign).collect();
    let days: Vec<_> = refused.iter().map(|row| row.day).collect();
    sqlx::query!(
        r#"-- quarantine.keep
        INSERT INTO fleet.metric_quarantine AS q (tenant_id, digest, source, line, field, reason, raw, campaign_id, day)
        SELECT DISTINCT ON (tenant_id, digest) *
        FROM unnest($1::uuid[], $2::text[], $3::text[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::uuid[], $9::date[])
            AS bad (tenant_id, digest, source, line, field, reason, raw, campaign_id, day)
        ORDER BY tenant_id, digest, line
        ON CONFLICT (tenant_id, digest) DO UPDATE
        SET source = EXCLUDED.source, line = EXCLUDED.line, field = EXCLUDED.field, reason = EXCLUDED.reason,
            received_at = fleet.clock(), resolved_at = NULL"#,
        &tenants,
        &column(|row| row.digest.clone()),
        &column(|row| row.source.clone()),
        &lines,
        &fields as &[Option<&str>],
        &column(|row| row.fault.reason.name().to_owned()),
        &column(|row| row.raw.clone()),
        &campaigns as &[Option<Uuid>],
        &days as &[Option<NaiveDate>],
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Closes what good rows for the same campaign and day have made good.
pub(super) async fn resolve(
    conn: &mut PgConnection,
    tenants: &[Uuid],
    campaigns: &[Uuid],
    days: &[NaiveDate],
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        r#"-- quarantine.resolve
        UPDATE fleet.metric_quarantine AS q
        SET resolved_at = fleet.clock()
        WHERE q.resolved_at IS NULL
          AND q.received_at < transaction_timestamp() -- what this very batch refused stays open
          AND (q.tenant_id, q.campaign_id, q.day) IN (SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::date[]))"#,
        tenants,
        campaigns,
        days,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// A refused row, for a person to look at.
#[derive(Clone, Debug, Serialize)]
pub struct QuarantinedRow {
    /// Whose it would have been.
    pub tenant_id: Uuid,
    /// SHA-256 of the line; with the tenant, its key.
    pub digest: String,
    /// The file or request it came in.
    pub source: String,
    /// Its line there.
    pub line: i64,
    /// The field at fault, where it is one.
    pub field: Option<String>,
    /// What is wrong.
    pub reason: String,
    /// The line, or how it begins.
    pub raw: String,
    /// When it came in last.
    pub received_at: DateTime<Utc>,
}

/// Open refused rows that the session may see, newest first, before `before`, at most `limit`.
pub async fn list_quarantine(
    conn: &mut PgConnection,
    before: Option<DateTime<Utc>>,
    limit: i64,
) -> Result<Vec<QuarantinedRow>, sqlx::Error> {
    sqlx::query_as!(
        QuarantinedRow,
        r#"-- quarantine.list
        SELECT tenant_id, digest, source, line, field, reason, raw, received_at
        FROM fleet.metric_quarantine
        WHERE resolved_at IS NULL AND ($1::timestamptz IS NULL OR received_at < $1)
        ORDER BY received_at DESC, tenant_id, digest
        LIMIT $2"#,
        before,
        limit,
    )
    .fetch_all(conn)
    .await
}

/// Moves rows that no board can count out of the table: a day that has not come, a currency without a rate.
///
/// Ingest refuses such rows; these came by another way, or a rate was withdrawn. Returns how many were moved.
pub(crate) async fn sweep(conn: &mut PgConnection, today: NaiveDate) -> Result<u64, sqlx::Error> {
    let moved = sqlx::query_scalar!(
        r#"-- quarantine.sweep
        WITH first_rate AS (
            SELECT currency, min(day) AS day FROM fleet.fx_rates GROUP BY currency
        ), bad AS (
            SELECT m.tenant_id, m.campaign_id, m.day, m.agent_variant, m.day > $1 AS future
            FROM fleet.campaign_metrics AS m
            LEFT JOIN first_rate AS f ON f.currency = m.currency
            WHERE m.day > $1 OR f.day IS NULL OR f.day > m.day
        ), taken AS (
            DELETE FROM fleet.campaign_metrics AS m
            USING bad AS b
            WHERE (m.tenant_id, m.campaign_id, m.day, m.agent_variant) = (b.tenant_id, b.campaign_id, b.day, b.agent_variant)
            RETURNING m.*, b.future
        ), kept AS (
            INSERT INTO fleet.metric_quarantine (tenant_id, digest, source, line, field, reason, raw, campaign_id, day)
            SELECT t.tenant_id, encode(sha256(convert_to(to_jsonb(t)::text, 'UTF8')), 'hex'), 'campaign_metrics', 0,
                   CASE WHEN t.future THEN 'day' ELSE 'currency' END,
                   CASE WHEN t.future THEN 'future_day' ELSE 'unknown_currency' END,
                   left(to_jsonb(t)::text, 1000), t.campaign_id, t.day
            FROM taken AS t
            ON CONFLICT (tenant_id, digest) DO UPDATE SET resolved_at = NULL
        )
        SELECT count(*) AS "moved!" FROM taken"#,
        today,
    )
    .fetch_one(conn)
    .await?;
    Ok(moved as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_keeps_what_can_be_shown() {
        let (digest, raw) = fingerprint(b"caf\xe9\0,17");
        assert_eq!(raw, "caf\u{fffd},17");
        assert_eq!(digest.len(), 64);
        assert_eq!(fingerprint(&[b'x'; 5000]).1.len(), LONGEST_RAW);
    }
}
