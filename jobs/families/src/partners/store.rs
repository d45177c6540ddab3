//! Partners put and read.

use chrono::{NaiveDate, NaiveTime};
use fleet_queue::TenantId;
use fleet_queue::transitions::enqueue::enqueue;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

use super::profile::{Profile, Wrong};
use crate::capacity::Score;
use crate::event::{self, Event};

/// Why a profile was not put.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// No partner can be that.
    #[error(transparent)]
    Wrong(#[from] Wrong),
    /// The id is another tenant's partner's.
    #[error("the id belongs to a partner of somebody else; choose another")]
    Taken,
    /// The score of a new partner could not be asked for.
    #[error("its score could not be asked for")]
    Enqueue(#[from] fleet_queue::Error),
    /// The database did not carry it out.
    #[error("the database did not carry it out")]
    Database(#[from] sqlx::Error),
}

/// A partner.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Partner {
    /// Its id.
    pub partner_id: Uuid,
    /// Whose it is; the nil UUID: the platform's.
    pub tenant_id: Uuid,
    /// What it is.
    #[serde(flatten)]
    pub profile: Profile,
}

/// Puts a partner's profile: makes the partner, or replaces what it was. True where it is new.
pub async fn put_partner(
    conn: &mut PgConnection,
    tenant: TenantId,
    partner: Uuid,
    profile: &Profile,
    actor: &str,
) -> Result<bool, ProfileError> {
    profile.check()?;
    let made = upsert(conn, tenant, partner, profile).await;
    let made = made.map_err(|error| refusal(error, profile))?;
    if made {
        // Changes ask for the score by themselves; of who is new there is none yet that could change.
        let score = Score {
            partner_id: partner,
        };
        enqueue(conn, &score.new_job(tenant)).await?;
    }
    let event = Event {
        kind: if made {
            "partner.added"
        } else {
            "partner.changed"
        },
        subject: partner,
        payload: json!({ "profile": profile, "by": actor }),
    };
    event::record(conn, tenant, &event).await?;
    Ok(made)
}

async fn upsert(
    conn: &mut PgConnection,
    tenant: TenantId,
    partner: Uuid,
    it: &Profile,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"-- partners.put
        INSERT INTO fleet.partners (tenant_id, partner_id, name, status, tier, active_since, industries, channels, languages, regions, serves,
                                    zone, work_days, opens, closes)
        VALUES ($1, $2, $3, $4, $5, COALESCE($6, fleet.clock()::date), $7, $8, $9, $10, $11, $12, $13, $14, $15)
        ON CONFLICT (tenant_id, partner_id) DO UPDATE
        SET name = $3, status = $4, tier = $5, active_since = COALESCE($6, partners.active_since), industries = $7, channels = $8,
            languages = $9, regions = $10, serves = $11, zone = $12, work_days = $13, opens = $14, closes = $15
        RETURNING (xmax = 0) AS "made!" -- a row that was inserted has no end yet"#,
        tenant.0,
        partner,
        it.name,
        it.status,
        it.tier,
        it.active_since,
        &it.industries,
        &it.channels,
        &it.languages,
        &it.regions,
        it.serves.as_deref(),
        it.zone,
        &it.work_days,
        it.opens,
        it.closes,
    )
    .fetch_one(conn)
    .await
}

/// What only the database knows: its zones, and other tenants' ids.
fn refusal(error: sqlx::Error, profile: &Profile) -> ProfileError {
    let told = error.as_database_error();
    match told.and_then(sqlx::error::DatabaseError::code).as_deref() {
        Some("22023") => {
            let detail = format!(
                "\"{}\" is no time zone; write it like Europe/Berlin",
                profile.zone
            );
            let field = "zone";
            ProfileError::Wrong(Wrong { field, detail })
        }
        Some("23505") => ProfileError::Taken,
        _ => error.into(),
    }
}

struct Row {
    partner_id: Uuid,
    tenant_id: Uuid,
    name: String,
    status: String,
    tier: String,
    active_since: NaiveDate,
    industries: Vec<String>,
    channels: Vec<String>,
    languages: Vec<String>,
    regions: Vec<String>,
    serves: Option<Vec<Uuid>>,
    zone: String,
    work_days: Vec<i16>,
    opens: NaiveTime,
    closes: NaiveTime,
}

impl From<Row> for Partner {
    fn from(row: Row) -> Self {
        Self {
            partner_id: row.partner_id,
            tenant_id: row.tenant_id,
            profile: Profile {
                name: row.name,
                status: row.status,
                tier: row.tier,
                active_since: Some(row.active_since),
                industries: row.industries,
                channels: row.channels,
                languages: row.languages,
                regions: row.regions,
                serves: row.serves,
                zone: row.zone,
                work_days: row.work_days,
                opens: row.opens,
                closes: row.closes,
            },
        }
    }
}

/// One partner. `None` where there is none that the session may see.
pub async fn find_partner(
    conn: &mut PgConnection,
    partner: Uuid,
) -> Result<Option<Partner>, sqlx::Error> {
    Ok(read(conn, Some(partner), None, 1).await?.pop())
}

/// Partners that the session may see, by id, after `after`, at most `limit`.
pub async fn list_partners(
    conn: &mut PgConnection,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<Partner>, sqlx::Error> {
    read(conn, None, after, limit).await
}

async fn read(
    conn: &mut PgConnection,
    partner: Option<Uuid>,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<Partner>, sqlx::Error> {
    let rows = sqlx::query_as!(
        Row,
        r#"-- partners.read
        SELECT partner_id, tenant_id, name, status, tier, active_since, industries, channels, languages, regions, serves, zone, work_days, opens, closes
        FROM fleet.partners
        WHERE ($1::uuid IS NULL OR partner_id = $1) AND ($2::uuid IS NULL OR partner_id > $2)
        ORDER BY partner_id
        LIMIT $3"#,
        partner,
        after,
        limit,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(Partner::from).collect())
}

/// Whether the partner is one that the tenant may have worked on: its own, or any where the platform asks.
pub(crate) async fn is_known(
    conn: &mut PgConnection,
    partner: Uuid,
    tenant: TenantId,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"-- partners.is_known
        SELECT EXISTS (
            SELECT FROM fleet.partners
            WHERE partner_id = $1 AND ($2::uuid = '00000000-0000-0000-0000-000000000000' OR tenant_id = $2)) AS "known!""#,
        partner,
        tenant.0,
    )
    .fetch_one(conn)
    .await
}
