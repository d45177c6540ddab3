//! `assignment.transfer`: moves a client from one partner to another.
//!
//! Trigger: a person, by the API or `fleet assignments transfer`.
//! Effect: one assignment ends and another begins at the same moment; its running campaigns move with it; an event.
//! Safe to repeat because: a client that is where it is meant to go stays there, and it commits together with the job's completion.
//! Gives up when: the client is not the first partner's, or the second cannot take it.

use std::time::Duration;

use fleet_queue::{Cx, Job, JobError, JobResult, Policy};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

use super::assign::{lock_all, take_back};
use super::auto::{refused, rules};
use super::client::{self, Client};
use super::decision::{self, Decision, Mode};
use super::partner::obstacle;
use super::rationale::Rules;
use super::reservation;
use super::slot::{self, Claim};
use crate::event::{self, Event};
use crate::telemetry;

/// Moves a client.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Transfer {
    /// The client.
    pub client_id: Uuid,
    /// Who looks after it.
    pub from: Uuid,
    /// Who shall.
    pub to: Uuid,
    /// Why; at most 1,000 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1000))]
    pub reason: Option<String>,
}

impl Job for Transfer {
    const KIND: &'static str = "assignment.transfer";
    const DESCRIPTION: &'static str =
        "Moves a client and its campaigns from one partner to another.";

    type Deps = ();

    fn policy() -> Policy {
        Policy {
            timeout: Duration::from_mins(1),
            max_attempts: 20,
            ..Policy::DEFAULT
        }
    }

    fn example() -> Self {
        Self {
            client_id: Uuid::nil(),
            from: Uuid::from_u128(1),
            to: Uuid::from_u128(2),
            reason: None,
        }
    }

    async fn run(self, cx: Cx<()>) -> JobResult {
        self.check().map_err(JobError::discard)?;
        let mut tx = cx.pool().begin().await?;
        let client = client::lock(&mut tx, self.client_id, cx.tenant())
            .await
            .map_err(refused)?;
        let output = if client.partner_id == Some(self.to) {
            json!({ "nothing_to_do": "the client is there already" })
        } else {
            self.require_from(&client)?;
            let rules = rules(&mut tx, None).await?;
            self.transfer(&mut tx, &client, &rules).await?
        };
        let done = cx.settle_in(&mut tx, Some(&output)).await?;
        tx.commit().await?;
        Ok(done)
    }
}

impl Transfer {
    fn check(&self) -> Result<(), &'static str> {
        match &self.reason {
            _ if self.from == self.to => Err("to: is the partner it comes from; name another"),
            Some(reason) if reason.chars().count() > 1000 => {
                Err("reason: is over 1,000 characters")
            }
            _ => Ok(()),
        }
    }

    fn require_from(&self, client: &Client) -> Result<(), JobError> {
        match client.partner_id {
            Some(partner) if partner == self.from => Ok(()),
            Some(other) => Err(JobError::discard(format!(
                "from: client {} is looked after by {other}, not by {}",
                self.client_id, self.from
            ))),
            None => Err(JobError::discard(format!(
                "from: nobody looks after client {}; assign it",
                self.client_id
            ))),
        }
    }

    async fn transfer(
        &self,
        conn: &mut PgConnection,
        client: &Client,
        rules: &Rules,
    ) -> Result<serde_json::Value, JobError> {
        let weight = client.weight(&rules.settings);
        let added = reservation::weight_added(conn, client, self.to, weight).await?;
        if let Some(why) = obstacle(conn, client.tenant_id, self.to, added).await? {
            return Err(JobError::discard(format!("to: {why}")));
        }
        lock_all(conn, client, &[self.from, self.to]).await?;
        take_back(conn, client, "it was transferred").await?;
        slot::end_assignment(conn, client).await?;
        let plain = Decision::plain(
            Mode::Transfer,
            "assigned",
            self.to,
            rules.version,
            &format!("{} was transferred.", client.name),
        );
        let decision = Decision {
            reason: self.reason.as_deref(),
            by: "a transfer",
            ..plain
        };
        let claim = Claim {
            client,
            partner: self.to,
            weight,
            decision: decision.decision_id,
            by_hand: false,
            overload: false,
        };
        if slot::assign(conn, &claim).await?.is_none() {
            let why = format!(
                "to: partner {} has no room any more, or serves a competitor",
                self.to
            );
            return Err(JobError::discard(why));
        }
        let campaigns = slot::move_campaigns(conn, client, self.from, Some(self.to)).await?;
        decision::record(conn, client, &decision).await?;
        let payload = json!({ "from": self.from, "to": self.to, "campaigns": campaigns, "decision_id": decision.decision_id, "reason": self.reason });
        let event = Event {
            kind: "assignment.transferred",
            subject: client.client_id,
            payload: payload.clone(),
        };
        event::record(conn, client.tenant(), &event).await?;
        telemetry::assigned("transfer", "assigned");
        Ok(payload)
    }
}
