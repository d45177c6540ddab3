//! Proposed changes of tier, decided by a person.

use axum::Json;
use axum::extract::State;
use fleet_jobs::leaderboard::{Candidate, Decision, decide_candidate, list_candidates};
use fleet_queue::TenantId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::holds::NoteBody;
use crate::audit::{self, Action};
use crate::auth::{Caller, Scope};
use crate::extract::{Name, OptionalBody, Params, cut_page, page_limit};
use crate::openapi::Schemas;
use crate::problem::Problem;
use crate::state::ApiState;

pub(super) fn router() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(promotions))
        .routes(routes!(approve_promotion))
        .routes(routes!(reject_promotion))
}

pub(super) fn schemas(schemas: &mut Schemas) {
    schemas.add::<PromotionPage>();
}

#[derive(Clone, Copy, Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
enum Status {
    Pending,
    Approved,
    Rejected,
    Withdrawn,
}

impl Status {
    fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Approved => "approved",
            Self::Rejected => "rejected",
            Self::Withdrawn => "withdrawn",
        }
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct PromotionsQuery {
    /// Only those that stand so.
    #[param(inline)]
    status: Option<Status>,
    /// Proposals a page, 1 to 200; 50 where left out.
    limit: Option<u8>,
    /// `next_cursor` of the page before.
    cursor: Option<Uuid>,
}

/// A page of proposals.
#[derive(Debug, Serialize, JsonSchema)]
struct PromotionPage {
    /// Newest first.
    promotions: Vec<Candidate>,
    /// Give it back as `cursor` for the next page; none: this was the last.
    next_cursor: Option<Uuid>,
}

/// List promotions.
#[utoipa::path(
    get, path = "/v1/promotions", tag = "leaderboards", operation_id = "listPromotions", params(PromotionsQuery),
    responses((status = 200, description = "A page.", body = ref("#/components/schemas/PromotionPage")))
)]
async fn promotions(
    State(state): State<ApiState>,
    caller: Caller,
    Params(query): Params<PromotionsQuery>,
) -> Result<Json<PromotionPage>, Problem> {
    caller.need_platform(Scope::JobsRead)?;
    let limit = page_limit(query.limit)?;
    let status = query.status.map(Status::as_str);
    let mut tx = state.acting(&caller).await?;
    let mut promotions = list_candidates(&mut tx, status, query.cursor, limit as i64 + 1).await?;
    tx.commit().await?;
    let next_cursor = cut_page(&mut promotions, limit, |last| last.candidate_id);
    Ok(Json(PromotionPage {
        promotions,
        next_cursor,
    }))
}

/// Approve a promotion.
///
/// The tier changes in the same transaction.
#[utoipa::path(
    post, path = "/v1/promotions/{id}/approve", tag = "leaderboards", operation_id = "approvePromotion", params(("id" = Uuid, Path)),
    request_body(content = ref("#/components/schemas/NoteBody"), content_type = "application/json"),
    responses((status = 200, description = "The proposal, decided.", body = ref("#/components/schemas/Candidate")))
)]
async fn approve_promotion(
    State(state): State<ApiState>,
    caller: Caller,
    Name(id): Name<Uuid>,
    OptionalBody(body): OptionalBody<NoteBody>,
) -> Result<Json<Candidate>, Problem> {
    decide(&state, &caller, id, Decision::Approve, body).await
}

/// Reject a promotion.
#[utoipa::path(
    post, path = "/v1/promotions/{id}/reject", tag = "leaderboards", operation_id = "rejectPromotion", params(("id" = Uuid, Path)),
    request_body(content = ref("#/components/schemas/NoteBody"), content_type = "application/json"),
    responses((status = 200, description = "The proposal, decided.", body = ref("#/components/schemas/Candidate")))
)]
async fn reject_promotion(
    State(state): State<ApiState>,
    caller: Caller,
    Name(id): Name<Uuid>,
    OptionalBody(body): OptionalBody<NoteBody>,
) -> Result<Json<Candidate>, Problem> {
    decide(&state, &caller, id, Decision::Reject, body).await
}

async fn decide(
    state: &ApiState,
    caller: &Caller,
    id: Uuid,
    decision: Decision,
    body: NoteBody,
) -> Result<Json<Candidate>, Problem> {
    caller.need_platform(Scope::JobsManage)?;
    let note = body.checked()?;
    let mut tx = state.acting(caller).await?;
    let decided = decide_candidate(&mut tx, id, decision, &caller.name, note.as_deref()).await?;
    let decided = decided.ok_or_else(|| Problem::not_found("pending promotion"))?;
    let verb = match decision {
        Decision::Approve => "promotions.approve",
        Decision::Reject => "promotions.reject",
    };
    let subject = id.to_string();
    let action = Action {
        tenant: TenantId(decided.tenant_id),
        reason: note.as_deref(),
        ..Action::on_platform(verb, &subject)
    };
    audit::record(&mut tx, caller, action).await?;
    tx.commit().await?;
    Ok(Json(decided))
}
