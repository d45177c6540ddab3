//! A client, with who looks after it; and changes of what it is.

use chrono::{DateTime, NaiveDate, Utc};
use fleet_queue::TenantId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use uuid::Uuid;

use super::new_client::{Fault, Plan, Status, budget, list, text, zone};

/// A client.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Client {
    /// Whose.
    pub tenant_id: Uuid,
    /// Its id.
    pub client_id: Uuid,
    /// What it is called.
    pub name: String,
    /// Since when.
    pub active_since: NaiveDate,
    /// `active`, `dormant` or `closed`.
    pub status: String,
    /// `starter`, `standard` or `enterprise`.
    pub plan: String,
    /// In millionths of the reporting currency.
    pub monthly_budget_micros: i64,
    /// What its partner must know.
    pub industry: Option<String>,
    /// Channels that its partner must know.
    pub channels: Vec<String>,
    /// Languages that its partner must speak.
    pub languages: Vec<String>,
    /// Where its data must stay.
    pub region: Option<String>,
    /// Whether it wants no partner that serves another client of its industry.
    pub exclusive: bool,
    /// Its zone.
    pub zone: String,
    /// Who looks after it.
    pub partner_id: Option<Uuid>,
    /// Who is proposed, while a person decides.
    pub proposed_partner_id: Option<Uuid>,
    /// Since when it waits for somebody who can take it.
    pub waiting_since: Option<DateTime<Utc>>,
}

/// Clients that the session may see: of that id or name where one is given, after that id, at most `limit`.
pub async fn list_clients(
    conn: &mut PgConnection,
    called: Option<&str>,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<Client>, sqlx::Error> {
    let id = called.and_then(|called| called.parse::<Uuid>().ok());
    sqlx::query_as!(
        Client,
        r#"-- clients.list
        SELECT c.tenant_id, c.client_id, c.name, c.active_since, c.status, c.plan, c.monthly_budget_micros, c.industry, c.channels, c.languages,
               c.region, c.exclusive, c.zone, a.partner_id AS "partner_id?", r.partner_id AS "proposed_partner_id?", w.since AS "waiting_since?"
        FROM fleet.clients AS c
        LEFT JOIN fleet.client_assignments AS a ON a.tenant_id = c.tenant_id AND a.client_id = c.client_id AND a.ended_at IS NULL
        LEFT JOIN fleet.assignment_reservations AS r ON r.tenant_id = c.tenant_id AND r.client_id = c.client_id AND r.ended_at IS NULL
        LEFT JOIN fleet.assignment_waitlist AS w ON w.tenant_id = c.tenant_id AND w.client_id = c.client_id
        WHERE ($2::uuid IS NULL OR c.client_id = $2) AND ($1::text IS NULL OR $2 IS NOT NULL OR lower(c.name) = lower($1))
          AND ($3::uuid IS NULL OR c.client_id > $3)
        ORDER BY c.client_id
        LIMIT $4"#,
        called,
        id,
        after,
        limit,
    )
    .fetch_all(conn)
    .await
}

/// What to change of a client; what is left out stays.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ClientPatch {
    /// What it is called, in 1 to 200 characters.
    pub name: Option<String>,
    /// `active`, `dormant` or `closed`. One that is closed gives its partner's slot back.
    pub status: Option<Status>,
    /// `starter`, `standard` or `enterprise`.
    pub plan: Option<Plan>,
    /// In millionths of the reporting currency.
    pub monthly_budget_micros: Option<i64>,
    /// What its partner must know.
    pub industry: Option<String>,
    /// Channels that its partner must know, at most 50.
    pub channels: Option<Vec<String>>,
    /// Languages that its partner must speak, at most 50.
    pub languages: Option<Vec<String>>,
    /// Where its data must stay.
    pub region: Option<String>,
    /// Whether it wants no partner that serves another client of its industry.
    pub exclusive: Option<bool>,
    /// Its zone.
    pub zone: Option<String>,
}

impl ClientPatch {
    /// Refuses what the table would refuse, by field, and a patch that changes nothing.
    pub fn check(&self) -> Result<(), Fault> {
        if *self == Self::default() {
            return Err(Fault::new("body", "nothing is to change: name a field"));
        }
        text("name", self.name.as_deref(), 200)?;
        text("industry", self.industry.as_deref(), 60)?;
        text("region", self.region.as_deref(), 60)?;
        list("channels", self.channels.as_deref().unwrap_or_default())?;
        list("languages", self.languages.as_deref().unwrap_or_default())?;
        budget(self.monthly_budget_micros)?;
        zone(self.zone.as_deref())
    }
}

/// Changes a tenant's client. It was checked. False: there is none.
pub async fn change_client(
    conn: &mut PgConnection,
    tenant: TenantId,
    client: Uuid,
    patch: &ClientPatch,
) -> Result<bool, sqlx::Error> {
    let changed = sqlx::query!(
        r#"-- clients.change
        UPDATE fleet.clients
        SET name = COALESCE($2, name), status = COALESCE($3, status), plan = COALESCE($4, plan),
            monthly_budget_micros = COALESCE($5, monthly_budget_micros), industry = COALESCE($6, industry),
            channels = COALESCE($7, channels), languages = COALESCE($8, languages), region = COALESCE($9, region),
            exclusive = COALESCE($10, exclusive), zone = COALESCE($11, zone)
        WHERE client_id = $1 AND tenant_id = $12"#,
        client,
        patch.name,
        patch.status.map(Status::name),
        patch.plan.map(Plan::name),
        patch.monthly_budget_micros,
        patch.industry,
        patch.channels.as_deref(),
        patch.languages.as_deref(),
        patch.region,
        patch.exclusive,
        patch.zone,
        tenant.0,
    )
    .execute(conn)
    .await?;
    Ok(changed.rows_affected() == 1)
}
