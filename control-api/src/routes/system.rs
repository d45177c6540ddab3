//! How the machine and the fleet are.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::{Caller, Scope};
use crate::checks::HealthView;
use crate::openapi::Schemas;
use crate::problem::Problem;
use crate::state::ApiState;
use crate::system::SystemView;

pub(super) fn router() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(system))
        .routes(routes!(health))
}

pub(super) fn schemas(schemas: &mut Schemas) {
    schemas.add::<SystemView>().add::<HealthView>();
}

/// Figures of the machine and the process.
///
/// Measured over a real interval.
#[utoipa::path(
    get, path = "/v1/system", tag = "platform", operation_id = "getSystem",
    responses((status = 200, description = "The newest figures.", body = ref("#/components/schemas/SystemView")))
)]
async fn system(
    State(state): State<ApiState>,
    caller: Caller,
) -> Result<Json<SystemView>, Problem> {
    caller.need_platform(Scope::JobsRead)?;
    let newest = state.sampler.newest().await;
    newest.map(Json).ok_or_else(|| {
        let detail = "the system's figures cannot be read here";
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "no_figures", detail)
    })
}

/// How well the fleet is.
///
/// Database, schema, workers, scheduler, lag: each with its state, since when, and its last error.
#[utoipa::path(
    get, path = "/v1/health", tag = "platform", operation_id = "getHealth",
    responses(
        (status = 200, description = "It works.", body = ref("#/components/schemas/Health")),
        (status = 503, description = "Something does not work.", body = ref("#/components/schemas/Health")),
    )
)]
async fn health(
    State(state): State<ApiState>,
    caller: Caller,
) -> Result<(StatusCode, Json<HealthView>), Problem> {
    caller.need_platform(Scope::JobsRead)?;
    let health = state.checks.run(&state.db).await;
    let status = if health.works() {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    Ok((status, Json(health)))
}
