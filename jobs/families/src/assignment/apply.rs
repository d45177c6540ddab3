//! `assignment.apply`: carries out what a person said of a proposal, or releases what was kept for it.
//!
//! Trigger: the decision on an approval, or its end, in its transaction.
//! Effect: approved: the kept slot is the client's; corrected: it goes where the person said; rejected, expired: the slot is free, and the
//! client is looked at anew, without the partner that was rejected.
//! Safe to repeat because: only an open reservation is carried out, and it commits together with the job's completion.
//! Gives up when: there is no such approval, or not of the job's tenant.

use std::time::Duration;

use fleet_queue::{Cx, Job, JobError, JobResult, Policy, TenantId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sqlx::PgConnection;
use uuid::Uuid;

use super::auto::{Auto, refused, rules};
use super::client::{self, Client, ClientError};
use super::decision::{self, Decision, Mode};
use super::follow_up;
use super::propose::{ASSIGNMENT, REBALANCE};
use super::reservation::{self, End, Reservation};
use super::said::Said;
use crate::approval::{self, Status, Verdict};
use crate::event::{self, Event};

/// Carries a verdict out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Apply {
    /// The approval.
    pub approval_id: Uuid,
}

impl Job for Apply {
    const KIND: &'static str = "assignment.apply";
    const DESCRIPTION: &'static str = "Carries out what a person said of a proposed assignment.";

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
            approval_id: Uuid::nil(),
        }
    }

    async fn run(self, cx: Cx<()>) -> JobResult {
        let mut tx = cx.pool().begin().await?;
        // The client before the approval: the order in which everybody locks.
        let client = locate(&mut tx, cx.tenant(), Some(self.approval_id), None).await?;
        let verdict = approval::verdict(&mut tx, self.approval_id, cx.tenant()).await?;
        let Some(verdict) = verdict else {
            let unknown = format!("approval_id: there is no approval {}", self.approval_id);
            return Err(JobError::discard(unknown));
        };
        let became = match client {
            Some(client) => carry_out(&mut tx, &client, &verdict).await?,
            None => "nothing was kept for it",
        };
        let output = json!({ "verdict": verdict.status, "became": became });
        let done = cx.settle_in(&mut tx, Some(&output)).await?;
        tx.commit().await?;
        Ok(done)
    }
}

/// The client that a reservation is for, locked; by the question it waits for, or by its own id.
pub(super) async fn locate(
    conn: &mut PgConnection,
    tenant: TenantId,
    approval: Option<Uuid>,
    reservation: Option<Uuid>,
) -> Result<Option<Client>, JobError> {
    let client = sqlx::query_scalar!(
        r#"-- assignment.reserved_for
        SELECT client_id FROM fleet.assignment_reservations
        WHERE tenant_id = $1 AND (approval_id = $2 OR reservation_id = $3)
        ORDER BY reserved_at DESC
        LIMIT 1"#,
        tenant.0,
        approval,
        reservation,
    )
    .fetch_optional(&mut *conn)
    .await?;
    let Some(client) = client else {
        return Ok(None);
    };
    match client::lock(conn, client, tenant).await {
        Ok(client) => Ok(Some(client)),
        Err(ClientError::Unknown(_)) => Ok(None),
        Err(error) => Err(refused(error)),
    }
}

async fn carry_out(
    conn: &mut PgConnection,
    client: &Client,
    verdict: &Verdict,
) -> Result<&'static str, JobError> {
    let open = reservation::of_client(conn, client).await?;
    let Some(open) = open.filter(|open| open.approval_id == Some(verdict.approval_id)) else {
        return Ok("it was carried out or taken back already");
    };
    let rules = rules(conn, None).await?;
    let said = Said {
        client,
        open: &open,
        rules: &rules,
        by: verdict.decided_by.as_deref().unwrap_or("somebody"),
        note: verdict.note.as_deref(),
    };
    Ok(match verdict.status {
        Status::Pending => "it waits",
        Status::Approved => said.approved(conn).await?,
        Status::Rejected => said.rejected(conn).await?,
        Status::Corrected => said.corrected(conn, verdict.correction.as_ref()).await?,
        Status::Expired => {
            lapse(conn, client, &open).await?;
            "nobody decided in time"
        }
        Status::Withdrawn => {
            reservation::release(conn, &open, End::Released).await?;
            "it was taken back"
        }
    })
}

/// Nobody decided: the slot is free, the question is over, and the client is looked at anew.
pub(super) async fn lapse(
    conn: &mut PgConnection,
    client: &Client,
    open: &Reservation,
) -> Result<(), JobError> {
    for decision in [ASSIGNMENT, REBALANCE] {
        let why = "the slot was not kept any longer";
        approval::withdraw(conn, client.tenant(), decision, client.client_id, why).await?;
    }
    reservation::release(conn, open, End::Expired).await?;
    let rules = rules(conn, None).await?;
    let summary = format!(
        "Nobody decided on {} in time: the slot is free again.",
        client.name
    );
    let decision = Decision::plain(
        Mode::Auto,
        "released",
        open.partner_id,
        rules.version,
        &summary,
    );
    decision::record(conn, client, &decision).await?;
    told(
        conn,
        client,
        "assignment.expired",
        json!({ "partner_id": open.partner_id }),
    )
    .await?;
    if client.partner_id.is_none() {
        let again = Auto::of(client.client_id).new_job(client.tenant());
        follow_up::enqueue(conn, &again).await?;
    }
    Ok(())
}

pub(super) async fn told(
    conn: &mut PgConnection,
    client: &Client,
    kind: &'static str,
    payload: Value,
) -> Result<(), sqlx::Error> {
    let event = Event {
        kind,
        subject: client.client_id,
        payload,
    };
    event::record(conn, client.tenant(), &event).await
}
