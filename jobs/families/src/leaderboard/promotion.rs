//! Proposed changes of tier: listed, and decided by a person. Nothing changes before that.

use chrono::{DateTime, Utc};
use fleet_queue::TenantId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

use crate::event::{self, Event};

/// A proposal.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Candidate {
    /// Its id.
    pub candidate_id: Uuid,
    /// The board's tenant.
    pub tenant_id: Uuid,
    /// The board it rests on.
    pub board_id: Uuid,
    /// Whose tier would change.
    pub partner_id: Uuid,
    /// `promotion` or `demotion`.
    pub direction: String,
    /// `pending`, `approved`, `rejected` or `withdrawn`.
    pub status: String,
    /// Ranks and figures it rests on.
    pub evidence: Value,
    /// When it was proposed.
    pub proposed_at: DateTime<Utc>,
    /// When it was decided.
    pub decided_at: Option<DateTime<Utc>>,
    /// By whom.
    pub decided_by: Option<String>,
    /// Why.
    pub note: Option<String>,
}

/// What a person decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// The tier changes.
    Approve,
    /// It stays.
    Reject,
}

impl Decision {
    fn status(self) -> &'static str {
        match self {
            Self::Approve => "approved",
            Self::Reject => "rejected",
        }
    }
}

/// Proposals that the session may see, newest first, after `after` (an id), at most `limit`.
pub async fn list_candidates(
    conn: &mut PgConnection,
    status: Option<&str>,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<Candidate>, sqlx::Error> {
    sqlx::query_as!(
        Candidate,
        r#"-- promotion.list
        SELECT candidate_id, tenant_id, board_id, partner_id, direction, status, evidence, proposed_at, decided_at, decided_by, note
        FROM fleet.promotion_candidates
        WHERE ($1::uuid IS NULL OR candidate_id < $1) AND ($2::text IS NULL OR status = $2)
        ORDER BY candidate_id DESC -- ids are UUIDv7, so this is the order of proposing
        LIMIT $3"#,
        after,
        status,
        limit,
    )
    .fetch_all(conn)
    .await
}

/// Approves or rejects a pending proposal, with the change of tier and the event in one transaction.
///
/// `None` where there is no pending proposal of that id: it was decided or withdrawn meanwhile.
pub async fn decide_candidate(
    conn: &mut PgConnection,
    candidate: Uuid,
    decision: Decision,
    actor: &str,
    note: Option<&str>,
) -> Result<Option<Candidate>, sqlx::Error> {
    let mut tx = conn.begin().await?;
    let decided = sqlx::query_as!(
        Candidate,
        r#"-- promotion.decide
        UPDATE fleet.promotion_candidates
        SET status = $2, decided_at = fleet.clock(), decided_by = $3, note = $4
        WHERE candidate_id = $1 AND status = 'pending'
        RETURNING candidate_id, tenant_id, board_id, partner_id, direction, status, evidence, proposed_at, decided_at, decided_by, note"#,
        candidate,
        decision.status(),
        actor,
        note,
    )
    .fetch_optional(&mut *tx)
    .await?;
    if let Some(decided) = &decided {
        if decision == Decision::Approve {
            change_tier(&mut tx, decided).await?;
        }
        announce(&mut tx, decided, decision).await?;
    }
    tx.commit().await?;
    Ok(decided)
}

async fn change_tier(conn: &mut PgConnection, decided: &Candidate) -> Result<(), sqlx::Error> {
    let tier = if decided.direction == "promotion" {
        "senior"
    } else {
        "standard"
    };
    let changed = sqlx::query!(
        r#"-- promotion.change_tier
        UPDATE fleet.partners SET tier = $2 WHERE partner_id = $1"#,
        decided.partner_id,
        tier,
    )
    .execute(conn)
    .await?;
    if changed.rows_affected() == 1 {
        Ok(())
    } else {
        Err(sqlx::Error::RowNotFound)
    }
}

async fn announce(
    conn: &mut PgConnection,
    decided: &Candidate,
    decision: Decision,
) -> Result<(), sqlx::Error> {
    let kind = match decision {
        Decision::Approve => "promotion.approved",
        Decision::Reject => "promotion.rejected",
    };
    let payload = json!({
        "candidate_id": decided.candidate_id, "direction": decided.direction,
        "by": decided.decided_by, "note": decided.note,
    });
    let event = Event {
        kind,
        subject: decided.partner_id,
        payload,
    };
    event::record(conn, TenantId(decided.tenant_id), &event).await
}
