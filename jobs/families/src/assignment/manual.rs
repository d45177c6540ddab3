//! A person assigns: to whom they like that is active and works for the tenant, with a reason, and beyond the cap if they say so.

use fleet_queue::TenantId;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

use super::assign::{lock_all, take_back};
use super::client::{self, Client, ClientError};
use super::decision::{self, Decision, Mode};
use super::partner::obstacle;
use super::settings::Settings;
use super::slot::{self, Claim, Taken};
use super::{reservation, waitlist};
use crate::event::{self, Event};
use crate::settings::{SettingsError, Versioned};
use crate::telemetry;

/// What a person wants.
#[derive(Clone, Debug)]
pub struct ByHand<'a> {
    /// Whose client; the platform: whoever has one of that id.
    pub tenant: TenantId,
    /// The client.
    pub client: Uuid,
    /// Who shall look after it.
    pub partner: Uuid,
    /// Why, in 1 to 1,000 characters.
    pub reason: &'a str,
    /// Even beyond what the partner takes.
    pub overload: bool,
    /// Who wants it.
    pub by: &'a str,
}

/// What was done.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Made {
    /// Whose client.
    pub tenant_id: Uuid,
    /// The assignment.
    pub assignment_id: Uuid,
    /// Why, as it is kept.
    pub decision_id: Uuid,
    /// Who looked after the client before.
    pub from: Option<Uuid>,
    /// The partner's load with the client.
    pub load: f64,
    /// What it takes.
    pub cap: f64,
    /// Whether that is beyond it.
    pub manual_overload: bool,
}

/// Why a person's assignment was not made.
#[derive(Debug, thiserror::Error)]
pub enum ByHandError {
    /// There is no such client.
    #[error(transparent)]
    Client(ClientError),
    /// Nobody would know why.
    #[error("reason: say why, in 1 to 1,000 characters")]
    Reason,
    /// The client is that partner's already, or is closed.
    #[error("{0}")]
    Needless(String),
    /// The partner cannot take it.
    #[error("{0}")]
    Partner(String),
    /// There is no slot, and nobody said to go beyond the cap.
    #[error("{0}; give manual_overload to go beyond its cap")]
    Full(String),
    /// The settings cannot be used.
    #[error(transparent)]
    Settings(SettingsError),
    /// The database did not carry it out.
    #[error("the database did not carry it out")]
    Database(#[from] sqlx::Error),
}

impl From<ClientError> for ByHandError {
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::Database(error) => Self::Database(error),
            unknown => Self::Client(unknown),
        }
    }
}

impl From<SettingsError> for ByHandError {
    fn from(error: SettingsError) -> Self {
        match error {
            SettingsError::Database(error) => Self::Database(error),
            unreadable => Self::Settings(unreadable),
        }
    }
}

/// Gives the client to the partner, in a transaction of its own or within the caller's.
pub async fn assign_by_hand(conn: &mut PgConnection, it: &ByHand<'_>) -> Result<Made, ByHandError> {
    if !(1..=1000).contains(&it.reason.trim().chars().count()) {
        return Err(ByHandError::Reason);
    }
    let mut tx = conn.begin().await?;
    let client = client::lock(&mut tx, it.client, it.tenant).await?;
    refuse_needless(&client, it)?;
    let version = Settings::current(&mut tx).await?;
    let weight = client.weight(&version.settings);
    refuse_obstacle(&mut tx, &client, it, weight).await?;
    let both: Vec<Uuid> = client.partner_id.into_iter().chain([it.partner]).collect();
    lock_all(&mut tx, &client, &both).await?;
    take_back(&mut tx, &client, "a person assigned the client").await?;
    let from = slot::end_assignment(&mut tx, &client).await?;
    let summary = format!("{} chose this partner: {}", it.by, it.reason);
    let decision = Decision {
        reason: Some(it.reason),
        by: it.by,
        ..Decision::plain(
            Mode::Manual,
            "assigned",
            it.partner,
            version.version,
            &summary,
        )
    };
    let claim = Claim {
        client: &client,
        partner: it.partner,
        weight,
        decision: decision.decision_id,
        by_hand: true,
        overload: it.overload,
    };
    let Some(taken) = slot::assign(&mut tx, &claim).await? else {
        return Err(ByHandError::Full(format!(
            "partner {} has no room for a weight of {weight} any more",
            it.partner
        )));
    };
    if let Some(from) = from {
        slot::move_campaigns(&mut tx, &client, from, Some(it.partner)).await?;
    }
    decision::record(&mut tx, &client, &decision).await?;
    waitlist::remove(&mut tx, &client).await?;
    let made = made(&client, &decision, from, taken);
    tell(&mut tx, &client, it, &made).await?;
    tx.commit().await?;
    telemetry::assigned("manual", "assigned");
    Ok(made)
}

fn refuse_needless(client: &Client, it: &ByHand<'_>) -> Result<(), ByHandError> {
    if client.partner_id == Some(it.partner) {
        let already = format!(
            "partner {} looks after client {} already",
            it.partner, it.client
        );
        return Err(ByHandError::Needless(already));
    }
    if client.status == "closed" {
        let closed = format!("client {} is closed; open it again first", it.client);
        return Err(ByHandError::Needless(closed));
    }
    Ok(())
}

async fn refuse_obstacle(
    conn: &mut PgConnection,
    client: &Client,
    it: &ByHand<'_>,
    weight: f64,
) -> Result<(), ByHandError> {
    // Asked twice, so that only the cap is what going beyond the cap helps against.
    if let Some(why) = obstacle(conn, client.tenant_id, it.partner, f64::MIN).await? {
        return Err(ByHandError::Partner(why));
    }
    let added = reservation::weight_added(conn, client, it.partner, weight).await?;
    match obstacle(conn, client.tenant_id, it.partner, added).await? {
        Some(why) if !it.overload => Err(ByHandError::Full(why)),
        _ => Ok(()),
    }
}

fn made(client: &Client, decision: &Decision<'_>, from: Option<Uuid>, taken: Taken) -> Made {
    Made {
        tenant_id: client.tenant_id,
        assignment_id: taken.id,
        decision_id: decision.decision_id,
        from,
        load: taken.load,
        cap: taken.cap,
        manual_overload: taken.load > taken.cap,
    }
}

async fn tell(
    conn: &mut PgConnection,
    client: &Client,
    it: &ByHand<'_>,
    made: &Made,
) -> Result<(), sqlx::Error> {
    let event = Event {
        kind: "assignment.overridden",
        subject: client.client_id,
        payload: json!({ "partner_id": it.partner, "from": made.from, "decision_id": made.decision_id, "by": it.by, "reason": it.reason,
            "manual_overload": made.manual_overload }),
    };
    event::record(conn, client.tenant(), &event).await
}
