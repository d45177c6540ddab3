//! `approval.expire`: ends a question that nobody answered in time.
//!
//! Trigger: scheduled for the question's end by the transaction that asked it.
//! Effect: the question is expired, and the job that would have carried it out is enqueued to release what it holds.
//! Safe to repeat because: only a question that waits and is due expires, and it commits together with the job's completion.
//! Gives up when: never; a question that was answered, taken back or put off is left alone.

use std::time::Duration;

use chrono::{DateTime, Utc};
use fleet_queue::{Cx, Job, JobResult, Policy, TenantId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

use super::decide::carry_out;
use super::read::find;
use crate::event::{self, Event};

/// Ends a question if it is due.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Expire {
    /// The approval.
    pub approval_id: Uuid,
}

impl Expire {
    /// Has the question looked at when its time is over.
    pub(super) async fn schedule(
        conn: &mut PgConnection,
        tenant: TenantId,
        approval: Uuid,
        at: DateTime<Utc>,
    ) -> Result<(), sqlx::Error> {
        sqlx::query!(
            r#"-- approval.schedule_expiry
            SELECT fleet.enqueue('approval.expire', jsonb_build_object('approval_id', $1::uuid),
                                 jsonb_build_object('tenant_id', $2::uuid, 'run_at', $3::timestamptz))"#,
            approval,
            tenant.0,
            at,
        )
        .fetch_one(conn)
        .await?;
        Ok(())
    }
}

impl Job for Expire {
    const KIND: &'static str = "approval.expire";
    const DESCRIPTION: &'static str = "Ends a question to a person that nobody answered in time.";

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
        let expired = expire(&mut tx, self.approval_id, cx.tenant()).await?;
        let done = cx
            .settle_in(&mut tx, Some(&json!({ "expired": expired })))
            .await?;
        tx.commit().await?;
        Ok(done)
    }
}

async fn expire(
    conn: &mut PgConnection,
    approval: Uuid,
    tenant: TenantId,
) -> Result<bool, sqlx::Error> {
    let expired = sqlx::query!(
        r#"-- approval.expire
        UPDATE fleet.approvals SET status = 'expired', decided_at = fleet.clock()
        WHERE tenant_id = $1 AND approval_id = $2 AND status = 'pending' AND expires_at <= fleet.clock()"#,
        tenant.0,
        approval,
    )
    .execute(&mut *conn)
    .await?;
    if expired.rows_affected() == 0 {
        return Ok(false);
    }
    let Some(it) = find(conn, approval).await? else {
        return Ok(false);
    };
    carry_out(conn, &it).await?;
    let event = Event {
        kind: "approval.expired",
        subject: approval,
        payload: json!({ "decision": it.decision, "subject": it.subject }),
    };
    event::record(conn, tenant, &event).await?;
    Ok(true)
}
