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
    let weight = match current_weight(conn, &found).await {
        Ok(weight) => weight,
        Err(SettingsError::Database(error)) => return Err(error.into()),
        Err(unreadable) => return Err(CorrectionError::Refused(unreadable.to_string())),
    };
    let beyond = if correction.manual_overload {
        f64::MIN
    } else {
        weight
    };
    match obstacle(conn, tenant.0, correction.partner_id, beyond).await? {
        Some(why) => Err(CorrectionError::Refused(format!(
            "{why}; choose another partner"
        ))),
        None => Ok(()),
    }
}

/// What the client's open reservation weighs: settings may be out of the session's sight.
async fn current_weight(
    conn: &mut PgConnection,
    found: &client::Client,
) -> Result<f64, SettingsError> {
    match super::reservation::of_client(conn, found).await? {
        Some(open) => Ok(open.weight),
        None => Ok(found.weight(&Settings::current(conn).await?.settings)),
    }
}
