//! Labelled texts: brought in as CSV, listed, deleted; [`super::triage_reviewed`] makes them of what people said. What is made of them are jobs: `triage.train` and `triage.evaluate`.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use fleet_jobs::triage::dataset::{self, BadRow, Dataset, FileError, Labelled, StoreError};
use fleet_queue::TenantId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::PgConnection;
use tokio_util::io::StreamReader;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::ingest::patient;
use crate::audit::{self, Action};
use crate::auth::{Caller, Scope};
use crate::extract::{Name, Params, page_limit};
use crate::openapi::Schemas;
use crate::problem::Problem;
use crate::state::ApiState;

pub(super) fn router() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(datasets))
        .routes(routes!(dataset_by_id, delete_dataset))
}

pub(super) fn streams() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(create_dataset))
}

pub(super) fn schemas(schemas: &mut Schemas) {
    schemas
        .add::<Dataset>()
        .add::<TriageDatasetPage>()
        .add::<TriageDatasetCreated>();
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct DatasetQuery {
    /// What the dataset is called, 1 to 200 characters; "unnamed" where left out.
    name: Option<String>,
    /// Whose it is, for a key of the platform; by default the platform's own.
    #[param(value_type = Option<Uuid>)]
    tenant_id: Option<TenantId>,
}

/// A dataset that was brought in.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct TriageDatasetCreated {
    /// The dataset.
    id: Uuid,
    /// What it is called.
    name: String,
    /// Its texts.
    rows: usize,
    /// Their different labels.
    labels: usize,
    /// Rows that could not be used.
    refused: u64,
    /// The first of them.
    bad: Vec<BadRow>,
}

/// Bring labelled texts in.
///
/// CSV in UTF-8 with the columns `text` and `label`, in any order and beside others; the label `__oos__` marks a text out of scope.
/// Rows that cannot be used are named in the answer and cost no good row.
#[utoipa::path(
    post, path = "/v1/triage/datasets", tag = "triage", operation_id = "createTriageDataset", params(DatasetQuery),
    request_body(content((String = "text/csv"))),
    responses((status = 201, description = "The dataset.", body = ref("#/components/schemas/TriageDatasetCreated")))
)]
async fn create_dataset(
    State(state): State<ApiState>,
    caller: Caller,
    Params(query): Params<DatasetQuery>,
    headers: HeaderMap,
    body: Body,
) -> Result<(StatusCode, Json<TriageDatasetCreated>), Problem> {
    caller.need(Scope::Ingest)?;
    is_csv(&headers)?;
    let tenant = caller.tenant_for(query.tenant_id)?;
    let name = query.name.unwrap_or_else(|| "unnamed".to_owned());
    let rows = patient(body.into_data_stream(), state.settings.request_timeout);
    let input = StreamReader::new(Box::pin(rows));
    let labelled = dataset::read(input, |_| {})
        .await
        .map_err(|error| unread(&error))?;
    let mut tx = state.acting(&caller).await?;
    let created = keep(&mut tx, &caller, tenant, name, labelled).await?;
    tx.commit().await?;
    Ok((StatusCode::CREATED, Json(created)))
}

/// Keeps a dataset, with the audit.
pub(super) async fn keep(
    conn: &mut PgConnection,
    caller: &Caller,
    tenant: TenantId,
    name: String,
    labelled: Labelled,
) -> Result<TriageDatasetCreated, Problem> {
    let kept = dataset::keep(conn, tenant, &name, &caller.name, &labelled).await;
    let id = kept.map_err(unkept)?;
    let created = TriageDatasetCreated {
        id,
        name,
        rows: labelled.examples.len(),
        labels: labelled.labels(),
        refused: labelled.refused,
        bad: labelled.bad,
    };
    let subject = id.to_string();
    let action = Action {
        tenant,
        detail: Some(json!({ "rows": created.rows, "labels": created.labels })),
        ..Action::on_platform("triage.dataset_create", &subject)
    };
    audit::record(conn, caller, action).await?;
    Ok(created)
}

fn is_csv(headers: &HeaderMap) -> Result<(), Problem> {
    let given = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let essence = given.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("text/csv") {
        return Ok(());
    }
    let detail = "say what comes: Content-Type: text/csv";
    let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
    Err(Problem::new(status, "unsupported_media_type", detail).field("content-type"))
}

fn unread(error: &FileError) -> Problem {
    let detail = error.to_string();
    match error {
        FileError::Header(_) => Problem::invalid("header", detail).code("invalid_header"),
        FileError::Empty { .. } => Problem::invalid("body", detail),
        FileError::TooLarge => {
            Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "payload_too_large", detail)
        }
        FileError::Read(_) => Problem::new(StatusCode::BAD_REQUEST, "body_unread", detail),
    }
}

fn unkept(error: StoreError) -> Problem {
    let detail = error.to_string();
    match error {
        StoreError::Name(_) => Problem::invalid("name", detail),
        StoreError::Full => Problem::new(StatusCode::CONFLICT, "too_many_datasets", detail),
        StoreError::Database(error) => error.into(),
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct DatasetsQuery {
    /// At most so many, 1 to 200; 50 where left out.
    limit: Option<u8>,
}

/// Datasets.
#[derive(Debug, Serialize, JsonSchema)]
struct TriageDatasetPage {
    /// Latest first.
    datasets: Vec<Dataset>,
}

/// List datasets.
#[utoipa::path(
    get, path = "/v1/triage/datasets", tag = "triage", operation_id = "listTriageDatasets", params(DatasetsQuery),
    responses((status = 200, description = "The latest.", body = ref("#/components/schemas/TriageDatasetPage")))
)]
async fn datasets(
    State(state): State<ApiState>,
    caller: Caller,
    Params(query): Params<DatasetsQuery>,
) -> Result<Json<TriageDatasetPage>, Problem> {
    caller.need(Scope::JobsRead)?;
    let limit = page_limit(query.limit)? as i64;
    let mut tx = state.acting(&caller).await?;
    let datasets = dataset::list(&mut tx, limit).await?;
    tx.commit().await?;
    Ok(Json(TriageDatasetPage { datasets }))
}

/// Look at a dataset.
#[utoipa::path(
    get, path = "/v1/triage/datasets/{id}", tag = "triage", operation_id = "getTriageDataset", params(("id" = Uuid, Path)),
    responses((status = 200, description = "The dataset.", body = ref("#/components/schemas/TriageDataset")))
)]
async fn dataset_by_id(
    State(state): State<ApiState>,
    caller: Caller,
    Name(id): Name<Uuid>,
) -> Result<Json<Dataset>, Problem> {
    caller.need(Scope::JobsRead)?;
    let mut tx = state.acting(&caller).await?;
    let found = dataset::find(&mut tx, id).await?;
    tx.commit().await?;
    found.map(Json).ok_or_else(|| Problem::not_found("dataset"))
}

/// Delete a dataset.
///
/// Its texts and the evaluations on it go with it; models that were made of it stay.
#[utoipa::path(
    delete, path = "/v1/triage/datasets/{id}", tag = "triage", operation_id = "deleteTriageDataset", params(("id" = Uuid, Path)),
    responses((status = 204, description = "It is gone."))
)]
async fn delete_dataset(
    State(state): State<ApiState>,
    caller: Caller,
    Name(id): Name<Uuid>,
) -> Result<StatusCode, Problem> {
    caller.need(Scope::Ingest)?;
    let mut tx = state.acting(&caller).await?;
    let tenant = dataset::delete(&mut tx, id).await?;
    let tenant = tenant.ok_or_else(|| Problem::not_found("dataset"))?;
    let subject = id.to_string();
    let action = Action {
        tenant,
        ..Action::on_platform("triage.dataset_delete", &subject)
    };
    audit::record(&mut tx, &caller, action).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
