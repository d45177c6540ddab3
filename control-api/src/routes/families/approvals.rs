//! What software would do and a person decides: listed, approved, rejected, corrected.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use fleet_jobs::approval::{
    Approval, Choice, DecideError, Filter, Record, Status, decide, find, list, record,
};
use fleet_queue::TenantId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::audit::{self, Action};
use crate::auth::{Caller, Scope};
use crate::extract::{Body, Name, OptionalBody, Params, cut_page, page_limit};
use crate::openapi::Schemas;
use crate::problem::Problem;
use crate::state::ApiState;

/// Days that a record covers where nobody says how many.
const RECORD_DAYS: u16 = 90;
/// The most days that it can cover.
const RECORD_DAYS_MAX: u16 = 3650;
/// The longest note, in characters.
const NOTE_MAX: usize = 1000;

pub(super) fn router() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(approvals))
        .routes(routes!(approval_record))
        .routes(routes!(approval))
        .routes(routes!(approve))
        .routes(routes!(reject))
        .routes(routes!(correct))
}

pub(super) fn schemas(schemas: &mut Schemas) {
    schemas
        .add::<ApprovalPage>()
        .add::<ApprovalRecord>()
        .add::<DecisionBody>()
        .add::<CorrectionBody>();
}

#[derive(Clone, Copy, Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
enum Standing {
    Pending,
    Approved,
    Rejected,
    Corrected,
    Expired,
    Withdrawn,
}

impl From<Standing> for Status {
    fn from(it: Standing) -> Self {
        match it {
            Standing::Pending => Self::Pending,
            Standing::Approved => Self::Approved,
            Standing::Rejected => Self::Rejected,
            Standing::Corrected => Self::Corrected,
            Standing::Expired => Self::Expired,
            Standing::Withdrawn => Self::Withdrawn,
        }
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ApprovalsQuery {
    /// Only those that stand so.
    #[param(inline)]
    status: Option<Standing>,
    /// Only this kind of decision, such as `assignment`.
    decision: Option<String>,
    /// Only those about this client or ticket.
    subject: Option<Uuid>,
    /// Approvals a page, 1 to 200; 50 where left out.
    limit: Option<u8>,
    /// `next_cursor` of the page before.
    cursor: Option<Uuid>,
}

/// A page of approvals.
#[derive(Debug, Serialize, JsonSchema)]
struct ApprovalPage {
    /// Newest first.
    approvals: Vec<Approval>,
    /// Give it back as `cursor` for the next page; none: this was the last.
    next_cursor: Option<Uuid>,
}

/// List approvals.
#[utoipa::path(
    get, path = "/v1/approvals", tag = "approvals", operation_id = "listApprovals", params(ApprovalsQuery),
    responses((status = 200, description = "A page.", body = ref("#/components/schemas/ApprovalPage")))
)]
async fn approvals(
    State(state): State<ApiState>,
    caller: Caller,
    Params(query): Params<ApprovalsQuery>,
) -> Result<Json<ApprovalPage>, Problem> {
    caller.need_any(&[Scope::JobsRead, Scope::ApprovalsDecide])?;
    let limit = page_limit(query.limit)?;
    let filter = Filter {
        approval: None,
        status: query.status.map(Status::from),
        decision: query.decision.as_deref(),
        subject: query.subject,
    };
    let mut tx = state.acting(&caller).await?;
    let mut approvals = list(&mut tx, &filter, query.cursor, limit as i64 + 1).await?;
    tx.commit().await?;
    let next_cursor = cut_page(&mut approvals, limit, |last| last.approval_id);
    Ok(Json(ApprovalPage {
        approvals,
        next_cursor,
    }))
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct RecordQuery {
    /// Decided within so many days, 1 to 3650; 90 where left out.
    days: Option<u16>,
}

/// How people decided.
#[derive(Debug, Serialize, JsonSchema)]
struct ApprovalRecord {
    /// One line for each kind of decision.
    decisions: Vec<Record>,
}

/// See how people decided.
///
/// How often they overrule each kind of decision shows whether its threshold is right.
#[utoipa::path(
    get, path = "/v1/approvals/record", tag = "approvals", operation_id = "getApprovalRecord", params(RecordQuery),
    responses((status = 200, description = "Counts by kind of decision.", body = ref("#/components/schemas/ApprovalRecord")))
)]
async fn approval_record(
    State(state): State<ApiState>,
    caller: Caller,
    Params(query): Params<RecordQuery>,
) -> Result<Json<ApprovalRecord>, Problem> {
    caller.need_any(&[Scope::JobsRead, Scope::ApprovalsDecide])?;
    let days = query.days.unwrap_or(RECORD_DAYS);
    if !(1..=RECORD_DAYS_MAX).contains(&days) {
        let detail = format!("days is {days}; 1 to {RECORD_DAYS_MAX} can be asked for");
        return Err(Problem::malformed("days", detail));
    }
    let mut tx = state.acting(&caller).await?;
    let decisions = record(&mut tx, i32::from(days)).await?;
    tx.commit().await?;
    Ok(Json(ApprovalRecord { decisions }))
}

/// Look at an approval.
#[utoipa::path(
    get, path = "/v1/approvals/{id}", tag = "approvals", operation_id = "getApproval", params(("id" = Uuid, Path)),
    responses((status = 200, description = "The proposal, what it rests on, and what became of it.", body = ref("#/components/schemas/Approval")))
)]
async fn approval(
    State(state): State<ApiState>,
    caller: Caller,
    Name(id): Name<Uuid>,
) -> Result<Json<Approval>, Problem> {
    caller.need_any(&[Scope::JobsRead, Scope::ApprovalsDecide])?;
    let mut tx = state.acting(&caller).await?;
    let approval = find(&mut tx, id).await?;
    tx.commit().await?;
    let approval = approval.ok_or_else(|| Problem::not_found("approval"))?;
    Ok(Json(approval))
}

/// A person's decision.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct DecisionBody {
    /// Why; at most 1,000 characters.
    note: Option<String>,
    /// The revision that was looked at: where the proposal was replaced since, nothing is decided.
    revision: Option<i32>,
}

/// A person's decision to do something else.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct CorrectionBody {
    /// What to do instead, in the shape of the kind of decision: for `assignment` `{"partner_id": …}`, for `triage` the fields that change.
    correction: Value,
    /// Why; at most 1,000 characters.
    note: Option<String>,
    /// The revision that was looked at: where the proposal was replaced since, nothing is decided.
    revision: Option<i32>,
}

/// Approve a proposal.
///
/// The job that carries it out is enqueued with the decision.
#[utoipa::path(
    post, path = "/v1/approvals/{id}/approve", tag = "approvals", operation_id = "approveApproval", params(("id" = Uuid, Path)),
    request_body(content = ref("#/components/schemas/DecisionBody"), content_type = "application/json"),
    responses((status = 200, description = "The approval, decided.", body = ref("#/components/schemas/Approval")))
)]
async fn approve(
    State(state): State<ApiState>,
    caller: Caller,
    Name(id): Name<Uuid>,
    OptionalBody(body): OptionalBody<DecisionBody>,
) -> Result<Json<Approval>, Problem> {
    settle(&state, &caller, id, &Choice::Approve, body).await
}

/// Reject a proposal.
///
/// Nothing of it is done; what was reserved for it is released.
#[utoipa::path(
    post, path = "/v1/approvals/{id}/reject", tag = "approvals", operation_id = "rejectApproval", params(("id" = Uuid, Path)),
    request_body(content = ref("#/components/schemas/DecisionBody"), content_type = "application/json"),
    responses((status = 200, description = "The approval, decided.", body = ref("#/components/schemas/Approval")))
)]
async fn reject(
    State(state): State<ApiState>,
    caller: Caller,
    Name(id): Name<Uuid>,
    OptionalBody(body): OptionalBody<DecisionBody>,
) -> Result<Json<Approval>, Problem> {
    settle(&state, &caller, id, &Choice::Reject, body).await
}

/// Correct a proposal.
///
/// What the correction says is done instead.
#[utoipa::path(
    post, path = "/v1/approvals/{id}/correct", tag = "approvals", operation_id = "correctApproval", params(("id" = Uuid, Path)),
    request_body(content = ref("#/components/schemas/CorrectionBody"), content_type = "application/json"),
    responses((status = 200, description = "The approval, decided.", body = ref("#/components/schemas/Approval")))
)]
async fn correct(
    State(state): State<ApiState>,
    caller: Caller,
    Name(id): Name<Uuid>,
    body: Body<CorrectionBody>,
) -> Result<Json<Approval>, Problem> {
    let CorrectionBody {
        correction,
        note,
        revision,
    } = body.value;
    let body = DecisionBody { note, revision };
    settle(&state, &caller, id, &Choice::Correct(correction), body).await
}

async fn settle(
    state: &ApiState,
    caller: &Caller,
    id: Uuid,
    choice: &Choice,
    body: DecisionBody,
) -> Result<Json<Approval>, Problem> {
    caller.need(Scope::ApprovalsDecide)?;
    let note = body.note.as_deref();
    if note.is_some_and(|note| note.chars().count() > NOTE_MAX) {
        return Err(Problem::invalid("note", "note is over 1,000 characters"));
    }
    let mut tx = state.acting(caller).await?;
    let decided = decide(&mut tx, id, choice, body.revision, &caller.name, note).await;
    let decided = decided.map_err(refused)?;
    let subject = id.to_string();
    let action = Action {
        tenant: TenantId(decided.tenant_id),
        reason: note,
        ..Action::on_platform(choice.verb(), &subject)
    };
    audit::record(&mut tx, caller, action).await?;
    tx.commit().await?;
    Ok(Json(decided))
}

fn refused(error: DecideError) -> Problem {
    let detail = error.to_string();
    match error {
        DecideError::Unknown(_) => Problem::not_found("approval"),
        DecideError::Settled { .. } => Problem::new(StatusCode::CONFLICT, "settled", detail),
        DecideError::Replaced { .. } => {
            Problem::new(StatusCode::CONFLICT, "replaced", detail).field("revision")
        }
        DecideError::Correction(_) => Problem::invalid("correction", detail),
        DecideError::NotRun(_) => Problem::new(StatusCode::CONFLICT, "kind_not_run", detail),
        DecideError::Database(error) => error.into(),
    }
}
