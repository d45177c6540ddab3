//! Asks a person about a choice, keeping the slot meanwhile.

use fleet_queue::NewJob;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

use super::apply::Apply;
use super::assign::{AssignError, Outcome};
use super::decision::{self, Decision, Mode};
use super::expire::Expire;
use super::follow_up;
use super::rationale::{Rationale, Rules};
use super::reservation;
use super::slot::{self, Claim};
use super::waitlist;
use crate::approval::{self, Proposal};
use crate::event::{self, Event};
use crate::telemetry;

/// The decision, as approvals call it: who looks after a client that nobody looks after.
pub(super) const ASSIGNMENT: &str = "assignment";
/// The same: who relieves a partner of a client.
pub(super) const REBALANCE: &str = "rebalance";

/// What is applied when a person approves.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Proposed {
    /// The client.
    pub client_id: Uuid,
    /// Who would look after it.
    pub partner_id: Uuid,
    /// Who looks after it now; absent where nobody does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Uuid>,
    /// What it adds to a load.
    pub weight: f64,
    /// Why.
    pub decision_id: Uuid,
    /// The slot that is kept.
    pub reservation_id: Uuid,
}

/// Keeps a slot and asks whether the client should have it. `None`: there is no slot.
pub(super) async fn assignment(
    conn: &mut PgConnection,
    claim: &Claim<'_>,
    rules: &Rules,
    mode: Mode,
    rationale: &Rationale,
    threshold: f64,
) -> Result<Option<Outcome>, AssignError> {
    let asked = ask(conn, claim, rules, ASSIGNMENT, rationale, threshold).await?;
    let Some(approval_id) = asked else {
        return Ok(None);
    };
    let decision = Decision::reasoned(mode, "pending_approval", rationale);
    decision::record(conn, claim.client, &decision).await?;
    waitlist::remove(conn, claim.client).await?;
    telemetry::assigned(mode.name(), "pending_approval");
    Ok(Some(Outcome::PendingApproval {
        partner_id: claim.partner,
        decision_id: claim.decision,
        approval_id,
    }))
}

/// Keeps a slot and asks. `None`: there is no slot.
pub(super) async fn ask(
    conn: &mut PgConnection,
    claim: &Claim<'_>,
    rules: &Rules,
    decision: &'static str,
    rationale: &Rationale,
    threshold: f64,
) -> Result<Option<Uuid>, AssignError> {
    let hours = rules.settings.reservation_hours;
    let Some((kept, expires_at)) = slot::reserve(conn, claim, hours).await? else {
        return Ok(None);
    };
    let client = claim.client;
    let proposed = Proposed {
        client_id: client.client_id,
        partner_id: claim.partner,
        from: client.partner_id,
        weight: claim.weight,
        decision_id: claim.decision,
        reservation_id: kept.id,
    };
    let proposal = Proposal {
        tenant: client.tenant(),
        decision,
        subject: client.client_id,
        proposal: serde_json::to_value(&proposed).expect("ids and a number"),
        rationale: serde_json::to_value(rationale).expect("plain figures"),
        confidence: rationale.confidence,
        threshold: Some(threshold),
        apply_kind: <Apply as fleet_queue::Job>::KIND,
        expires_at: Some(expires_at),
    };
    let approval_id = approval::ask(conn, &proposal).await?;
    reservation::bind(conn, client.tenant_id, kept.id, approval_id).await?;
    let expire = Expire {
        reservation_id: kept.id,
    };
    let expire = NewJob::of(&expire)
        .tenant(client.tenant())
        .run_at(expires_at);
    follow_up::enqueue(conn, &expire).await?;
    let event = Event {
        kind: "assignment.proposed",
        subject: client.client_id,
        payload: json!({ "partner_id": claim.partner, "from": client.partner_id, "decision_id": claim.decision,
            "approval_id": approval_id, "confidence": rationale.confidence, "expires_at": expires_at }),
    };
    event::record(conn, client.tenant(), &event).await?;
    Ok(Some(approval_id))
}
