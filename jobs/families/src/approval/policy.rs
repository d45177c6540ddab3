//! When a decision waits for a person: a row for each kind of decision, the tenant's own or the platform's, with its past.

use chrono::{DateTime, Utc};
use fleet_queue::TenantId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::event::{self, Event};
use crate::settings::await_turn;

/// Which decisions of a kind wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Review {
    /// None: software decides alone.
    Never,
    /// Those whose confidence is below the threshold.
    BelowThreshold,
    /// All.
    Always,
}

impl Review {
    /// The name in the database and in answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Never => "never",
            Self::BelowThreshold => "below_threshold",
            Self::Always => "always",
        }
    }

    fn named(name: &str) -> Self {
        match name {
            "never" => Self::Never,
            "below_threshold" => Self::BelowThreshold,
            // The stricter reading of a word that only a newer binary knows.
            _ => Self::Always,
        }
    }
}

/// When a decision waits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Policy {
    /// 0 to 1.
    pub threshold: f64,
    /// What the threshold is for.
    pub review: Review,
}

impl Policy {
    /// As it is stored; a kind of decisions that has none always waits.
    pub(crate) fn of(stored: Option<(&str, f64)>) -> Self {
        stored.map_or(
            Self {
                threshold: 1.0,
                review: Review::Always,
            },
            |(review, threshold)| Self {
                threshold,
                review: Review::named(review),
            },
        )
    }

    /// Whether a decision of that confidence (0 to 1) waits for a person.
    #[must_use]
    pub fn waits(&self, confidence: f64) -> bool {
        match self.review {
            Review::Never => false,
            Review::Always => true,
            Review::BelowThreshold => confidence.is_nan() || confidence < self.threshold,
        }
    }
}

/// The policy in force for a tenant's decisions of a kind: its own, else the platform's.
pub async fn policy(
    conn: &mut PgConnection,
    tenant: TenantId,
    decision: &str,
) -> Result<Policy, sqlx::Error> {
    let row = sqlx::query!(
        r#"-- approval.policy
        SELECT review, threshold::float8 AS "threshold!" FROM fleet.approval_policies
        WHERE decision = $2 AND tenant_id IN ($1, '00000000-0000-0000-0000-000000000000')
        ORDER BY tenant_id = $1 DESC, version DESC
        LIMIT 1"#,
        tenant.0,
        decision,
    )
    .fetch_optional(conn)
    .await?;
    Ok(Policy::of(
        row.as_ref().map(|row| (row.review.as_str(), row.threshold)),
    ))
}

/// A version of a policy.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct PolicyRow {
    /// Whose decisions it is for; the nil UUID: every tenant's that has none of its own.
    pub tenant_id: Uuid,
    /// The kind of decision, such as `assignment`.
    pub decision: String,
    /// 1 for the first.
    pub version: i32,
    /// `never`, `below_threshold` or `always`.
    pub review: String,
    /// Confidence below which a decision waits.
    pub threshold: f64,
    /// Who set it.
    pub set_by: String,
    /// When.
    pub set_at: DateTime<Utc>,
    /// Why.
    pub note: Option<String>,
}

/// Policies that the session may see, by decision, the newest version first; the past ones too where `decision` is given.
pub async fn list_policies(
    conn: &mut PgConnection,
    decision: Option<&str>,
) -> Result<Vec<PolicyRow>, sqlx::Error> {
    sqlx::query_as!(
        PolicyRow,
        r#"-- approval.list_policies
        SELECT tenant_id, decision AS "decision!", version, review, threshold::float8 AS "threshold!", set_by, set_at, note
        FROM fleet.approval_policies AS p
        WHERE CASE WHEN $1::text IS NOT NULL THEN decision = $1 ELSE NOT EXISTS (
            SELECT FROM fleet.approval_policies AS newer
            WHERE newer.tenant_id = p.tenant_id AND newer.decision = p.decision AND newer.version > p.version) END
        ORDER BY decision, tenant_id, version DESC
        LIMIT 1000"#,
        decision,
    )
    .fetch_all(conn)
    .await
}

/// Why a policy was not set.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// No threshold can be that.
    #[error("threshold is {0}; a number from 0 to 1 is expected")]
    Threshold(f64),
    /// Nobody takes decisions of that name.
    #[error(
        "there are no decisions called \"{0}\"; GET /v1/approval-policies lists those there are"
    )]
    Unknown(String),
    /// The database did not carry it out.
    #[error("the database did not carry it out")]
    Database(#[from] sqlx::Error),
}

/// Sets the policy for a tenant's decisions of a kind (the platform's default where the tenant is the platform) and tells of it.
/// Decisions that wait already go on waiting.
pub async fn set_policy(
    conn: &mut PgConnection,
    tenant: TenantId,
    decision: &str,
    policy: Policy,
    actor: &str,
    note: Option<&str>,
) -> Result<PolicyRow, PolicyError> {
    if !(0.0..=1.0).contains(&policy.threshold) {
        return Err(PolicyError::Threshold(policy.threshold));
    }
    await_turn(conn, "approval policies").await?;
    let set = add_version(conn, tenant, decision, policy, actor, note).await?;
    let set = set.ok_or_else(|| PolicyError::Unknown(decision.to_owned()))?;
    let event = Event {
        kind: "approval.policy_changed",
        subject: tenant.0,
        payload: json!({
            "decision": decision, "review": set.review, "threshold": set.threshold, "by": actor, "note": note,
        }),
    };
    event::record(conn, tenant, &event).await?;
    Ok(set)
}

/// `None` where the platform has no policy of that name, because nothing asks for it then.
async fn add_version(
    conn: &mut PgConnection,
    tenant: TenantId,
    decision: &str,
    policy: Policy,
    actor: &str,
    note: Option<&str>,
) -> Result<Option<PolicyRow>, sqlx::Error> {
    sqlx::query_as!(
        PolicyRow,
        r#"-- approval.set_policy
        INSERT INTO fleet.approval_policies (tenant_id, decision, version, review, threshold, set_by, note)
        SELECT $1, $2::text, COALESCE((SELECT max(version) FROM fleet.approval_policies WHERE tenant_id = $1 AND decision = $2::text), 0) + 1, $3, $4, $5, $6
        WHERE EXISTS (SELECT FROM fleet.approval_policies WHERE tenant_id = '00000000-0000-0000-0000-000000000000' AND decision = $2::text)
        RETURNING tenant_id, decision AS "decision!", version, review, threshold::float8 AS "threshold!", set_by, set_at, note"#,
        tenant.0,
        decision,
        policy.review.as_str(),
        policy.threshold as _,
        actor,
        note as _,
    )
    .fetch_optional(conn)
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waits(review: Review, confidence: f64) -> bool {
        let policy = Policy {
            threshold: 0.75,
            review,
        };
        policy.waits(confidence)
    }

    #[test]
    fn what_is_below_the_threshold_waits_and_what_reaches_it_does_not() {
        assert!(waits(Review::BelowThreshold, 0.7499));
        assert!(!waits(Review::BelowThreshold, 0.75));
        assert!(waits(Review::BelowThreshold, f64::NAN));
    }

    #[test]
    fn always_and_never_do_not_look_at_the_confidence() {
        assert!(waits(Review::Always, 1.0));
        assert!(!waits(Review::Never, 0.0));
    }

    #[test]
    fn an_unknown_word_is_read_strictly() {
        for review in [Review::Never, Review::BelowThreshold, Review::Always] {
            assert_eq!(Review::named(review.as_str()), review);
        }
        assert_eq!(Review::named("sometimes"), Review::Always);
    }
}
