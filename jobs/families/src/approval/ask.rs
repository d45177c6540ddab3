//! Asks a person, or takes the question back.

use chrono::{DateTime, Utc};
use fleet_queue::TenantId;
use serde_json::{Value, json};
use sqlx::PgConnection;
use uuid::Uuid;

use super::expire::Expire;
use crate::event::{self, Event};

/// What would be done, and why it waits.
#[derive(Clone, Debug)]
pub struct Proposal<'a> {
    /// Whose decision it is.
    pub tenant: TenantId,
    /// The kind of decision, such as `assignment`: one that has a policy.
    pub decision: &'a str,
    /// Whom or what it is about.
    pub subject: Uuid,
    /// What is applied when it is approved, in the family's own shape; at most 256 KiB.
    pub proposal: Value,
    /// What it rests on, for the person; at most 256 KiB.
    pub rationale: Value,
    /// How sure the software is, 0 to 1.
    pub confidence: Option<f64>,
    /// How sure it should have been.
    pub threshold: Option<f64>,
    /// The kind of the job that carries the verdict out: its payload is `{"approval_id": …}`.
    pub apply_kind: &'static str,
    /// When it stops waiting; the job of `apply_kind` is told then, too.
    pub expires_at: Option<DateTime<Utc>>,
}

/// Asks, and gives the approval's id. A question about the subject that waits already is replaced and keeps its id.
pub async fn ask(conn: &mut PgConnection, it: &Proposal<'_>) -> Result<Uuid, sqlx::Error> {
    let approval = sqlx::query_scalar!(
        r#"-- approval.ask
        WITH asked AS (
            INSERT INTO fleet.approvals AS a (tenant_id, decision, subject, proposal, rationale, confidence, threshold, apply_kind, expires_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
            ON CONFLICT (tenant_id, decision, subject) WHERE status = 'pending' DO UPDATE
            SET proposal = excluded.proposal, rationale = excluded.rationale, confidence = excluded.confidence, threshold = excluded.threshold,
                apply_kind = excluded.apply_kind, expires_at = excluded.expires_at, asked_at = fleet.clock(), revision = a.revision + 1
            RETURNING approval_id
        ), told AS (
            INSERT INTO fleet.event (tenant_id, kind, subject, payload)
            SELECT $1, 'approval.asked', approval_id::text, $10 FROM asked
        )
        SELECT approval_id FROM asked"#,
        it.tenant.0,
        it.decision as _,
        it.subject,
        it.proposal,
        it.rationale,
        it.confidence as _,
        it.threshold as _,
        it.apply_kind as _,
        it.expires_at,
        json!({ "decision": it.decision, "subject": it.subject, "confidence": it.confidence }),
    )
    .fetch_one(&mut *conn)
    .await?;
    if let Some(at) = it.expires_at {
        Expire::schedule(conn, it.tenant, approval, at).await?;
    }
    Ok(approval)
}

/// Takes the question about a subject back, because there is nothing to decide any more. False where none waits.
/// No job follows: who takes it back knows what to release.
pub async fn withdraw(
    conn: &mut PgConnection,
    tenant: TenantId,
    decision: &str,
    subject: Uuid,
    why: &str,
) -> Result<bool, sqlx::Error> {
    let withdrawn = sqlx::query_scalar!(
        r#"-- approval.withdraw
        UPDATE fleet.approvals SET status = 'withdrawn', decided_at = fleet.clock(), note = $4
        WHERE tenant_id = $1 AND decision = $2 AND subject = $3 AND status = 'pending'
        RETURNING approval_id"#,
        tenant.0,
        decision as _,
        subject,
        why as _,
    )
    .fetch_optional(&mut *conn)
    .await?;
    let Some(approval) = withdrawn else {
        return Ok(false);
    };
    let event = Event {
        kind: "approval.withdrawn",
        subject: approval,
        payload: json!({ "decision": decision, "subject": subject, "why": why }),
    };
    event::record(conn, tenant, &event).await?;
    Ok(true)
}
