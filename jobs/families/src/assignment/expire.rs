//! `assignment.expire`: gives a slot back that was kept for a decision which nobody took.
//!
//! Trigger: scheduled for the reservation's end by the transaction that made it.
//! Effect: the slot is free, the question is taken back, and the client is looked at anew.
//! Safe to repeat because: only an open reservation is ended, and it commits together with the job's completion.
//! Gives up when: never; a reservation that has ended, or whose verdict is about to be carried out, is left alone.

use std::time::Duration;

use fleet_queue::{Cx, Job, JobError, JobResult, Policy};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

use super::apply::{lapse, locate};
use super::client::Client;
use super::reservation;
use crate::approval::{self, Status};

/// Ends a reservation that is due.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Expire {
    /// The reservation.
    pub reservation_id: Uuid,
}

impl Job for Expire {
    const KIND: &'static str = "assignment.expire";
    const DESCRIPTION: &'static str = "Gives a slot back that was kept for a decision nobody took.";

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
            reservation_id: Uuid::nil(),
        }
    }

    async fn run(self, cx: Cx<()>) -> JobResult {
        let mut tx = cx.pool().begin().await?;
        let client = locate(&mut tx, cx.tenant(), None, Some(self.reservation_id)).await?;
        let ended = match &client {
            Some(client) => self.expire(&mut tx, client).await?,
            None => false,
        };
        let done = cx
            .settle_in(&mut tx, Some(&json!({ "ended": ended })))
            .await?;
        tx.commit().await?;
        Ok(done)
    }
}

impl Expire {
    /// Ends it, if it is open, due, and nobody decided. False: it was none of this job's business.
    async fn expire(&self, conn: &mut PgConnection, client: &Client) -> Result<bool, JobError> {
        let open = reservation::of_client(conn, client).await?;
        let Some(open) = open.filter(|it| it.reservation_id == self.reservation_id && it.is_due)
        else {
            return Ok(false);
        };
        if let Some(approval) = open.approval_id {
            let verdict = approval::verdict(conn, approval, client.tenant()).await?;
            // A verdict that was given in time is carried out, however late.
            let given = [Status::Approved, Status::Corrected, Status::Rejected];
            if verdict.is_some_and(|it| given.contains(&it.status)) {
                return Ok(false);
            }
        }
        lapse(conn, client, &open).await?;
        Ok(true)
    }
}
