//! Partners' capacity to read, to have computed anew, and the caps that people turn.
//!
//! A key of the platform sees every partner, a tenant's key the partners that are its own: row-level security decides, so another
//! tenant's partner is not found, like one that does not exist.

use axum::Json;
use axum::extract::State;
use fleet_jobs::capacity::{
    Capacity, HISTORY_MAX, LimitError, Limits, Score, capacity_of, set_limits, tenant_of,
};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::audit::{self, Action};
use crate::auth::{Caller, Scope};
use crate::extract::{Body, Name, Params};
use crate::idempotency::Answer;
use crate::openapi::Schemas;
use crate::problem::Problem;
use crate::routes::jobs_create;
use crate::state::ApiState;

/// Past capacities where nobody says how many.
const HISTORY: u8 = 24;

pub(super) fn router() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(capacity, change_capacity))
        .routes(routes!(score_capacity))
}

pub(super) fn schemas(schemas: &mut Schemas) {
    schemas.add::<Capacity>().add::<CapacityPatch>();
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct CapacityQuery {
    /// Past capacities to show, 0 to 200; 24 where left out.
    history: Option<u8>,
}

/// What to change of a partner's capacity; what is left out stays.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct CapacityPatch {
    /// The most load it takes, from 0 on; null: what its tier takes.
    #[serde(default, deserialize_with = "given")]
    #[expect(
        clippy::option_option,
        reason = "left out, null and a number are three things"
    )]
    max_load: Option<Option<f64>>,
    /// Whether it takes no new work for now.
    paused: Option<bool>,
    /// Why; at most 1,000 characters.
    reason: Option<String>,
}

/// Tells null from left out.
#[expect(
    clippy::option_option,
    reason = "left out, null and a number are three things"
)]
fn given<'de, D: Deserializer<'de>>(field: D) -> Result<Option<Option<f64>>, D::Error> {
    Option::<f64>::deserialize(field).map(Some)
}

impl CapacityPatch {
    fn limits(&self) -> Result<Limits, Problem> {
        let limits = Limits {
            max_load: self.max_load,
            paused: self.paused,
        };
        if limits == Limits::default() {
            let detail = "nothing is to change: give max_load or paused";
            return Err(Problem::invalid("max_load", detail));
        }
        match &self.reason {
            Some(reason) if reason.chars().count() > 1000 => Err(Problem::invalid(
                "reason",
                "reason is over 1,000 characters",
            )),
            _ => Ok(limits),
        }
    }
}

/// Look at a partner's capacity.
#[utoipa::path(
    get, path = "/v1/partners/{id}/capacity", tag = "partners", operation_id = "getPartnerCapacity", params(("id" = Uuid, Path), CapacityQuery),
    responses((status = 200, description = "Load, cap, score and what they are made of, with how they came there.", body = ref("#/components/schemas/Capacity")))
)]
async fn capacity(
    State(state): State<ApiState>,
    caller: Caller,
    Name(id): Name<Uuid>,
    Params(query): Params<CapacityQuery>,
) -> Result<Json<Capacity>, Problem> {
    caller.need(Scope::JobsRead)?;
    let past = i64::from(query.history.unwrap_or(HISTORY));
    if past > HISTORY_MAX {
        let detail = format!("history is {past}; 0 to {HISTORY_MAX} are shown");
        return Err(Problem::malformed("history", detail));
    }
    let mut tx = state.acting(&caller).await?;
    let capacity = capacity_of(&mut tx, id, past).await?;
    tx.commit().await?;
    capacity
        .map(Json)
        .ok_or_else(|| Problem::not_found("partner with a capacity"))
}

/// Set how much a partner takes.
///
/// The score follows within a minute, by a job that the change itself enqueues.
#[utoipa::path(
    patch, path = "/v1/partners/{id}/capacity", tag = "partners", operation_id = "changePartnerCapacity", params(("id" = Uuid, Path)),
    request_body(content = ref("#/components/schemas/CapacityPatch"), content_type = "application/json"),
    responses((status = 200, description = "The capacity, as it was computed last.", body = ref("#/components/schemas/Capacity")))
)]
async fn change_capacity(
    State(state): State<ApiState>,
    caller: Caller,
    Name(id): Name<Uuid>,
    body: Body<CapacityPatch>,
) -> Result<Json<Capacity>, Problem> {
    caller.need(Scope::JobsManage)?;
    let limits = body.value.limits()?;
    let mut tx = state.acting(&caller).await?;
    let changed = set_limits(&mut tx, id, limits, &caller.name).await;
    let tenant = changed
        .map_err(refused)?
        .ok_or_else(|| Problem::not_found("partner"))?;
    let subject = id.to_string();
    let action = Action {
        tenant,
        reason: body.value.reason.as_deref(),
        ..Action::on_platform("partners.limits", &subject)
    };
    audit::record(&mut tx, &caller, action).await?;
    let capacity = capacity_of(&mut tx, id, i64::from(HISTORY)).await?;
    // One that was never scored is refused before anything is kept of it.
    let capacity = capacity.ok_or_else(|| Problem::not_found("partner with a capacity"))?;
    tx.commit().await?;
    Ok(Json(capacity))
}

fn refused(error: LimitError) -> Problem {
    match error {
        LimitError::MaxLoad(_) => Problem::invalid("max_load", error.to_string()),
        LimitError::Database(error) => error.into(),
    }
}

/// Compute a partner's capacity anew.
///
/// Enqueues the job, at once; one that still waits is the same one.
#[utoipa::path(
    post, path = "/v1/partners/{id}/capacity/score", tag = "partners", operation_id = "scorePartnerCapacity", params(("id" = Uuid, Path)),
    responses(
        (status = 201, description = "The job.", body = ref("#/components/schemas/JobCreated")),
        (status = 200, description = "The job that waits already.", body = ref("#/components/schemas/JobExisting")),
    )
)]
async fn score_capacity(
    State(state): State<ApiState>,
    caller: Caller,
    Name(id): Name<Uuid>,
) -> Result<Answer, Problem> {
    caller.need(Scope::JobsEnqueue)?;
    let mut tx = state.acting(&caller).await?;
    let tenant = tenant_of(&mut tx, id).await?;
    tx.commit().await?;
    let tenant = tenant.ok_or_else(|| Problem::not_found("partner"))?;
    let job = Score { partner_id: id }.new_job(caller.tenant_for(Some(tenant))?);
    caller.need_kind(&job.kind)?;
    jobs_create::create(&state, caller, job).await
}
