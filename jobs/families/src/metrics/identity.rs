//! Checks a batch against what the database knows: partners, campaigns, exchange rates.
//!
//! A campaign never seen before is registered with the segment its row states, so that a new campaign needs no ceremony.
//! A partner never seen before is registered only by the platform's own ingest: a tenant cannot invent one.

use std::collections::{HashMap, HashSet};

use chrono::NaiveDate;
use fleet_queue::TenantId;
use sqlx::PgConnection;
use uuid::Uuid;

use super::row::{MetricRow, Scope};
use super::validate::Rules;

/// Remembered ids; past this many the memory starts afresh, so that it stays bounded.
const MOST_REMEMBERED: usize = 200_000;

/// The database's day in UTC.
pub(crate) async fn today(conn: &mut PgConnection) -> Result<NaiveDate, sqlx::Error> {
    sqlx::query_scalar!(
        r#"-- metrics.today
        SELECT (fleet.clock() AT TIME ZONE 'UTC')::date AS "today!""#
    )
    .fetch_one(conn)
    .await
}

/// What rows are judged by, as of now.
pub(crate) async fn rules(conn: &mut PgConnection, scope: Scope) -> Result<Rules, sqlx::Error> {
    Ok(Rules {
        scope,
        today: today(conn).await?,
        currencies: currencies(conn).await?,
    })
}

async fn currencies(conn: &mut PgConnection) -> Result<HashMap<String, NaiveDate>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"-- metrics.currencies
        SELECT currency, min(day) AS "since!" FROM fleet.fx_rates GROUP BY currency"#
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.currency, row.since))
        .collect())
}

/// What an ingest has already found in the database.
#[derive(Debug, Default)]
pub(crate) struct Known {
    partners: HashSet<Uuid>,
    campaigns: HashSet<(Uuid, Uuid)>,
}

impl Known {
    /// Registers what may be registered and returns the partners of this batch that remain unknown.
    pub(crate) async fn admit(
        &mut self,
        conn: &mut PgConnection,
        scope: Scope,
        rows: &[MetricRow],
    ) -> Result<HashSet<Uuid>, sqlx::Error> {
        let unknown = self.admit_partners(conn, scope, rows).await?;
        let welcome = |row: &&MetricRow| {
            row.partner
                .is_none_or(|partner| !unknown.contains(&partner))
        };
        let fresh: Vec<_> = rows
            .iter()
            .filter(welcome)
            .filter(|row| self.campaigns.insert((row.tenant, row.campaign)))
            .collect();
        register_clients(conn, &fresh).await?;
        register_campaigns(conn, &fresh).await?;
        if self.campaigns.len() + self.partners.len() > MOST_REMEMBERED {
            *self = Self::default();
        }
        Ok(unknown)
    }

    async fn admit_partners(
        &mut self,
        conn: &mut PgConnection,
        scope: Scope,
        rows: &[MetricRow],
    ) -> Result<HashSet<Uuid>, sqlx::Error> {
        let mut fresh = HashMap::new();
        for row in rows {
            if let Some(partner) = row
                .partner
                .filter(|partner| !self.partners.contains(partner))
            {
                fresh.entry(partner).or_insert(row);
            }
        }
        if fresh.is_empty() {
            return Ok(HashSet::new());
        }
        if scope == Scope::Platform {
            register_partners(conn, &fresh).await?;
        }
        let asked: Vec<_> = fresh.keys().copied().collect();
        let known = known_partners(conn, &asked).await?;
        self.partners.extend(&known);
        Ok(asked
            .into_iter()
            .filter(|partner| !self.partners.contains(partner))
            .collect())
    }
}

async fn known_partners(conn: &mut PgConnection, asked: &[Uuid]) -> Result<Vec<Uuid>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"-- metrics.known_partners
        SELECT known AS "known!" FROM fleet.known_partners($1) AS known"#,
        asked,
    )
    .fetch_all(conn)
    .await
}

async fn register_partners(
    conn: &mut PgConnection,
    fresh: &HashMap<Uuid, &MetricRow>,
) -> Result<(), sqlx::Error> {
    let (ids, rows): (Vec<_>, Vec<_>) = fresh.iter().map(|(id, row)| (*id, *row)).unzip();
    let names: Vec<_> = rows.iter().map(|row| row.origin.partner.as_str()).collect();
    let days: Vec<_> = rows.iter().map(|row| row.day).collect();
    sqlx::query!(
        r#"-- metrics.register_partners
        INSERT INTO fleet.partners (tenant_id, partner_id, name, active_since)
        SELECT $1, * FROM unnest($2::uuid[], $3::text[], $4::date[])
        ON CONFLICT (partner_id) DO NOTHING"#,
        TenantId::PLATFORM.0,
        &ids,
        &names as &[&str],
        &days,
    )
    .execute(conn)
    .await?;
    Ok(())
}

async fn register_clients(conn: &mut PgConnection, rows: &[&MetricRow]) -> Result<(), sqlx::Error> {
    let (tenants, ids): (Vec<_>, Vec<_>) = rows.iter().map(|row| (row.tenant, row.client)).unzip();
    let names: Vec<_> = rows.iter().map(|row| row.origin.client.as_str()).collect();
    let days: Vec<_> = rows.iter().map(|row| row.day).collect();
    sqlx::query!(
        r#"-- metrics.register_clients
        INSERT INTO fleet.clients (tenant_id, client_id, name, active_since)
        SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::date[])
        ON CONFLICT DO NOTHING"#,
        &tenants,
        &ids,
        &names as &[&str],
        &days,
    )
    .execute(conn)
    .await?;
    Ok(())
}

async fn register_campaigns(
    conn: &mut PgConnection,
    rows: &[&MetricRow],
) -> Result<(), sqlx::Error> {
    let (tenants, ids): (Vec<_>, Vec<_>) =
        rows.iter().map(|row| (row.tenant, row.campaign)).unzip();
    let (clients, partners): (Vec<_>, Vec<_>) =
        rows.iter().map(|row| (row.client, row.partner)).unzip();
    let names: Vec<_> = rows
        .iter()
        .map(|row| row.origin.campaign.as_str())
        .collect();
    let industries: Vec<_> = rows
        .iter()
        .map(|row| row.origin.industry.as_deref())
        .collect();
    let channels: Vec<_> = rows
        .iter()
        .map(|row| row.origin.channel.as_deref())
        .collect();
    let days: Vec<_> = rows.iter().map(|row| row.day).collect();
    sqlx::query!(
        r#"-- metrics.register_campaigns
        INSERT INTO fleet.campaigns (tenant_id, campaign_id, client_id, partner_id, name, industry, channel, active_since)
        SELECT c.tenant_id, c.campaign_id, c.client_id, c.partner_id, c.name,
               COALESCE(c.industry, 'unclassified'), COALESCE(c.channel, 'unclassified'), c.day
        FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::text[], $6::text[], $7::text[], $8::date[])
            AS c (tenant_id, campaign_id, client_id, partner_id, name, industry, channel, day)
        ON CONFLICT DO NOTHING"#,
        &tenants,
        &ids,
        &clients,
        &partners as &[Option<Uuid>],
        &names as &[&str],
        &industries as &[Option<&str>],
        &channels as &[Option<&str>],
        &days,
    )
    .execute(conn)
    .await?;
    Ok(())
}
