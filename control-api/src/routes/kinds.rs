//! Kinds of jobs: what can be enqueued, and how its payload must look.

use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::Serialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::{Caller, Scope};
use crate::extract::Name;
use crate::kinds::KindView;
use crate::openapi::Schemas;
use crate::problem::Problem;
use crate::state::ApiState;

pub(super) fn router() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(kinds))
        .routes(routes!(kind))
}

pub(super) fn schemas(schemas: &mut Schemas) {
    schemas.add::<KindList>();
}

/// Every kind.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Kinds")]
struct KindList {
    /// By name.
    kinds: Vec<KindView>,
}

/// List kinds.
#[utoipa::path(
    get, path = "/v1/kinds", tag = "kinds", operation_id = "listKinds",
    responses((status = 200, description = "Every kind with its schema, defaults and an example.", body = ref("#/components/schemas/Kinds")))
)]
async fn kinds(State(state): State<ApiState>, caller: Caller) -> Result<Json<KindList>, Problem> {
    caller.need_any(&[Scope::JobsRead, Scope::JobsEnqueue])?;
    let kinds = state.kinds.all().await?;
    Ok(Json(KindList { kinds }))
}

/// Look at a kind.
#[utoipa::path(
    get, path = "/v1/kinds/{kind}", tag = "kinds", operation_id = "getKind", params(("kind" = String, Path)),
    responses((status = 200, description = "The kind.", body = ref("#/components/schemas/KindView")))
)]
async fn kind(
    State(state): State<ApiState>,
    caller: Caller,
    Name(name): Name<String>,
) -> Result<Json<KindView>, Problem> {
    caller.need_any(&[Scope::JobsRead, Scope::JobsEnqueue])?;
    let found = state.kinds.find(&name).await?;
    found
        .map(|kind| Json(kind.view.clone()))
        .ok_or_else(|| Problem::not_found("kind"))
}
