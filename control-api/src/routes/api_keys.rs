//! Keys of the API: list, make, revoke; for admins.
//!
//! The table is closed to the API's own role, so these act as the owner, after the check of the caller's scope and with the audit
//! in the same transaction. There is no Idempotency-Key: it would keep the key's text, which is nowhere but in the one answer.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use chrono::{DateTime, Utc};
use fleet_queue::{TenantId, clock};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::audit::{self, Action};
use crate::auth::keys::{self, CreatedKey, KeyInfo, NewKey};
use crate::auth::{Caller, Scope};
use crate::enqueue::storable;
use crate::extract::{Body, Name, Params, cut_page, page_limit};
use crate::openapi::Schemas;
use crate::problem::Problem;
use crate::state::ApiState;

pub(super) fn router() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(api_keys, create_api_key))
        .routes(routes!(revoke_api_key))
}

pub(super) fn schemas(schemas: &mut Schemas) {
    schemas.add::<KeyPage>().add::<NewKeyBody>();
    schemas.add::<CreatedKey>();
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct KeysQuery {
    /// Only this tenant's.
    #[param(value_type = Option<Uuid>)]
    tenant_id: Option<TenantId>,
    /// Keys a page, 1 to 200; 50 where left out.
    limit: Option<u8>,
    /// `next_cursor` of the page before.
    cursor: Option<Uuid>,
}

/// A page of keys, without their text.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ApiKeys")]
struct KeyPage {
    /// Newest first, revoked and expired ones too.
    api_keys: Vec<KeyInfo>,
    /// Give it back as `cursor` for the next page; none: this was the last.
    next_cursor: Option<Uuid>,
}

/// A key to be made.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewKeyBody {
    /// What it is for; 1 to 100 characters.
    name: String,
    /// Whose rows it reaches; left out: every tenant's, a key of the platform.
    tenant_id: Option<TenantId>,
    /// What it may do: jobs:enqueue, jobs:read, jobs:manage, schedules:manage, approvals:decide, ingest, metrics; admin for a key of the platform.
    scopes: Vec<String>,
    /// Kinds it may enqueue; left out: any.
    kinds: Option<Vec<String>>,
    /// Good until then; left out: until revoked.
    expires_at: Option<DateTime<Utc>>,
}

impl NewKeyBody {
    fn into_new(self, now: DateTime<Utc>) -> Result<NewKey, Problem> {
        storable("expires_at", self.expires_at)?;
        if self.expires_at.is_some_and(|until| until <= now) {
            return Err(Problem::invalid("expires_at", "expires_at is in the past"));
        }
        let scopes: Result<Vec<Scope>, _> = self.scopes.iter().map(|word| word.parse()).collect();
        let scopes = scopes.map_err(|unknown: crate::auth::UnknownScope| {
            Problem::invalid("scopes", unknown.to_string())
        })?;
        Ok(NewKey {
            name: self.name,
            tenant: self.tenant_id,
            scopes,
            kinds: self.kinds,
            expires_at: self.expires_at,
        })
    }
}

/// List API keys.
#[utoipa::path(
    get, path = "/v1/api-keys", tag = "platform", operation_id = "listApiKeys", params(KeysQuery),
    responses((status = 200, description = "A page.", body = ref("#/components/schemas/ApiKeys")))
)]
async fn api_keys(
    State(state): State<ApiState>,
    caller: Caller,
    Params(query): Params<KeysQuery>,
) -> Result<Json<KeyPage>, Problem> {
    caller.need_platform(Scope::Admin)?;
    let limit = page_limit(query.limit)?;
    let mut conn = state.db.acquire("keys.page").await?;
    let mut found = keys::page(&mut conn, query.tenant_id, query.cursor, limit as i64 + 1).await?;
    Ok(Json(KeyPage {
        next_cursor: cut_page(&mut found, limit, |key| key.id),
        api_keys: found,
    }))
}

/// Make an API key.
///
/// The answer is the only place where its text ever is. A request that is sent again makes another key.
#[utoipa::path(
    post, path = "/v1/api-keys", tag = "platform", operation_id = "createApiKey",
    request_body(content = ref("#/components/schemas/NewKeyBody"), content_type = "application/json"),
    responses((status = 201, description = "It was made.", body = ref("#/components/schemas/CreatedKey")))
)]
async fn create_api_key(
    State(state): State<ApiState>,
    caller: Caller,
    body: Body<NewKeyBody>,
) -> Result<impl IntoResponse, Problem> {
    caller.need_platform(Scope::Admin)?;
    let mut tx = state.db.begin("keys.create").await?;
    let now = clock(&mut tx).await?;
    let new = body.value.into_new(now)?;
    let created = keys::create(&mut tx, &new).await?;
    let subject = created.id.to_string();
    let scopes: Vec<_> = new.scopes.iter().map(|scope| scope.as_str()).collect();
    let action = Action {
        tenant: new.tenant.unwrap_or(TenantId::PLATFORM),
        detail: Some(json!({ "name": new.name, "scopes": scopes, "kinds": new.kinds })),
        ..Action::on_platform("keys.create", &subject)
    };
    audit::record(&mut tx, &caller, action).await?;
    tx.commit().await?;
    Ok((StatusCode::CREATED, Json(created)))
}

/// Revoke an API key.
///
/// It stops working within a second, everywhere.
#[utoipa::path(
    delete, path = "/v1/api-keys/{id}", tag = "platform", operation_id = "revokeApiKey", params(("id" = Uuid, Path)),
    responses((status = 204, description = "It works no more."))
)]
async fn revoke_api_key(
    State(state): State<ApiState>,
    caller: Caller,
    Name(id): Name<Uuid>,
) -> Result<StatusCode, Problem> {
    caller.need_platform(Scope::Admin)?;
    let mut tx = state.db.begin("keys.revoke").await?;
    if !keys::revoke(&mut tx, id).await? {
        return Err(Problem::not_found("key that works"));
    }
    let subject = id.to_string();
    audit::record(
        &mut tx,
        &caller,
        Action::on_platform("keys.revoke", &subject),
    )
    .await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
