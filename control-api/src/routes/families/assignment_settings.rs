//! What assignments are weighed by: read with its past, and changed by adding a version.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use fleet_jobs::assignment::{Settings, change_settings, settings_history};
use fleet_jobs::settings::{SettingsError, Version};
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

/// AssignmentVersions that are shown.
const VERSIONS: i64 = 50;

pub(super) fn router() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(settings, change))
}

pub(super) fn schemas(schemas: &mut Schemas) {
    schemas
        .add::<AssignmentVersions>()
        .add::<AssignmentSettingsBody>();
}

/// What held, and since when.
#[derive(Debug, Serialize, JsonSchema)]
struct AssignmentVersions {
    /// The newest first, which holds; at most 50.
    versions: Vec<Version<Settings>>,
}

/// What shall hold.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct AssignmentSettingsBody {
    /// All of it: what is left out has its default, not what held before.
    settings: Settings,
    /// Why; at most 1,000 characters.
    #[schemars(length(max = 1000))]
    reason: Option<String>,
}

/// Look at the assignment settings.
#[utoipa::path(
    get, path = "/v1/assignments/settings", tag = "assignments", operation_id = "getAssignmentSettings",
    responses((status = 200, description = "The settings with their past.", body = ref("#/components/schemas/AssignmentVersions")))
)]
async fn settings(
    State(state): State<ApiState>,
    caller: Caller,
) -> Result<Json<AssignmentVersions>, Problem> {
    caller.need_platform(Scope::JobsRead)?;
    let mut tx = state.acting(&caller).await?;
    let versions = settings_history(&mut tx, VERSIONS).await.map_err(refused)?;
    tx.commit().await?;
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
    body: Body<AssignmentSettingsBody>,
) -> Result<Json<Version<Settings>>, Problem> {
    caller.need_platform(Scope::JobsManage)?;
    let AssignmentSettingsBody { settings, reason } = body.value;
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
        ..Action::on_platform("assignments.settings", &subject)
    };
    audit::record(&mut tx, &caller, action).await?;
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
