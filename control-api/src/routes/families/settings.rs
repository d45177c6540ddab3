//! Settings with a past: what the handlers of every family that keeps them share.

use axum::Json;
use axum::http::StatusCode;
use fleet_jobs::settings::{SettingsError, Version, Versioned};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::audit::{self, Action};
use crate::auth::{Caller, Scope};
use crate::problem::Problem;
use crate::state::ApiState;

/// Versions that are shown.
const VERSIONS: i64 = 50;

/// What shall hold.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "{S}Body")]
pub(super) struct SettingsBody<S> {
    /// All of it: what is left out has its default, not what held before.
    settings: S,
    /// Why; at most 1,000 characters.
    #[schemars(length(max = 1000))]
    reason: Option<String>,
}

/// The newest first, which holds; for the platform.
pub(super) async fn versions<S: Versioned>(
    state: &ApiState,
    caller: &Caller,
) -> Result<Vec<Version<S>>, Problem> {
    caller.need_platform(Scope::JobsRead)?;
    let mut tx = state.acting(caller).await?;
    let versions = S::history(&mut tx, VERSIONS).await.map_err(refused)?;
    tx.commit().await?;
    Ok(versions)
}

/// Adds a version; `action` names it in the audit.
pub(super) async fn change<S: Versioned>(
    state: &ApiState,
    caller: &Caller,
    body: SettingsBody<S>,
    action: &'static str,
) -> Result<Json<Version<S>>, Problem> {
    caller.need_platform(Scope::JobsManage)?;
    let SettingsBody { settings, reason } = body;
    if reason.as_ref().is_some_and(|it| it.chars().count() > 1000) {
        return Err(Problem::invalid(
            "reason",
            "reason is over 1,000 characters",
        ));
    }
    let mut tx = state.acting(caller).await?;
    let changed = settings.change(&mut tx, &caller.name, reason.as_deref());
    let version = changed.await.map_err(refused)?;
    let subject = format!("version {}", version.version);
    let action = Action {
        reason: reason.as_deref(),
        ..Action::on_platform(action, &subject)
    };
    audit::record(&mut tx, caller, action).await?;
    tx.commit().await?;
    Ok(Json(version))
}

/// Why a family's settings cannot be kept or used, as a problem.
pub(super) fn refused(error: SettingsError) -> Problem {
    let detail = error.to_string();
    match error {
        SettingsError::Field { field, .. } => Problem::invalid(format!("settings.{field}"), detail),
        SettingsError::Database(error) => error.into(),
        SettingsError::Stored { .. } | SettingsError::Missing(_) => {
            Problem::new(StatusCode::CONFLICT, "settings_unusable", detail)
        }
    }
}
