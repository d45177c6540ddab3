//! Questions as people read them.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use super::verdict::Status;

/// A question with everything about it.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Approval {
    /// Its id.
    pub approval_id: Uuid,
    /// Whose it is.
    pub tenant_id: Uuid,
    /// The kind of decision, such as `assignment`.
    pub decision: String,
    /// Whom or what it is about.
    pub subject: Uuid,
    /// `pending`, `approved`, `rejected`, `corrected`, `expired` or `withdrawn`.
    pub status: String,
    /// Rises when a waiting proposal is replaced.
    pub revision: i32,
    /// What is applied when it is approved.
    pub proposal: Value,
    /// What it rests on.
    pub rationale: Value,
    /// How sure the software is, 0 to 1.
    pub confidence: Option<f64>,
    /// How sure it should have been.
    pub threshold: Option<f64>,
    /// What the person wanted instead.
    pub correction: Option<Value>,
    /// The kind of the job that carries it out.
    pub apply_kind: String,
    /// When it was asked.
    pub asked_at: DateTime<Utc>,
    /// When it stops waiting.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was decided.
    pub decided_at: Option<DateTime<Utc>>,
    /// By whom.
    pub decided_by: Option<String>,
    /// Why.
    pub note: Option<String>,
}

/// One question. `None` where there is none that the session may see.
pub async fn find(
    conn: &mut PgConnection,
    approval: Uuid,
) -> Result<Option<Approval>, sqlx::Error> {
    let filter = Filter {
        approval: Some(approval),
        ..Filter::default()
    };
    Ok(list(conn, &filter, None, 1).await?.pop())
}

/// Which questions are meant; what is left out does not narrow.
#[derive(Clone, Copy, Debug, Default)]
pub struct Filter<'a> {
    /// This one.
    pub approval: Option<Uuid>,
    /// Those that stand so.
    pub status: Option<Status>,
    /// Those of this kind of decision.
    pub decision: Option<&'a str>,
    /// Those about this client or ticket.
    pub subject: Option<Uuid>,
}

/// Questions that the session may see, newest first, after `after` (an id), at most `limit`.
pub async fn list(
    conn: &mut PgConnection,
    filter: &Filter<'_>,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<Approval>, sqlx::Error> {
    sqlx::query_as!(
        Approval,
        r#"-- approval.list
        SELECT approval_id, tenant_id, decision AS "decision!", subject, status, revision, proposal, rationale,
               confidence::float8 AS confidence, threshold::float8 AS threshold, correction, apply_kind AS "apply_kind!", asked_at, expires_at,
               decided_at, decided_by, note AS "note: String"
        FROM fleet.approvals
        WHERE ($1::uuid IS NULL OR approval_id < $1) AND ($2::text IS NULL OR status = $2) AND ($3::text IS NULL OR decision = $3)
          AND ($4::uuid IS NULL OR subject = $4) AND ($5::uuid IS NULL OR approval_id = $5)
        ORDER BY approval_id DESC -- ids are UUIDv7, so this is the order of asking
        LIMIT $6"#,
        after,
        filter.status.map(Status::as_str),
        filter.decision,
        filter.subject,
        filter.approval,
        limit,
    )
    .fetch_all(conn)
    .await
}
