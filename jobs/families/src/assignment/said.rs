//! What a person said of a kept slot, carried out: approved, rejected, or corrected to another partner.

use fleet_queue::JobError;
use serde_json::{Value, json};
use sqlx::PgConnection;
use uuid::Uuid;

use super::apply::told;
use super::assign::AssignError;
use super::auto::Auto;
use super::client::Client;
use super::correct::Correction;
use super::decision::{self, Decision, Mode};
use super::rationale::Rules;
use super::reservation::{self, End, Reservation};
use super::slot::{self, Claim};
use super::{follow_up, partner, waitlist};

/// What a person said of a reservation.
pub(super) struct Said<'a> {
    pub(super) client: &'a Client,
    pub(super) open: &'a Reservation,
    pub(super) rules: &'a Rules,
    pub(super) by: &'a str,
    pub(super) note: Option<&'a str>,
}

impl Said<'_> {
    pub(super) async fn approved(&self, conn: &mut PgConnection) -> Result<&'static str, JobError> {
        let (client, partner) = (self.client, self.open.partner_id);
        // Its slot is kept, so that only what the partner is by now can stand in the way, and not its cap.
        if let Some(why) = partner::obstacle(conn, client.tenant_id, partner, f64::MIN).await? {
            self.again(conn, &[partner], &format!("approved, but {why}"))
                .await?;
            return Ok("the partner cannot take it any more; it is looked at anew");
        }
        self.hand_over(conn, &format!("{} approved it.", self.by))
            .await?;
        Ok("assigned")
    }

    /// Gives the client the slot that is kept for it: the load stays as it is, whatever the cap is by now.
    async fn hand_over(&self, conn: &mut PgConnection, summary: &str) -> Result<(), JobError> {
        let (client, partner) = (self.client, self.open.partner_id);
        let partners: Vec<Uuid> = client.partner_id.into_iter().chain([partner]).collect();
        slot::lock(conn, &partners).await?;
        if let Some(from) = slot::end_assignment(conn, client).await? {
            slot::move_campaigns(conn, client, from, Some(partner)).await?;
        }
        let decision = self.decision("assigned", partner, summary);
        decision::record(conn, client, &decision).await?;
        reservation::pass_on(conn, self.open, decision.decision_id).await?;
        self.made(conn, partner, decision.decision_id).await
    }

    pub(super) async fn rejected(&self, conn: &mut PgConnection) -> Result<&'static str, JobError> {
        let said = format!("{} rejected it.", self.by);
        let decision = self.decision("released", self.open.partner_id, &said);
        decision::record(conn, self.client, &decision).await?;
        self.again(conn, &[self.open.partner_id], &said).await?;
        Ok("released")
    }

    pub(super) async fn corrected(
        &self,
        conn: &mut PgConnection,
        correction: Option<&Value>,
    ) -> Result<&'static str, JobError> {
        let correction: Correction =
            serde_json::from_value(correction.cloned().unwrap_or_default())?;
        let (client, to) = (self.client, correction.partner_id);
        let partners: Vec<Uuid> = client
            .partner_id
            .into_iter()
            .chain([self.open.partner_id, to])
            .collect();
        slot::lock(conn, &partners).await?;
        if let Some(why) = self.in_the_way(conn, &correction).await? {
            let why = format!("{} chose another partner, but {why}", self.by);
            self.again(conn, &[], &why).await?;
            return Ok("the partner cannot take it any more; it is looked at anew");
        }
        if to == self.open.partner_id {
            // To give the slot back first would be to lose it where the cap was lowered meanwhile.
            self.hand_over(conn, &format!("{} chose this partner too.", self.by))
                .await?;
            return Ok("assigned to whom the person chose");
        }
        reservation::release(conn, self.open, End::Released).await?;
        let decision = self.decision(
            "assigned",
            to,
            &format!("{} chose this partner instead.", self.by),
        );
        let from = slot::end_assignment(conn, client).await?;
        let claim = Claim {
            client,
            partner: to,
            weight: self.open.weight,
            decision: decision.decision_id,
            by_hand: true,
            // The partner that has the client already takes on nothing by keeping it.
            overload: correction.manual_overload || client.partner_id == Some(to),
        };
        if slot::assign(conn, &claim).await?.is_none() {
            // It left between the look and the slot: the next attempt says so.
            return Err(format!("partner {to} has just left; trying again").into());
        }
        decision::record(conn, client, &decision).await?;
        if let Some(from) = from {
            slot::move_campaigns(conn, client, from, Some(to)).await?;
        }
        self.made(conn, to, decision.decision_id).await?;
        Ok("assigned to whom the person chose")
    }

    /// What has come in the way of the partner that the person chose, since they did. Ask with the partners locked.
    async fn in_the_way(
        &self,
        conn: &mut PgConnection,
        correction: &Correction,
    ) -> Result<Option<String>, sqlx::Error> {
        let to = correction.partner_id;
        let has_slot = to == self.open.partner_id || self.client.partner_id == Some(to);
        let weight = if has_slot || correction.manual_overload {
            f64::MIN
        } else {
            self.open.weight
        };
        partner::obstacle(conn, self.client.tenant_id, to, weight).await
    }

    fn decision(&self, outcome: &'static str, partner: Uuid, summary: &str) -> Decision<'_> {
        let plain = Decision::plain(Mode::Review, outcome, partner, self.rules.version, summary);
        let mut rationale = plain.rationale;
        rationale["proposal"] = json!(self.open.decision_id);
        Decision {
            rationale,
            reason: self.note,
            by: self.by,
            ..plain
        }
    }

    async fn made(
        &self,
        conn: &mut PgConnection,
        partner: Uuid,
        decision: Uuid,
    ) -> Result<(), JobError> {
        waitlist::remove(conn, self.client).await?;
        let payload = json!({ "partner_id": partner, "from": self.client.partner_id, "decision_id": decision, "mode": "review", "by": self.by });
        told(conn, self.client, "assignment.made", payload).await?;
        crate::telemetry::assigned("review", "assigned");
        Ok(())
    }

    /// Gives the slot back and has the client looked at anew, unless somebody looks after it.
    async fn again(
        &self,
        conn: &mut PgConnection,
        exclude: &[Uuid],
        why: &str,
    ) -> Result<(), AssignError> {
        reservation::release(conn, self.open, End::Released).await?;
        let payload = json!({ "partner_id": self.open.partner_id, "why": why, "by": self.by });
        told(conn, self.client, "assignment.released", payload).await?;
        if self.client.partner_id.is_some() {
            return Ok(());
        }
        let auto = Auto {
            exclude: exclude.to_vec(),
            ..Auto::of(self.client.client_id)
        };
        follow_up::enqueue(conn, &auto.new_job(self.client.tenant())).await
    }
}
