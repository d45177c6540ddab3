//! Writes down who there is, before any metric: people, campaigns, exchange rates, promises kept and broken, boards.

use chrono::{DateTime, Days, NaiveDate, NaiveTime, TimeDelta, Utc};
use fleet_queue::TenantId;
use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

use super::Options;
use super::catalog::{CURRENCIES, INDUSTRIES};
use super::dice::Dice;
use super::population::{Campaign, Client, Partner, tenant_id};
use crate::leaderboard::{BoardError, Period, SubjectKind, create};

/// Rows in a statement.
const BATCH: usize = 5_000;

pub(super) async fn partners(
    conn: &mut PgConnection,
    partners: &[Partner],
) -> Result<(), sqlx::Error> {
    for batch in partners.chunks(BATCH) {
        let ids: Vec<_> = batch.iter().map(|partner| partner.id).collect();
        let names: Vec<_> = batch.iter().map(|partner| partner.name.as_str()).collect();
        let since: Vec<_> = batch.iter().map(|partner| partner.active_since).collect();
        let tiers: Vec<_> = batch
            .iter()
            .map(|partner| if partner.senior { "senior" } else { "standard" })
            .collect();
        let seen: Vec<_> = batch.iter().map(|partner| partner.visibility).collect();
        let list = |of: fn(&Partner) -> &[&'static str]| -> Vec<String> {
            batch.iter().map(|partner| of(partner).join("|")).collect()
        };
        let industries = list(|partner| &partner.versed.industries);
        let channels = list(|partner| &partner.versed.channels);
        let languages = list(|partner| &partner.versed.languages);
        sqlx::query!(
            r#"-- demo.partners
            WITH made AS (
                SELECT * FROM unnest($1::uuid[], $2::text[], $3::date[], $4::text[], $5::text[], $7::text[], $8::text[], $9::text[])
                    AS p (partner_id, name, since, tier, visibility, industries, channels, languages)
            ), registered AS (
                INSERT INTO fleet.partners (tenant_id, partner_id, name, active_since, tier, industries, channels, languages)
                SELECT $6, partner_id, name, since, tier, string_to_array(industries, '|'), string_to_array(channels, '|'), string_to_array(languages, '|')
                FROM made
                ON CONFLICT DO NOTHING
            )
            INSERT INTO fleet.privacy_settings (tenant_id, subject_kind, subject_id, visibility)
            SELECT $6, 'partner', partner_id, visibility FROM made WHERE visibility IS NOT NULL
            ON CONFLICT DO NOTHING"#,
            &ids,
            &names as &[&str],
            &since,
            &tiers as &[&str],
            &seen as &[Option<&str>],
            TenantId::PLATFORM.0,
            &industries,
            &channels,
            &languages,
        )
        .execute(&mut *conn)
        .await?;
    }
    Ok(())
}

pub(super) async fn clients(
    conn: &mut PgConnection,
    clients: &[Client],
) -> Result<(), sqlx::Error> {
    for batch in clients.chunks(BATCH) {
        let tenants: Vec<_> = batch.iter().map(|client| client.tenant).collect();
        let ids: Vec<_> = batch.iter().map(|client| client.id).collect();
        let names: Vec<_> = batch.iter().map(|client| client.name.as_str()).collect();
        let since: Vec<_> = batch.iter().map(|client| client.active_since).collect();
        let industries: Vec<_> = batch.iter().map(|client| client.industry.name).collect();
        sqlx::query!(
            r#"-- demo.clients
            INSERT INTO fleet.clients (tenant_id, client_id, name, active_since, industry)
            SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::date[], $5::text[])
            ON CONFLICT DO NOTHING"#,
            &tenants,
            &ids,
            &names as &[&str],
            &since,
            &industries as &[&str],
        )
        .execute(&mut *conn)
        .await?;
    }
    Ok(())
}

pub(super) async fn campaigns(
    conn: &mut PgConnection,
    campaigns: &[Campaign<'_>],
    last_day: NaiveDate,
) -> Result<(), sqlx::Error> {
    for batch in campaigns.chunks(BATCH) {
        let (tenants, clients): (Vec<_>, Vec<_>) = batch
            .iter()
            .map(|it| (it.client.tenant, it.client.id))
            .unzip();
        let (ids, partners): (Vec<_>, Vec<_>) = batch
            .iter()
            .map(|it| (it.id, it.partner.map(|partner| partner.id)))
            .unzip();
        let (industries, channels): (Vec<_>, Vec<_>) = batch
            .iter()
            .map(|it| (it.client.industry.name, it.channel.name))
            .unzip();
        let names: Vec<_> = batch.iter().map(|it| it.name.as_str()).collect();
        let since: Vec<_> = batch
            .iter()
            .map(|it| last_day - Days::new(it.age.into()))
            .collect();
        sqlx::query!(
            r#"-- demo.campaigns
            INSERT INTO fleet.campaigns (tenant_id, campaign_id, client_id, partner_id, name, industry, channel, active_since)
            SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::text[], $6::text[], $7::text[], $8::date[])
            ON CONFLICT DO NOTHING"#,
            &tenants,
            &ids,
            &clients,
            &partners as &[Option<Uuid>],
            &names as &[&str],
            &industries as &[&str],
            &channels as &[&str],
            &since,
        )
        .execute(&mut *conn)
        .await?;
    }
    Ok(())
}

/// Rates that wander by a few per cent, from before the first metric to the last.
pub(super) async fn rates(
    conn: &mut PgConnection,
    options: &Options,
    last_day: NaiveDate,
) -> Result<(), sqlx::Error> {
    let (mut codes, mut days, mut worth) = (Vec::new(), Vec::new(), Vec::new());
    for (index, currency) in CURRENCIES.iter().enumerate() {
        let mut dice = Dice::of(options.seed, "rate", index as u64);
        let mut drift = 0.0;
        for back in (0..=options.days + 7).rev() {
            drift = 0.98 * drift + 0.004 * dice.normal();
            let wandering = if currency.code == "USD" {
                1.0
            } else {
                1.0 + drift
            };
            codes.push(currency.code);
            days.push(last_day - Days::new(back.into()));
            worth.push(currency.worth * wandering);
        }
    }
    sqlx::query!(
        r#"-- demo.rates
        INSERT INTO fleet.fx_rates (currency, day, rate)
        SELECT currency, day, worth::numeric(20, 10) FROM unnest($1::text[], $2::date[], $3::float8[]) AS r (currency, day, worth)
        ON CONFLICT DO NOTHING"#,
        &codes as &[&str],
        &days,
        &worth,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Promises of the last ninety days, and an open escalation here and there.
pub(super) async fn promises(
    conn: &mut PgConnection,
    options: &Options,
    partners: &[Partner],
    last_day: NaiveDate,
) -> Result<(), sqlx::Error> {
    for (index, partner) in partners.iter().enumerate() {
        let mut dice = Dice::of(options.seed, "promise", index as u64);
        let count = 15 + dice.below(40);
        let kept: Vec<bool> = (0..count)
            .map(|_| dice.chance(partner.reliability))
            .collect();
        let at: Vec<_> = (0..count)
            .map(|_| noon(last_day) - TimeDelta::hours(dice.below(85 * 24) as i64))
            .collect();
        let ids: Vec<_> = (0..count).map(|_| dice.id()).collect();
        let escalated = dice.chance(0.03).then(|| dice.id());
        sqlx::query!(
            r#"-- demo.promises
            WITH escalated AS (
                INSERT INTO fleet.partner_escalations (tenant_id, escalation_id, partner_id)
                SELECT $1, $6::uuid, $2 WHERE $6 IS NOT NULL
                ON CONFLICT DO NOTHING
            )
            INSERT INTO fleet.sla_outcomes (tenant_id, outcome_id, partner_id, met, decided_at)
            SELECT $1, outcome_id, $2, met, decided_at
            FROM unnest($3::uuid[], $4::boolean[], $5::timestamptz[]) AS o (outcome_id, met, decided_at)
            ON CONFLICT DO NOTHING"#,
            TenantId::PLATFORM.0,
            partner.id,
            &ids,
            &kept,
            &at,
            escalated,
        )
        .execute(&mut *conn)
        .await?;
    }
    Ok(())
}

pub(super) fn noon(day: NaiveDate) -> DateTime<Utc> {
    day.and_time(NaiveTime::MIN).and_utc() + TimeDelta::hours(12)
}

/// The boards that a platform begins with, and one tenant's own. Those that exist already are left alone.
pub(super) async fn boards(conn: &mut PgConnection, options: &Options) -> Result<(), BoardError> {
    use Period::{Rolling30d, Week};
    use SubjectKind::{Campaign, Client, Partner};
    let platform = TenantId::PLATFORM;
    let mut wanted = vec![
        (platform, "Partners".to_owned(), Partner, Rolling30d, None),
        (
            platform,
            "Partners of the week".to_owned(),
            Partner,
            Week,
            None,
        ),
        (platform, "Clients".to_owned(), Client, Rolling30d, None),
        (platform, "Campaigns".to_owned(), Campaign, Rolling30d, None),
    ];
    for industry in INDUSTRIES.iter().take(4) {
        wanted.push((
            platform,
            format!("Partners in {}", industry.name),
            Partner,
            Rolling30d,
            Some(industry.name),
        ));
    }
    let tenant = TenantId(tenant_id(options, 0));
    wanted.push((
        tenant,
        "Our campaigns".to_owned(),
        Campaign,
        Rolling30d,
        None,
    ));
    for (tenant, name, kind, period, industry) in wanted {
        match create(conn, tenant, &name, kind, period, industry, &json!({})).await {
            Ok(_) | Err(BoardError::Exists { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
