//! Whether a person's correction can be carried out: the family that asked says so before it is accepted.

use fleet_queue::TenantId;
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::assignment;
use crate::triage;

/// Why a correction is not accepted.
#[derive(Debug, thiserror::Error)]
pub enum CorrectionError {
    /// It cannot be carried out: what is wrong with it, and what to do.
    #[error("{0}")]
    Refused(String),
    /// The database did not carry it out.
    #[error("the database did not carry it out")]
    Database(#[from] sqlx::Error),
}

/// Asks the family. Decisions without a shape for corrections can only be approved or rejected.
pub(super) async fn check(
    conn: &mut PgConnection,
    tenant: TenantId,
    decision: &str,
    subject: Uuid,
    correction: &Value,
) -> Result<(), CorrectionError> {
    match decision {
        "assignment" => assignment::check_correction(conn, tenant, subject, correction).await,
        triage::DECISION => triage::check_correction(conn, tenant, subject, correction).await,
        "rebalance" | "triage_model" => Err(CorrectionError::Refused(format!(
            "{decision} decisions cannot be corrected: approve or reject it"
        ))),
        other => Err(CorrectionError::Refused(format!(
            "this version knows no correction of {other} decisions: approve or reject it"
        ))),
    }
}
