//! The audit: what a key changed, in the same transaction as the change (I13).

pub(crate) mod read;

use fleet_queue::{JobId, TenantId};
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::auth::Identity;
use crate::request_id;

/// A changing action.
#[derive(Debug)]
pub(crate) struct Action<'a> {
    /// What was done, as `thing.verb`.
    pub(crate) verb: &'a str,
    /// Whose rows it changed.
    pub(crate) tenant: TenantId,
    /// What it was done to, where that is no job.
    pub(crate) subject: Option<&'a str>,
    /// The jobs it was done to.
    pub(crate) jobs: &'a [JobId],
    /// Why, as the caller said.
    pub(crate) reason: Option<&'a str>,
    /// What else there is to know.
    pub(crate) detail: Option<Value>,
}

impl<'a> Action<'a> {
    /// Something done to one job.
    pub(crate) fn on_job(action: &'a str, tenant: TenantId, job: &'a JobId) -> Self {
        Self {
            jobs: std::slice::from_ref(job),
            ..Self::on(action, None, tenant)
        }
    }

    /// Something done to a thing of the platform's.
    pub(crate) fn on_platform(action: &'a str, subject: &'a str) -> Self {
        Self::on(action, Some(subject), TenantId::PLATFORM)
    }

    fn on(action: &'a str, subject: Option<&'a str>, tenant: TenantId) -> Self {
        Self {
            verb: action,
            tenant,
            subject,
            jobs: &[],
            reason: None,
            detail: None,
        }
    }
}

/// Writes down an action of the request at hand.
pub(crate) async fn record(
    conn: &mut PgConnection,
    who: &Identity,
    action: Action<'_>,
) -> Result<(), sqlx::Error> {
    let jobs: Vec<Uuid> = action.jobs.iter().map(|job| job.0).collect();
    sqlx::query!(
        r#"-- audit.record
        INSERT INTO fleet.audit (key_id, key_name, tenant_id, action, subject, jobs, reason, detail, request_ids)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"#,
        who.key_id,
        who.name,
        action.tenant.0,
        action.verb,
        action.subject,
        (!jobs.is_empty()).then_some(jobs.as_slice()),
        action.reason,
        action.detail,
        &[request_id::current()],
    )
    .execute(conn)
    .await
    .map(|_| ())
}
