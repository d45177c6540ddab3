//! What capacities are weighed by: read with its past, and changed by adding a version, by which everybody is scored anew.

use axum::Json;
use axum::extract::State;
use fleet_jobs::capacity::{Settings, change_settings, settings_history};
use fleet_jobs::settings::Version;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::audit::{self, Action};
use crate::auth::{Caller, Scope};
use crate::extract::Body;
use crate::openapi::Schemas;
use crate::problem::Problem;
use crate::state::ApiState;

use super::assignment_settings::refused;

/// CapacityVersions that are shown.
const VERSIONS: i64 = 50;

pub(super) fn router() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(settings, change))
}

pub(super) fn schemas(schemas: &mut Schemas) {
    schemas
        .add::<CapacityVersions>()
        .add::<CapacitySettingsBody>();
}

/// What held, and since when.
#[derive(Debug, Serialize, JsonSchema)]
struct CapacityVersions {
    /// The newest first, which holds; at most 50.
    versions: Vec<Version<Settings>>,
}

/// What shall hold.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct CapacitySettingsBody {
    /// All of it: what is left out has its default, not what held before.
    settings: Settings,
    /// Why; at most 1,000 characters.
    #[schemars(length(max = 1000))]
    reason: Option<String>,
}

/// Look at the capacity settings.
#[utoipa::path(
    get, path = "/v1/capacity/settings", tag = "partners", operation_id = "getCapacitySettings",
    responses((status = 200, description = "The settings with their past.", body = ref("#/components/schemas/CapacityVersions")))
)]
async fn settings(
    State(state): State<ApiState>,
    caller: Caller,
) -> Result<Json<CapacityVersions>, Problem> {
    caller.need_platform(Scope::JobsRead)?;
    let mut tx = state.acting(&caller).await?;
    let versions = settings_history(&mut tx, VERSIONS).await.map_err(refused)?;
    tx.commit().await?;
    Ok(Json(CapacityVersions { versions }))
}

/// Change the capacity settings.
///
/// Adds a version; everybody is scored anew by it, and scores name it.
#[utoipa::path(
    put, path = "/v1/capacity/settings", tag = "partners", operation_id = "changeCapacitySettings",
    request_body(content = ref("#/components/schemas/CapacitySettingsBody"), content_type = "application/json"),
    responses((status = 200, description = "What holds now.", body = ref("#/components/schemas/CapacitySettingsVersion")))
)]
async fn change(
    State(state): State<ApiState>,
    caller: Caller,
    body: Body<CapacitySettingsBody>,
) -> Result<Json<Version<Settings>>, Problem> {
    caller.need_platform(Scope::JobsManage)?;
    let CapacitySettingsBody { settings, reason } = body.value;
    if reason.as_ref().is_some_and(|it| it.chars().count() > 1000) {
        return Err(Problem::invalid(
            "reason",
            "reason is over 1,000 characters",
        ));
    }
    let mut tx = state.acting(&caller).await?;
    let changed = change_settings(&mut tx, &settings, &caller.name, reason.as_deref()).await;
    let version = changed.map_err(refused)?;
    let subject = format!("version {}", version.version);
    let action = Action {
        reason: reason.as_deref(),
        ..Action::on_platform("capacity.settings", &subject)
    };
    audit::record(&mut tx, &caller, action).await?;
    tx.commit().await?;
    Ok(Json(version))
}
