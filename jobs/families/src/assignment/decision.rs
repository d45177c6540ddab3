//! Writes decisions down, each with what it rested on. They are only added to.

use std::collections::BTreeMap;

use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use super::client::Client;
use super::rationale::Rationale;

/// Who decided, and in what manner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Auto,
    Batch,
    Manual,
    Transfer,
    Rebalance,
    Review,
    Detach,
}

impl Mode {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Batch => "batch",
            Self::Manual => "manual",
            Self::Transfer => "transfer",
            Self::Rebalance => "rebalance",
            Self::Review => "review",
            Self::Detach => "detach",
        }
    }
}

/// A decision about to be written down.
#[derive(Clone, Debug)]
#[expect(clippy::struct_field_names, reason = "columns, as they are called")]
pub(super) struct Decision<'a> {
    pub(super) decision_id: Uuid,
    pub(super) partner: Option<Uuid>,
    pub(super) mode: Mode,
    /// `assigned`, `pending_approval`, `waitlisted`, `detached` or `released`.
    pub(super) outcome: &'static str,
    pub(super) settings_version: i32,
    pub(super) confidence: Option<f64>,
    pub(super) rationale: Value,
    pub(super) reason: Option<&'a str>,
    pub(super) by: &'a str,
}

impl<'a> Decision<'a> {
    /// The fleet's own, with its rationale.
    pub(super) fn reasoned(mode: Mode, outcome: &'static str, it: &Rationale) -> Decision<'a> {
        Decision {
            decision_id: it.decision_id,
            partner: it.chosen,
            mode,
            outcome,
            settings_version: it.settings_version,
            confidence: it.confidence,
            rationale: serde_json::to_value(it).expect("plain figures"),
            reason: None,
            by: "fleet",
        }
    }

    /// One that only carries out what somebody said, in a sentence.
    pub(super) fn plain(
        mode: Mode,
        outcome: &'static str,
        partner: Uuid,
        version: i32,
        summary: &str,
    ) -> Decision<'a> {
        let decision_id = Uuid::now_v7();
        Decision {
            decision_id,
            partner: Some(partner),
            mode,
            outcome,
            settings_version: version,
            confidence: None,
            rationale: serde_json::json!({ "decision_id": decision_id, "settings_version": version, "chosen": partner, "summary": summary }),
            reason: None,
            by: "fleet",
        }
    }
}

/// Writes a decision on the client down.
pub(super) async fn record(
    conn: &mut PgConnection,
    client: &Client,
    it: &Decision<'_>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        r#"-- assignment.decide
        INSERT INTO fleet.assignment_decisions
            (tenant_id, decision_id, client_id, partner_id, mode, outcome, settings_version, confidence, rationale, reason, decided_by)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"#,
        client.tenant_id,
        it.decision_id,
        client.client_id,
        it.partner,
        it.mode.name(),
        it.outcome,
        it.settings_version,
        it.confidence,
        it.rationale,
        it.reason as _,
        it.by,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The same of a client that has found somebody: it waits no longer, and the event tells of it. One statement, because every
/// assignment ends with it.
pub(super) async fn conclude(
    conn: &mut PgConnection,
    client: &Client,
    it: &Decision<'_>,
    payload: &Value,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        r#"-- assignment.conclude
        WITH decided AS (
            INSERT INTO fleet.assignment_decisions
                (tenant_id, decision_id, client_id, partner_id, mode, outcome, settings_version, confidence, rationale, reason, decided_by)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
        ), told AS (
            INSERT INTO fleet.event (tenant_id, kind, subject, payload) VALUES ($1, 'assignment.made', $3::uuid::text, $12)
        )
        DELETE FROM fleet.assignment_waitlist WHERE tenant_id = $1 AND client_id = $3"#,
        client.tenant_id,
        it.decision_id,
        client.client_id,
        it.partner,
        it.mode.name(),
        it.outcome,
        it.settings_version,
        it.confidence,
        it.rationale,
        it.reason as _,
        it.by,
        payload,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// What partners are called.
pub(super) async fn names(
    conn: &mut PgConnection,
    partners: &[Uuid],
) -> Result<BTreeMap<Uuid, String>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"-- assignment.names
        SELECT partner_id, name FROM fleet.partners WHERE partner_id = ANY ($1)"#,
        partners,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.partner_id, row.name))
        .collect())
}
