//! Which decisions wait for a person: read by all, turned by the platform's people.

use axum::Json;
use axum::extract::State;
use fleet_jobs::approval::{Policy, PolicyError, PolicyRow, Review, list_policies, set_policy};
use fleet_queue::TenantId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::audit::{self, Action};
use crate::auth::{Caller, Scope};
use crate::extract::{Body, Name, Params};
use crate::openapi::Schemas;
use crate::problem::Problem;
use crate::state::ApiState;

pub(super) fn router() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(approval_policies))
        .routes(routes!(set_approval_policy))
}

pub(super) fn schemas(schemas: &mut Schemas) {
    schemas.add::<PolicyList>().add::<PolicyBody>();
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct PoliciesQuery {
    /// The policies of this kind of decision with their past; the current ones of all where left out.
    decision: Option<String>,
}

/// Policies.
#[derive(Debug, Serialize, JsonSchema)]
struct PolicyList {
    /// By kind of decision, the newest version first.
    policies: Vec<PolicyRow>,
}

/// List approval policies.
#[utoipa::path(
    get, path = "/v1/approval-policies", tag = "approvals", operation_id = "listApprovalPolicies", params(PoliciesQuery),
    responses((status = 200, description = "The policies.", body = ref("#/components/schemas/PolicyList")))
)]
async fn approval_policies(
    State(state): State<ApiState>,
    caller: Caller,
    Params(query): Params<PoliciesQuery>,
) -> Result<Json<PolicyList>, Problem> {
    caller.need_any(&[Scope::JobsRead, Scope::ApprovalsDecide])?;
    let mut tx = state.acting(&caller).await?;
    let policies = list_policies(&mut tx, query.decision.as_deref()).await?;
    tx.commit().await?;
    Ok(Json(PolicyList { policies }))
}

/// Which decisions wait from now on.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct PolicyBody {
    /// Whether none wait, those below the threshold, or all.
    review: Review,
    /// Confidence below which a decision waits, 0 to 1.
    threshold: f64,
    /// Whose decisions; left out: every tenant's that has no policy of its own.
    tenant_id: Option<TenantId>,
    /// Why; at most 1,000 characters.
    note: Option<String>,
}

/// Set an approval policy.
///
/// It holds for decisions from now on; those that wait go on waiting. The policies before stay to be read.
#[utoipa::path(
    put, path = "/v1/approval-policies/{decision}", tag = "approvals", operation_id = "setApprovalPolicy", params(("decision" = String, Path)),
    request_body(content = ref("#/components/schemas/PolicyBody"), content_type = "application/json"),
    responses((status = 200, description = "The policy in force.", body = ref("#/components/schemas/PolicyRow")))
)]
async fn set_approval_policy(
    State(state): State<ApiState>,
    caller: Caller,
    Name(decision): Name<String>,
    body: Body<PolicyBody>,
) -> Result<Json<PolicyRow>, Problem> {
    caller.need_platform(Scope::ApprovalsDecide)?;
    let body = body.value;
    let note = body.note.as_deref();
    if note.is_some_and(|note| note.chars().count() > 1000) {
        return Err(Problem::invalid("note", "note is over 1,000 characters"));
    }
    let policy = Policy {
        threshold: body.threshold,
        review: body.review,
    };
    let tenant = body.tenant_id.unwrap_or(TenantId::PLATFORM);
    let mut tx = state.acting(&caller).await?;
    let set = set_policy(&mut tx, tenant, &decision, policy, &caller.name, note).await;
    let set = set.map_err(refused)?;
    let action = Action {
        tenant,
        reason: note,
        detail: Some(json!({ "review": set.review, "threshold": set.threshold })),
        ..Action::on_platform("approvals.policy", &decision)
    };
    audit::record(&mut tx, &caller, action).await?;
    tx.commit().await?;
    Ok(Json(set))
}

fn refused(error: PolicyError) -> Problem {
    let detail = error.to_string();
    match error {
        PolicyError::Threshold(_) => Problem::invalid("threshold", detail),
        PolicyError::Unknown(_) => Problem::not_found("kind of decision"),
        PolicyError::Database(error) => error.into(),
    }
}
