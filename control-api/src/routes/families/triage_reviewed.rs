//! What people said of tickets, as a dataset: how a reviewer's answers get into the next model.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use fleet_jobs::triage::dataset::{self, Reviewed, ReviewedError};
use fleet_queue::TenantId;
use schemars::JsonSchema;
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::triage_datasets::{TriageDatasetCreated, keep};
use crate::auth::{Caller, Scope};
use crate::extract::Body;
use crate::openapi::Schemas;
use crate::problem::Problem;
use crate::state::ApiState;

pub(super) fn router() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(create_reviewed))
}

pub(super) fn schemas(schemas: &mut Schemas) {
    schemas.add::<TriageReviewed>();
}

/// Which answers.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct TriageReviewed {
    /// What the dataset is called, 1 to 200 characters.
    name: String,
    /// Only what was said since then; everything where left out.
    since: Option<DateTime<Utc>>,
    /// The tickets that ship with the program too, for where few have said anything.
    #[serde(default)]
    with_shipped: bool,
    /// Whose, for a key of the platform; by default the platform's own.
    tenant_id: Option<TenantId>,
}

/// Make a dataset of what people said.
///
/// Whoever approves or corrects a triage, or edits a ticket's category, says what that ticket is about. The last word about each
/// ticket is a row, with personal data masked as triage masks it. `triage.train` makes a model of it.
#[utoipa::path(
    post, path = "/v1/triage/datasets/reviewed", tag = "triage", operation_id = "createReviewedTriageDataset",
    request_body(content = ref("#/components/schemas/TriageReviewed")),
    responses((status = 201, description = "The dataset.", body = ref("#/components/schemas/TriageDatasetCreated")))
)]
async fn create_reviewed(
    State(state): State<ApiState>,
    caller: Caller,
    body: Body<TriageReviewed>,
) -> Result<(StatusCode, Json<TriageDatasetCreated>), Problem> {
    caller.need(Scope::Ingest)?;
    let it = body.value;
    let tenant = caller.tenant_for(it.tenant_id)?;
    let wanted = Reviewed {
        since: it.since,
        with_shipped: it.with_shipped,
    };
    let mut tx = state.acting(&caller).await?;
    let labelled = dataset::reviewed(&mut tx, tenant, &wanted).await;
    let labelled = labelled.map_err(unread)?;
    let created = keep(&mut tx, &caller, tenant, it.name, labelled).await?;
    tx.commit().await?;
    Ok((StatusCode::CREATED, Json(created)))
}

fn unread(error: ReviewedError) -> Problem {
    let detail = error.to_string();
    match error {
        ReviewedError::Nothing(_) => Problem::new(StatusCode::CONFLICT, "nothing_reviewed", detail),
        ReviewedError::Database(error) => error.into(),
    }
}
