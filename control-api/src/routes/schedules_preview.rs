//! Ticks to come and ticks gone by, of a schedule or of times that are not saved yet.

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use fleet_queue::clock;
use fleet_queue::schedules::{self, Ambiguous, Definition, Nonexistent, Preview, Timetable};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::schedules::find;
use crate::auth::{Caller, Scope};
use crate::enqueue::storable;
use crate::extract::{Body, Name, Params, fit};
use crate::openapi::Schemas;
use crate::problem::Problem;
use crate::state::ApiState;

pub(super) fn router() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(schedule_preview))
        .routes(routes!(preview))
}

pub(super) fn schemas(schemas: &mut Schemas) {
    schemas.add::<Preview>().add::<PreviewBody>();
}

/// Times to be previewed, as a schedule has them.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct PreviewBody {
    /// Cron, `@every 90s`, or `@at` with a list of times.
    cron: String,
    /// IANA zone; `UTC` where left out.
    zone: Option<String>,
    /// No tick before.
    starts_at: Option<DateTime<Utc>>,
    /// No tick then or after.
    ends_at: Option<DateTime<Utc>>,
    /// A local time that the clocks jump over.
    #[serde(default)]
    nonexistent: Nonexistent,
    /// A local time that the clocks show twice.
    ambiguous: Option<Ambiguous>,
    /// Around when; now where left out.
    from: Option<DateTime<Utc>>,
    /// Ticks each way, 1 to 100; 10 where left out.
    n: Option<u8>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct PreviewQuery {
    /// For keys of the platform; the platform itself where left out.
    #[param(value_type = Option<uuid::Uuid>)]
    tenant_id: Option<fleet_queue::TenantId>,
    /// Around when; now where left out.
    from: Option<DateTime<Utc>>,
    /// Ticks each way, 1 to 100; 10 where left out.
    n: Option<u8>,
}

/// A schedule's next and last ticks.
#[utoipa::path(
    get, path = "/v1/schedules/{name}/preview", tag = "schedules", operation_id = "previewSchedule", params(("name" = String, Path), PreviewQuery),
    responses((status = 200, description = "Ticks around a moment.", body = ref("#/components/schemas/Preview")))
)]
async fn schedule_preview(
    State(state): State<ApiState>,
    caller: Caller,
    Name(name): Name<String>,
    Params(query): Params<PreviewQuery>,
) -> Result<Json<Preview>, Problem> {
    caller.need_any(&[Scope::JobsRead, Scope::SchedulesManage])?;
    let tenant = caller.tenant_for(query.tenant_id)?;
    let mut tx = state.acting_for(tenant).await?;
    let id = find(&mut tx, tenant, &name).await?;
    let schedule = schedules::get(&mut tx, id).await?;
    let schedule = schedule.ok_or_else(|| Problem::not_found("schedule"))?;
    let now = clock(&mut tx).await?;
    tx.commit().await?;
    shown(&schedule.definition, query.from.unwrap_or(now), query.n).await
}

/// Ticks of times that are not saved yet.
#[utoipa::path(
    post, path = "/v1/schedule-previews", tag = "schedules", operation_id = "previewTimes",
    request_body(content = ref("#/components/schemas/PreviewBody"), content_type = "application/json"),
    responses((status = 200, description = "Ticks around a moment.", body = ref("#/components/schemas/Preview")))
)]
async fn preview(
    State(state): State<ApiState>,
    caller: Caller,
    body: Body<PreviewBody>,
) -> Result<Json<Preview>, Problem> {
    caller.need_any(&[Scope::JobsRead, Scope::SchedulesManage])?;
    let body = body.value;
    let mut conn = state.db.acquire("api.clock").await?;
    let now = clock(&mut conn).await?;
    drop(conn);
    let zone = body.zone.as_deref().unwrap_or("UTC");
    let mut definition: Definition =
        fit(json!({ "name": "preview", "kind": "preview", "cron": body.cron, "zone": zone }))?;
    definition.starts_at = body.starts_at;
    definition.ends_at = body.ends_at;
    definition.nonexistent = body.nonexistent;
    definition.ambiguous = body.ambiguous;
    shown(&definition, body.from.unwrap_or(now), body.n).await
}

/// Rare times may take a while to find, so they are looked for beside the requests of others.
async fn shown(
    definition: &Definition,
    from: DateTime<Utc>,
    n: Option<u8>,
) -> Result<Json<Preview>, Problem> {
    let n = n.unwrap_or(10);
    if !(1..=100).contains(&n) {
        return Err(Problem::malformed(
            "n",
            format!("n is {n}, 1 to 100 are allowed"),
        ));
    }
    storable("from", Some(from))?;
    storable("starts_at", definition.starts_at)?;
    storable("ends_at", definition.ends_at)?;
    let times = Timetable::of(definition)?;
    let found = tokio::task::spawn_blocking(move || times.preview(from, n.into())).await;
    found.map(Json).map_err(|_| {
        let detail = "these times cannot be previewed";
        Problem::invalid("cron", detail)
    })
}
