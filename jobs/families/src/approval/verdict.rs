//! What became of a question, for the job that carries it out.

use fleet_queue::TenantId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

/// How a question stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It waits.
    Pending,
    /// Do what was proposed.
    Approved,
    /// Do nothing.
    Rejected,
    /// Do what the correction says.
    Corrected,
    /// Nobody decided in time: do nothing.
    Expired,
    /// Taken back by who asked.
    Withdrawn,
}

impl Status {
    /// Every status.
    pub const ALL: [Self; 6] = [
        Self::Pending,
        Self::Approved,
        Self::Rejected,
        Self::Corrected,
        Self::Expired,
        Self::Withdrawn,
    ];

    /// The name in the database and in answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Approved => "approved",
            Self::Rejected => "rejected",
            Self::Corrected => "corrected",
            Self::Expired => "expired",
            Self::Withdrawn => "withdrawn",
        }
    }

    /// The status of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.as_str() == name)
    }
}

/// A question with its answer.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// The approval.
    pub approval_id: Uuid,
    /// Whom or what it is about.
    pub subject: Uuid,
    /// How it stands.
    pub status: Status,
    /// What was proposed.
    pub proposal: Value,
    /// What the person wants instead; there exactly where the status is corrected.
    pub correction: Option<Value>,
    /// Who decided.
    pub decided_by: Option<String>,
    /// Why.
    pub note: Option<String>,
}

/// The verdict on a tenant's question. `None` where there is no such question.
///
/// Locks the row until the transaction ends, so that of two jobs for one verdict the second sees what the first did.
pub async fn verdict(
    conn: &mut PgConnection,
    approval: Uuid,
    tenant: TenantId,
) -> Result<Option<Verdict>, sqlx::Error> {
    let row = sqlx::query!(
        r#"-- approval.verdict
        SELECT subject, status, proposal, correction, decided_by, note
        FROM fleet.approvals WHERE tenant_id = $1 AND approval_id = $2
        FOR UPDATE"#,
        tenant.0,
        approval,
    )
    .fetch_optional(conn)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let status = Status::named(&row.status)
        .ok_or_else(|| sqlx::Error::Decode(format!("approval status {}", row.status).into()))?;
    Ok(Some(Verdict {
        approval_id: approval,
        subject: row.subject,
        status,
        proposal: row.proposal,
        correction: row.correction,
        decided_by: row.decided_by,
        note: row.note,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_has_its_name_and_no_other_word_is_one() {
        for status in Status::ALL {
            assert_eq!(Status::named(status.as_str()), Some(status));
            let written = serde_json::to_value(status).expect("a word");
            assert_eq!(written, status.as_str());
        }
        assert_eq!(Status::named("approve"), None);
    }
}
