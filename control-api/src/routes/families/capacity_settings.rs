//! What capacities are weighed by: read with its past, and changed by adding a version, by which everybody is scored anew.

use axum::Json;
use axum::extract::State;
use fleet_jobs::capacity::Settings;
use fleet_jobs::settings::Version;
use schemars::JsonSchema;
use serde::Serialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::settings::{self, SettingsBody};
use crate::auth::Caller;
use crate::extract::Body;
use crate::openapi::Schemas;
use crate::problem::Problem;
use crate::state::ApiState;

pub(super) fn router() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(show, change))
}

pub(super) fn schemas(schemas: &mut Schemas) {
    schemas
        .add::<CapacityVersions>()
        .add::<SettingsBody<Settings>>();
}

/// What held, and since when.
#[derive(Debug, Serialize, JsonSchema)]
struct CapacityVersions {
    /// The newest first, which holds; at most 50.
    versions: Vec<Version<Settings>>,
}

/// Look at the capacity settings.
#[utoipa::path(
    get, path = "/v1/capacity/settings", tag = "partners", operation_id = "getCapacitySettings",
    responses((status = 200, description = "The settings with their past.", body = ref("#/components/schemas/CapacityVersions")))
)]
async fn show(
    State(state): State<ApiState>,
    caller: Caller,
) -> Result<Json<CapacityVersions>, Problem> {
    let versions = settings::versions(&state, &caller).await?;
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
    body: Body<SettingsBody<Settings>>,
) -> Result<Json<Version<Settings>>, Problem> {
    settings::change(&state, &caller, body.value, "capacity.settings").await
}
