//! What assignments are weighed by: read with its past, and changed by adding a version.

use axum::Json;
use axum::extract::State;
use fleet_jobs::assignment::Settings;
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
        .add::<AssignmentVersions>()
        .add::<SettingsBody<Settings>>();
}

/// What held, and since when.
#[derive(Debug, Serialize, JsonSchema)]
struct AssignmentVersions {
    /// The newest first, which holds; at most 50.
    versions: Vec<Version<Settings>>,
}

/// Look at the assignment settings.
#[utoipa::path(
    get, path = "/v1/assignments/settings", tag = "assignments", operation_id = "getAssignmentSettings",
    responses((status = 200, description = "The settings with their past.", body = ref("#/components/schemas/AssignmentVersions")))
)]
async fn show(
    State(state): State<ApiState>,
    caller: Caller,
) -> Result<Json<AssignmentVersions>, Problem> {
    let versions = settings::versions(&state, &caller).await?;
    Ok(Json(AssignmentVersions { versions }))
}

/// Change the assignment settings.
///
/// Adds a version; decisions from now on name it.
#[utoipa::path(
    put, path = "/v1/assignments/settings", tag = "assignments", operation_id = "changeAssignmentSettings",
    request_body(content = ref("#/components/schemas/AssignmentSettingsBody"), content_type = "application/json"),
    responses((status = 200, description = "What holds now.", body = ref("#/components/schemas/AssignmentSettingsVersion")))
)]
async fn change(
    State(state): State<ApiState>,
    caller: Caller,
    body: Body<SettingsBody<Settings>>,
) -> Result<Json<Version<Settings>>, Problem> {
    settings::change(&state, &caller, body.value, "assignments.settings").await
}
