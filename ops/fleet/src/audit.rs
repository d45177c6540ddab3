//! What a command changed, in the audit (I13): in the same transaction as the change.
//!
//! Whoever can run a command holds the database's password, so the name is what the machine says of its user: a hint
//! to colleagues, not a proof of identity.

use anyhow::Context;
use fleet_queue::JobId;
use sqlx::PgConnection;
use uuid::Uuid;

/// Who runs this command, as the machine knows them.
pub(crate) fn actor() -> String {
    let user = std::env::var_os("USER").or_else(|| std::env::var_os("LOGNAME"));
    let number = || format!("uid {}", rustix::process::getuid().as_raw());
    let user = user.map_or_else(number, |user| user.to_string_lossy().into_owned());
    format!("fleet CLI, {user}")
}

/// Records an action on something with a name.
pub(crate) async fn record(
    conn: &mut PgConnection,
    action: &str,
    subject: &str,
    reason: Option<&str>,
) -> anyhow::Result<()> {
    write(conn, action, subject, &[], reason).await
}

/// Records an action on one job.
pub(crate) async fn job(
    conn: &mut PgConnection,
    action: &str,
    id: JobId,
    reason: Option<&str>,
) -> anyhow::Result<()> {
    write(conn, action, &id.to_string(), &[id.0], reason).await
}

async fn write(
    conn: &mut PgConnection,
    action: &str,
    subject: &str,
    jobs: &[Uuid],
    reason: Option<&str>,
) -> anyhow::Result<()> {
    sqlx::query!(
        r#"-- fleet.audit
        INSERT INTO fleet.audit (key_id, key_name, tenant_id, action, subject, jobs, reason, request_ids)
        VALUES ($1, $2, $1, $3, left($4, 400), NULLIF($5::uuid[], '{}'), left($6, 1000), ARRAY['cli'])"#,
        Uuid::nil(),
        actor(),
        action,
        subject,
        jobs,
        reason,
    )
    .execute(conn)
    .await
    .context("could not record the action in the audit; nothing was changed")?;
    Ok(())
}
