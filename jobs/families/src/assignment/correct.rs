//! What a person may say instead of a proposed assignment: another partner. Checked before it is accepted.

use fleet_queue::TenantId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use super::client;
use super::partner::obstacle;
use super::settings::Settings;
use crate::approval::CorrectionError;
use crate::settings::{SettingsError, Versioned};

/// Another partner.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Correction {
    /// Who shall look after the client.
    pub partner_id: Uuid,
    /// Even beyond what it takes.
    #[serde(default)]
    pub manual_overload: bool,
}

/// Refuses a correction that cannot be carried out, saying what stands in the way.
pub async fn check_correction(
    conn: &mut PgConnection,
    tenant: TenantId,
    subject: Uuid,
    correction: &Value,
) -> Result<(), CorrectionError> {
    let read: Result<Correction, _> = serde_json::from_value(correction.clone());
    let correction = read.map_err(|error| {
        let shape = r#"give {"partner_id": "…"}, and "manual_overload": true to go beyond its cap"#;
        CorrectionError::Refused(format!("the correction does not fit: {error}; {shape}"))
    })?;
    let found = client::read(conn, &[tenant.0], &[subject]).await?.pop();
    let found =
        found.ok_or_else(|| CorrectionError::Refused(format!("there is no client {subject}")))?;
    let added = match added(conn, &found, &correction).await {
        Ok(added) => added,
        Err(SettingsError::Database(error)) => return Err(error.into()),
        Err(unreadable) => return Err(CorrectionError::Refused(unreadable.to_string())),
    };
    match obstacle(conn, tenant.0, correction.partner_id, added).await? {
        Some(why) => Err(CorrectionError::Refused(format!(
            "{why}; choose another partner"
        ))),
        None => Ok(()),
    }
}

/// What the client would add to the partner's load, as far as its cap matters: not where a person goes beyond it, or where the partner
/// has the client or keeps a slot for it.
async fn added(
    conn: &mut PgConnection,
    found: &client::Client,
    correction: &Correction,
) -> Result<f64, SettingsError> {
    let to = correction.partner_id;
    if correction.manual_overload || found.partner_id == Some(to) {
        return Ok(f64::MIN);
    }
    match super::reservation::of_client(conn, found).await? {
        Some(open) if open.partner_id == to => Ok(f64::MIN),
        // Its weight as it was: settings may be out of the session's sight.
        Some(open) => Ok(open.weight),
        None => Ok(found.weight(&Settings::current(conn).await?.settings)),
    }
}
