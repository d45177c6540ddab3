//! A tenant's share in the fair walk.

use axum::Json;
use axum::extract::State;
use fleet_queue::TenantId;
use fleet_queue::limits::set_weight;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::audit::{self, Action};
use crate::auth::{Caller, Scope};
use crate::extract::{Body, Name};
use crate::openapi::Schemas;
use crate::problem::Problem;
use crate::state::ApiState;

pub(super) fn router() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(weigh_tenant))
}

pub(super) fn schemas(schemas: &mut Schemas) {
    schemas.add::<Weight>();
}

/// A tenant's share.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Weight {
    /// 1 to 100 turns where others have one.
    weight: i16,
}

/// Set a tenant's weight.
#[utoipa::path(
    put, path = "/v1/tenants/{id}/weight", tag = "tenants", operation_id = "setTenantWeight", params(("id" = uuid::Uuid, Path)),
    request_body(content = ref("#/components/schemas/Weight"), content_type = "application/json"),
    responses((status = 200, description = "Its weight from now on.", body = ref("#/components/schemas/Weight")))
)]
async fn weigh_tenant(
    State(state): State<ApiState>,
    caller: Caller,
    Name(tenant): Name<TenantId>,
    body: Body<Weight>,
) -> Result<Json<Weight>, Problem> {
    caller.need_platform(Scope::JobsManage)?;
    let mut tx = state.acting(&caller).await?;
    set_weight(&mut tx, tenant, body.value.weight).await?;
    let subject = tenant.to_string();
    let mut action = Action::on_platform("tenants.weigh", &subject);
    action.detail = Some(json!({ "weight": body.value.weight }));
    audit::record(&mut tx, &caller, action).await?;
    tx.commit().await?;
    Ok(Json(body.value))
}
