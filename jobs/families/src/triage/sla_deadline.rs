//! `triage.sla_deadline`: looks at a ticket's promises at the moment one of them is due, or nearly.
//!
//! Trigger: a clock's next threshold (75 %, 90 %, its end); each change of the ticket moves the job or calls it off.
//! Effect: the ticket's clocks brought up to now: a warning, or a breach with one escalation; the job of the next threshold.
//! Safe to repeat because: it holds the ticket and reads anew; a clock is warned of and decided once.
//! Gives up when: the ticket is gone, which completes it as skipped.

use std::time::Duration;

use fleet_queue::{Cx, Done, Job, JobId, JobResult, Policy, TenantId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use uuid::Uuid;

use super::sla::{Kept, Promise, keep};
use crate::tickets::{TicketError, hold};

/// Looks at a ticket's promises.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SlaDeadline {
    /// The ticket.
    pub ticket_id: Uuid,
    /// The promise that is due.
    pub clock: Promise,
    /// The message that waits for an answer, where the promise is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_id: Option<Uuid>,
}

impl Job for SlaDeadline {
    const KIND: &'static str = "triage.sla_deadline";
    const DESCRIPTION: &'static str =
        "Looks at a ticket's promises when one of them is due, or nearly.";

    type Deps = ();

    fn policy() -> Policy {
        Policy {
            priority: 0,
            timeout: Duration::from_secs(30),
            ..Policy::DEFAULT
        }
    }

    fn example() -> Self {
        Self {
            ticket_id: Uuid::nil(),
            clock: Promise::FirstResponse,
            message_id: None,
        }
    }

    async fn run(self, cx: Cx<()>) -> JobResult {
        let mut tx = cx.pool().begin().await?;
        let own = Some(cx.job().id);
        let Some(kept) = look(&mut tx, cx.tenant(), self.ticket_id, own).await? else {
            return Ok(Done::nothing_to_do("the ticket is gone"));
        };
        let done = cx.settle_in(&mut tx, Some(&kept)).await?;
        tx.commit().await?;
        Ok(done)
    }
}

/// Brings a ticket's clocks up to now, as the job does; `own` is that job. `None` where there is no such ticket.
pub async fn look(
    conn: &mut PgConnection,
    tenant: TenantId,
    ticket: Uuid,
    own: Option<JobId>,
) -> Result<Option<Kept>, TicketError> {
    if hold(conn, tenant, ticket).await?.is_none() {
        return Ok(None);
    }
    keep(conn, tenant, ticket, own).await
}
