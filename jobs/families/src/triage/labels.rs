//! What people say a ticket is about: labelled examples for the next training, with what triage had said beside them.

use fleet_queue::TenantId;
use sqlx::PgConnection;
use uuid::Uuid;

use super::gather::gather;
use super::settings::Settings;

/// Longest category, in characters.
pub(crate) const CATEGORY_MAX: usize = 60;

/// What a category may be called: any label a model was trained with, and more.
pub(crate) fn check_category(category: &str) -> Result<(), String> {
    let first = category.starts_with(|c: char| c.is_ascii_lowercase());
    let rest = category
        .chars()
        .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if first && rest && category.len() <= CATEGORY_MAX {
        Ok(())
    } else {
        let shown: String = category.chars().take(80).collect();
        Err(format!(
            "\"{shown}\" is no category: lower-case letters, digits and underscores, a letter first, at most {CATEGORY_MAX}"
        ))
    }
}

/// Keeps what a person says about a ticket as it stands; the last word of a revision counts. `source`: approved, corrected or edited.
pub(crate) async fn label(
    conn: &mut PgConnection,
    tenant: TenantId,
    ticket: Uuid,
    category: &str,
    source: &str,
) -> Result<(), sqlx::Error> {
    let Some(gathered) = gather(conn, tenant, ticket, &Settings::default()).await? else {
        return Ok(());
    };
    if gathered.text.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        r#"-- triage.label
        INSERT INTO fleet.triage_labels (tenant_id, ticket_id, revision, text, label, predicted, confidence, model_version, source)
        SELECT t.tenant_id, t.ticket_id, t.revision, $3, $4, d.category, d.confidence, d.model_version, $5
        FROM fleet.tickets AS t
        LEFT JOIN LATERAL (
            SELECT * FROM fleet.triage_decisions AS d WHERE d.tenant_id = t.tenant_id AND d.ticket_id = t.ticket_id AND d.model_version <> 'person'
            ORDER BY d.decision_id DESC LIMIT 1) AS d ON true
        WHERE t.tenant_id = $1 AND t.ticket_id = $2
        ON CONFLICT (tenant_id, ticket_id, revision) DO UPDATE
        SET text = EXCLUDED.text, label = EXCLUDED.label, source = EXCLUDED.source, labelled_at = fleet.clock()"#,
        tenant.0,
        ticket,
        gathered.text.masked,
        category,
        source,
    )
    .execute(conn)
    .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_category_is_a_plain_word() {
        for good in ["billing", "how_to", "tier2"] {
            check_category(good).expect(good);
        }
        for bad in ["", "Billing", "2fa", "_x", "a b", "é", &"x".repeat(61)] {
            assert!(check_category(bad).is_err(), "{bad}");
        }
    }
}
