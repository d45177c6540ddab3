//! Whether the process lives, and whether it can work. The only routes without a key; they tell nothing else.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::Serialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::openapi::Schemas;
use crate::problem::Problem;
use crate::state::ApiState;

pub(super) fn router() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(healthz))
        .routes(routes!(readyz))
}

pub(super) fn schemas(schemas: &mut Schemas) {
    schemas.add::<Up>();
}

/// All is well.
#[derive(Debug, Serialize, JsonSchema)]
struct Up {
    /// Always "ok".
    status: &'static str,
}

const OK: Json<Up> = Json(Up { status: "ok" });

/// The process lives.
#[utoipa::path(
    get, path = "/healthz", tag = "platform", operation_id = "healthz", security(()),
    responses((status = 200, description = "It does.", body = ref("#/components/schemas/Up")))
)]
async fn healthz() -> Json<Up> {
    OK
}

/// The process can work: the database answers and has the schema it needs.
#[utoipa::path(
    get, path = "/readyz", tag = "platform", operation_id = "readyz", security(()),
    responses((status = 200, description = "It can.", body = ref("#/components/schemas/Up")))
)]
async fn readyz(State(state): State<ApiState>) -> Result<Json<Up>, Problem> {
    if state.stopping.is_cancelled() {
        let detail = "the process is stopping";
        return Err(Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "stopping",
            detail,
        ));
    }
    let obstacle = match state.db.check_schema().await {
        Ok(()) if state.prepared.is_cancelled() => return Ok(OK),
        Ok(()) => "the database answers, and is being prepared",
        Err(error) => {
            tracing::warn!(%error, "not ready");
            "the database is out of reach, or not migrated for this binary"
        }
    };
    Err(Problem::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "not_ready",
        obstacle,
    ))
}
