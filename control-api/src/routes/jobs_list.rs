//! GET /v1/jobs: pages of jobs, newest first.

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use fleet_queue::read::{JobFilter, JobPage, list_jobs};
use fleet_queue::{JobId, JobState, TenantId, UnknownState, WorkerId};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::{Caller, Identity, Scope};
use crate::extract::{Params, page_limit};
use crate::openapi::Schemas;
use crate::problem::Problem;
use crate::state::ApiState;

pub(super) fn router() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(jobs))
}

pub(super) fn schemas(schemas: &mut Schemas) {
    schemas.add::<JobPage>();
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct JobsQuery {
    /// States, joined by commas; all where left out.
    state: Option<String>,
    /// Only this kind.
    kind: Option<String>,
    /// Only this queue.
    queue: Option<String>,
    /// Only this tenant.
    #[param(value_type = Option<uuid::Uuid>)]
    tenant_id: Option<TenantId>,
    /// Only with this tag.
    tag: Option<String>,
    /// Only run, or last run, by this worker.
    #[param(value_type = Option<uuid::Uuid>)]
    worker_id: Option<WorkerId>,
    /// Only children of this job.
    #[param(value_type = Option<uuid::Uuid>)]
    parent_id: Option<JobId>,
    /// Only made at or after.
    created_from: Option<DateTime<Utc>>,
    /// Only made before.
    created_to: Option<DateTime<Utc>>,
    /// Jobs a page, 1 to 200; 50 where left out.
    limit: Option<u8>,
    /// `next_cursor` of the page before.
    #[param(value_type = Option<uuid::Uuid>)]
    cursor: Option<JobId>,
}

impl JobsQuery {
    fn filter(self, who: &Identity) -> Result<JobFilter, Problem> {
        let states = self.state.as_deref().unwrap_or_default();
        let states: Result<Vec<JobState>, _> = states
            .split(',')
            .filter(|word| !word.is_empty())
            .map(str::parse)
            .collect();
        Ok(JobFilter {
            states: states
                .map_err(|error: UnknownState| Problem::malformed("state", error.to_string()))?,
            kind: self.kind,
            queue: self.queue,
            tenant: who.seen_tenant(self.tenant_id)?,
            tag: self.tag,
            worker: self.worker_id,
            parent: self.parent_id,
            created_from: self.created_from,
            created_to: self.created_to,
        })
    }
}

/// List jobs.
///
/// Newest first, live and ended ones together.
#[utoipa::path(
    get, path = "/v1/jobs", tag = "jobs", operation_id = "listJobs", params(JobsQuery),
    responses((status = 200, description = "A page.", body = ref("#/components/schemas/JobPage")))
)]
async fn jobs(
    State(state): State<ApiState>,
    caller: Caller,
    Params(query): Params<JobsQuery>,
) -> Result<Json<JobPage>, Problem> {
    caller.need(Scope::JobsRead)?;
    let (limit, cursor) = (page_limit(query.limit)?, query.cursor);
    let filter = query.filter(&caller)?;
    let mut tx = state.acting(&caller).await?;
    let page = list_jobs(&mut tx, &filter, cursor, limit as i64).await?;
    tx.commit().await?;
    Ok(Json(page))
}
