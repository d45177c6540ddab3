//! Schedules: look at them, make, change and remove them. A tenant's are its own; a key of the platform says whose it means.

use axum::Json;
use axum::extract::State;
use axum::http::header::{ETAG, IF_MATCH, IF_NONE_MATCH};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use fleet_queue::schedules::{self, Definition, Expect, Schedule};
use fleet_queue::{Error, TenantId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sqlx::PgConnection;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::audit::{self, Action};
use crate::auth::{Caller, Identity, Scope};
use crate::extract::{Body, Name, Params, cut_page, fit, page_limit};
use crate::openapi::Schemas;
use crate::problem::Problem;
use crate::state::ApiState;

pub(super) fn router() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(list_schedules))
        .routes(routes!(get_schedule, put_schedule, delete_schedule))
}

pub(super) fn schemas(schemas: &mut Schemas) {
    schemas.add::<Definition>().add::<SchedulePage>();
}

/// Whose schedule a path means.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Whose {
    /// For keys of the platform; the platform itself where left out.
    #[param(value_type = Option<Uuid>)]
    tenant_id: Option<TenantId>,
}

impl Whose {
    pub(super) fn tenant(&self, who: &Identity) -> Result<TenantId, Problem> {
        who.tenant_for(self.tenant_id)
    }
}

/// The id of a schedule by its name.
pub(super) async fn find(
    conn: &mut PgConnection,
    tenant: TenantId,
    name: &str,
) -> Result<Uuid, Problem> {
    let found = schedules::find(conn, tenant, name).await?;
    found.ok_or_else(|| Problem::not_found("schedule"))
}

/// What is done to a schedule, for the audit.
pub(super) fn action<'a>(verb: &'a str, tenant: TenantId, name: &'a str) -> Action<'a> {
    Action {
        tenant,
        ..Action::on_platform(verb, name)
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct SchedulesQuery {
    /// Only this tenant's.
    #[param(value_type = Option<Uuid>)]
    tenant_id: Option<TenantId>,
    /// Schedules a page, 1 to 200; 50 where left out.
    limit: Option<u8>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// A page of schedules.
#[derive(Debug, Serialize, JsonSchema)]
struct SchedulePage {
    /// By tenant and name.
    schedules: Vec<Schedule>,
    /// Give it back as `cursor` for the next page; none: this was the last.
    next_cursor: Option<String>,
}

/// List schedules.
#[utoipa::path(
    get, path = "/v1/schedules", tag = "schedules", operation_id = "listSchedules", params(SchedulesQuery),
    responses((status = 200, description = "A page.", body = ref("#/components/schemas/SchedulePage")))
)]
async fn list_schedules(
    State(state): State<ApiState>,
    caller: Caller,
    Params(query): Params<SchedulesQuery>,
) -> Result<Json<SchedulePage>, Problem> {
    caller.need_any(&[Scope::JobsRead, Scope::SchedulesManage])?;
    let limit = page_limit(query.limit)?;
    let tenant = match caller.tenant {
        Some(_) => Some(caller.tenant_for(query.tenant_id)?),
        None => query.tenant_id,
    };
    let after = query.cursor.as_deref().map(read_cursor).transpose()?;
    let mut tx = state.acting(&caller).await?;
    let mut schedules = schedules::list(&mut tx, tenant, after, limit as i64 + 1).await?;
    tx.commit().await?;
    let next_cursor = cut_page(&mut schedules, limit, |last| {
        format!("{}/{}", last.tenant_id, last.definition.name)
    });
    Ok(Json(SchedulePage {
        schedules,
        next_cursor,
    }))
}

fn read_cursor(cursor: &str) -> Result<(TenantId, &str), Problem> {
    cursor
        .split_once('/')
        .and_then(|(tenant, name)| Some((tenant.parse().ok()?, name)))
        .ok_or_else(|| Problem::malformed("cursor", "cursor is none that a page gave"))
}

/// Look at a schedule.
///
/// Its ETag is its revision.
#[utoipa::path(
    get, path = "/v1/schedules/{name}", tag = "schedules", operation_id = "getSchedule", params(("name" = String, Path), Whose),
    responses((status = 200, description = "The schedule.", body = ref("#/components/schemas/Schedule")))
)]
async fn get_schedule(
    State(state): State<ApiState>,
    caller: Caller,
    Name(name): Name<String>,
    Params(whose): Params<Whose>,
) -> Result<Response, Problem> {
    caller.need_any(&[Scope::JobsRead, Scope::SchedulesManage])?;
    let tenant = whose.tenant(&caller)?;
    let mut tx = state.acting(&caller).await?;
    let id = find(&mut tx, tenant, &name).await?;
    let schedule = schedules::get(&mut tx, id).await?;
    tx.commit().await?;
    answer(StatusCode::OK, schedule)
}

fn answer(status: StatusCode, schedule: Option<Schedule>) -> Result<Response, Problem> {
    let schedule = schedule.ok_or_else(|| Problem::not_found("schedule"))?;
    let tag = HeaderValue::try_from(format!("\"{}\"", schedule.revision));
    let tag = tag.expect("digits in quotes make a header");
    Ok((status, [(ETAG, tag)], Json(schedule)).into_response())
}

/// Make a schedule, or change it.
///
/// With If-Match only the revision that was read; with If-None-Match: * only a new one. Its payload is checked as at enqueue.
#[utoipa::path(
    put, path = "/v1/schedules/{name}", tag = "schedules", operation_id = "putSchedule",
    params(("name" = String, Path), Whose, ("If-Match" = Option<String>, Header, description = "The ETag that was read."),
        ("If-None-Match" = Option<String>, Header, description = "`*`: only where there is none.")),
    request_body(content = ref("#/components/schemas/Definition"), content_type = "application/json"),
    responses(
        (status = 200, description = "The schedule.", body = ref("#/components/schemas/Schedule")),
        (status = 201, description = "It is new.", body = ref("#/components/schemas/Schedule")),
    )
)]
async fn put_schedule(
    State(state): State<ApiState>,
    caller: Caller,
    Name(name): Name<String>,
    Params(whose): Params<Whose>,
    headers: HeaderMap,
    body: Body<Map<String, Value>>,
) -> Result<Response, Problem> {
    caller.need(Scope::SchedulesManage)?;
    let tenant = whose.tenant(&caller)?;
    let definition = named(&name, body.value)?;
    let kind = state.kinds.get(&definition.kind).await?;
    caller.need_kind(&definition.kind)?;
    kind.check(&definition.payload)?;
    let expect = expected(&headers)?;
    let mut tx = state.acting_for(tenant).await?;
    let put = schedules::put(&mut tx, tenant, &definition, expect, &caller.name).await;
    let put = put.map_err(unexpected)?;
    if put.changed {
        let mut action = action("schedules.put", tenant, &name);
        action.detail = Some(json!({ "revision": put.revision, "definition": definition }));
        audit::record(&mut tx, &caller, action).await?;
    }
    let schedule = schedules::get(&mut tx, put.id).await?;
    tx.commit().await?;
    let is_new = put.changed && put.revision == 1;
    answer(
        if is_new {
            StatusCode::CREATED
        } else {
            StatusCode::OK
        },
        schedule,
    )
}

/// The definition under the path's name; a body that names another is a slip.
fn named(name: &str, mut body: Map<String, Value>) -> Result<Definition, Problem> {
    let said = body.insert("name".to_owned(), json!(name));
    if said.is_some_and(|said| said != name) {
        let detail = "name differs from the path's; a schedule keeps its name";
        return Err(Problem::invalid("name", detail));
    }
    fit(Value::Object(body))
}

fn expected(headers: &HeaderMap) -> Result<Expect, Problem> {
    if headers.get(IF_NONE_MATCH).is_some_and(|tag| tag == "*") {
        return Ok(Expect::New);
    }
    let Some(tag) = headers.get(IF_MATCH).filter(|tag| *tag != "*") else {
        return Ok(Expect::Any);
    };
    let revision = tag
        .to_str()
        .ok()
        .and_then(|tag| tag.trim_matches('"').parse().ok());
    let detail = "if-match is no ETag of a schedule, such as \"3\"";
    revision
        .map(Expect::Revision)
        .ok_or_else(|| Problem::malformed("if-match", detail))
}

/// A refusal of what the caller expected is a precondition that failed, not a field that is wrong.
fn unexpected(error: Error) -> Problem {
    let stale = matches!(
        &error,
        Error::Invalid {
            field: "revision",
            ..
        }
    );
    let mut problem = Problem::from(error);
    if stale {
        problem.status = StatusCode::PRECONDITION_FAILED;
        problem.code = "precondition_failed";
        problem.field = Some("if-match".to_owned());
    }
    problem
}

/// Remove a schedule.
///
/// What it enqueued is left alone.
#[utoipa::path(
    delete, path = "/v1/schedules/{name}", tag = "schedules", operation_id = "deleteSchedule", params(("name" = String, Path), Whose),
    responses((status = 204, description = "It is gone; its history stays."))
)]
async fn delete_schedule(
    State(state): State<ApiState>,
    caller: Caller,
    Name(name): Name<String>,
    Params(whose): Params<Whose>,
) -> Result<StatusCode, Problem> {
    caller.need(Scope::SchedulesManage)?;
    let tenant = whose.tenant(&caller)?;
    let mut tx = state.acting(&caller).await?;
    let id = find(&mut tx, tenant, &name).await?;
    if !schedules::delete(&mut tx, id, &caller.name).await? {
        return Err(Problem::not_found("schedule"));
    }
    audit::record(&mut tx, &caller, action("schedules.delete", tenant, &name)).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
