//! Ticket classifiers and how good each was on which dataset. What changes them are jobs and approvals.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use fleet_jobs::triage::{
    CSV_HEADER, Evaluation, Listed as TriageModel, csv_after, find_evaluation, list_evaluations,
    list_models,
};
use futures::{TryFutureExt, stream};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::auth::{Caller, Scope};
use crate::extract::{Name, Params, page_limit};
use crate::openapi::Schemas;
use crate::problem::Problem;
use crate::state::ApiState;

pub(super) fn router() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(models))
        .routes(routes!(evaluations))
        .routes(routes!(evaluation))
}

pub(super) fn schemas(schemas: &mut Schemas) {
    schemas
        .add::<TriageModelPage>()
        .add::<TriageEvaluationPage>()
        .add::<Evaluation>();
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ListQuery {
    /// At most so many, 1 to 200; 50 where left out.
    limit: Option<u8>,
}

/// Models.
#[derive(Debug, Serialize, JsonSchema)]
struct TriageModelPage {
    /// Latest first.
    models: Vec<TriageModel>,
}

/// List ticket classifiers.
///
/// A tenant's own; without an active one its tickets are triaged by the platform's.
#[utoipa::path(
    get, path = "/v1/triage/models", tag = "triage", operation_id = "listTriageModels", params(ListQuery),
    responses((status = 200, description = "The latest.", body = ref("#/components/schemas/TriageModelPage")))
)]
async fn models(
    State(state): State<ApiState>,
    caller: Caller,
    Params(query): Params<ListQuery>,
) -> Result<Json<TriageModelPage>, Problem> {
    caller.need(Scope::JobsRead)?;
    let limit = page_limit(query.limit)? as i64;
    let mut tx = state.acting(&caller).await?;
    let models = list_models(&mut tx, None, None, limit).await?;
    tx.commit().await?;
    Ok(Json(TriageModelPage { models }))
}

/// Evaluations.
#[derive(Debug, Serialize, JsonSchema)]
struct TriageEvaluationPage {
    /// Latest first.
    evaluations: Vec<Evaluation>,
}

/// List evaluations.
#[utoipa::path(
    get, path = "/v1/triage/evaluations", tag = "triage", operation_id = "listTriageEvaluations", params(ListQuery),
    responses((status = 200, description = "The latest.", body = ref("#/components/schemas/TriageEvaluationPage")))
)]
async fn evaluations(
    State(state): State<ApiState>,
    caller: Caller,
    Params(query): Params<ListQuery>,
) -> Result<Json<TriageEvaluationPage>, Problem> {
    caller.need(Scope::JobsRead)?;
    let limit = page_limit(query.limit)? as i64;
    let mut tx = state.acting(&caller).await?;
    let evaluations = list_evaluations(&mut tx, limit).await?;
    tx.commit().await?;
    Ok(Json(TriageEvaluationPage { evaluations }))
}

/// Look at an evaluation, or download its predictions.
///
/// With `.csv` after the id: `text,label,predicted,confidence`, a line for each text, in the dataset's order.
#[utoipa::path(
    get, path = "/v1/triage/evaluations/{id}", tag = "triage", operation_id = "getTriageEvaluation",
    params(("id" = String, Path, description = "The evaluation's id; with .csv after it, for the predictions.")),
    responses((status = 200, description = "The evaluation.", content(
        (ref("#/components/schemas/TriageEvaluation") = "application/json"), (String = "text/csv"))))
)]
async fn evaluation(
    State(state): State<ApiState>,
    caller: Caller,
    Name(asked): Name<String>,
) -> Result<Response, Problem> {
    caller.need(Scope::JobsRead)?;
    let (id, as_csv) = match asked.strip_suffix(".csv") {
        Some(id) => (id, true),
        None => (asked.as_str(), false),
    };
    let id: Uuid = id.parse().map_err(|_| Problem::not_found("evaluation"))?;
    let mut tx = state.acting(&caller).await?;
    let found = find_evaluation(&mut tx, id).await?;
    tx.commit().await?;
    let found = found.ok_or_else(|| Problem::not_found("evaluation"))?;
    if as_csv {
        Ok(csv(Download {
            state,
            caller,
            evaluation: found,
            after: None,
        }))
    } else {
        Ok(Json(found).into_response())
    }
}

/// Where a download stands.
struct Download {
    state: ApiState,
    caller: Caller,
    evaluation: Evaluation,
    /// The last position sent; `None` before the header.
    after: Option<i32>,
}

impl Download {
    /// The next piece, and where it leads to. No connection is held while the caller takes it.
    async fn next(mut self) -> Result<Option<(String, Self)>, Problem> {
        let Some(after) = self.after else {
            self.after = Some(0);
            return Ok(Some((CSV_HEADER.to_owned(), self)));
        };
        let mut tx = self.state.acting(&self.caller).await?;
        let next = csv_after(&mut tx, &self.evaluation, after).await?;
        tx.commit().await?;
        Ok(next.map(|(last, lines)| {
            self.after = Some(last);
            (lines, self)
        }))
    }
}

fn csv(download: Download) -> Response {
    let id = download.evaluation.evaluation_id;
    // The answer has begun, so there is no way left to say what went wrong but to break off.
    let broken = |_| std::io::Error::other("the predictions could not be read on");
    let pieces = stream::try_unfold(download, move |download| download.next().map_err(broken));
    let name = format!("attachment; filename=\"{id}.csv\"");
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()),
        (header::CONTENT_DISPOSITION, name),
    ];
    (headers, Body::from_stream(pieces)).into_response()
}
