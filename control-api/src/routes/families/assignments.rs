//! Assignments: which partner looks after which client and why, who waits, and a person's own choice.
//!
//! Row-level security decides which of them a key sees: its tenant's, or all. To choose by hand takes a key of the platform, because
//! partners are everybody's.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use fleet_jobs::assignment::{
    Assignment, ByHand, ByHandError, ClientError, Decided, Made, Waiting, Wanted, assign_by_hand,
    list_assignments, list_decisions, list_waiting,
};
use fleet_queue::TenantId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::audit::{self, Action};
use crate::auth::{Caller, Scope};
use crate::extract::{Body, Name, Params, cut_page, page_limit};
use crate::openapi::Schemas;
use crate::problem::Problem;
use crate::state::ApiState;

/// Decisions that a client's story shows.
const DECISIONS: i64 = 100;

pub(super) fn router() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(assignments, assign))
        .routes(routes!(waitlist))
        .routes(routes!(decisions))
}

pub(super) fn schemas(schemas: &mut Schemas) {
    schemas
        .add::<AssignmentPage>()
        .add::<WaitlistPage>()
        .add::<Decisions>()
        .add::<AssignBody>()
        .add::<Made>();
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct AssignmentsQuery {
    /// Only this client's.
    client_id: Option<Uuid>,
    /// Only this partner's.
    partner_id: Option<Uuid>,
    /// Those that ended, too.
    #[serde(default)]
    ended: bool,
    /// Assignments a page, 1 to 200; 50 where left out.
    limit: Option<u8>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// A page of assignments.
#[derive(Debug, Serialize, JsonSchema)]
struct AssignmentPage {
    /// Latest first.
    assignments: Vec<Assignment>,
    /// Give it back as `cursor` for the next page; none: this was the last.
    next_cursor: Option<String>,
}

/// List assignments.
///
/// Each with its rationale: the filters, the candidates with the parts of their scores, and a summary in words.
#[utoipa::path(
    get, path = "/v1/assignments", tag = "assignments", operation_id = "listAssignments", params(AssignmentsQuery),
    responses((status = 200, description = "A page.", body = ref("#/components/schemas/AssignmentPage")))
)]
async fn assignments(
    State(state): State<ApiState>,
    caller: Caller,
    Params(query): Params<AssignmentsQuery>,
) -> Result<Json<AssignmentPage>, Problem> {
    caller.need(Scope::JobsRead)?;
    let limit = page_limit(query.limit)?;
    let wanted = Wanted {
        client: query.client_id,
        partner: query.partner_id,
        ended: query.ended,
        before: query.cursor.as_deref().map(place).transpose()?,
    };
    let mut tx = state.acting(&caller).await?;
    let mut assignments = list_assignments(&mut tx, &wanted, limit as i64 + 1).await?;
    tx.commit().await?;
    let next_cursor = cut_page(&mut assignments, limit, |it| {
        cursor(it.started_at, it.assignment_id)
    });
    Ok(Json(AssignmentPage {
        assignments,
        next_cursor,
    }))
}

/// A place in a list by time: microseconds and an id.
fn cursor(at: DateTime<Utc>, id: Uuid) -> String {
    format!("{}.{id}", at.timestamp_micros())
}

fn place(cursor: &str) -> Result<(DateTime<Utc>, Uuid), Problem> {
    let parts = cursor.split_once('.').and_then(|(at, id)| {
        let at = DateTime::from_timestamp_micros(at.parse().ok()?)?;
        Some((at, id.parse().ok()?))
    });
    parts.ok_or_else(|| Problem::malformed("cursor", "is none that a page before gave"))
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct WaitlistQuery {
    /// Clients a page, 1 to 200; 50 where left out.
    limit: Option<u8>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// A page of the waitlist.
#[derive(Debug, Serialize, JsonSchema)]
struct WaitlistPage {
    /// Those that wait longest first.
    waiting: Vec<Waiting>,
    /// Give it back as `cursor` for the next page; none: this was the last.
    next_cursor: Option<String>,
}

/// List clients that no partner can take.
#[utoipa::path(
    get, path = "/v1/assignments/waitlist", tag = "assignments", operation_id = "listWaitlist", params(WaitlistQuery),
    responses((status = 200, description = "A page.", body = ref("#/components/schemas/WaitlistPage")))
)]
async fn waitlist(
    State(state): State<ApiState>,
    caller: Caller,
    Params(query): Params<WaitlistQuery>,
) -> Result<Json<WaitlistPage>, Problem> {
    caller.need(Scope::JobsRead)?;
    let limit = page_limit(query.limit)?;
    let after = query.cursor.as_deref().map(place).transpose()?;
    let mut tx = state.acting(&caller).await?;
    let mut waiting = list_waiting(&mut tx, after, limit as i64 + 1).await?;
    tx.commit().await?;
    let next_cursor = cut_page(&mut waiting, limit, |it| cursor(it.since, it.client_id));
    Ok(Json(WaitlistPage {
        waiting,
        next_cursor,
    }))
}

/// What was decided on a client.
#[derive(Debug, Serialize, JsonSchema)]
struct Decisions {
    /// Latest first, at most 100.
    decisions: Vec<Decided>,
}

/// Show what was decided on a client.
#[utoipa::path(
    get, path = "/v1/clients/{id}/decisions", tag = "assignments", operation_id = "listClientDecisions", params(("id" = Uuid, Path)),
    responses((status = 200, description = "Each decision with its rationale.", body = ref("#/components/schemas/Decisions")))
)]
async fn decisions(
    State(state): State<ApiState>,
    caller: Caller,
    Name(id): Name<Uuid>,
) -> Result<Json<Decisions>, Problem> {
    caller.need(Scope::JobsRead)?;
    let mut tx = state.acting(&caller).await?;
    let decisions = list_decisions(&mut tx, id, DECISIONS).await?;
    tx.commit().await?;
    if decisions.is_empty() {
        return Err(Problem::not_found("decision on such a client"));
    }
    Ok(Json(Decisions { decisions }))
}

/// A person's choice.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct AssignBody {
    /// Whose client; needed only where several tenants have one of that id.
    tenant_id: Option<TenantId>,
    /// The client.
    client_id: Uuid,
    /// Who shall look after it.
    partner_id: Uuid,
    /// Why, in 1 to 1,000 characters.
    #[schemars(length(min = 1, max = 1000))]
    reason: String,
    /// Even beyond what the partner takes.
    #[serde(default)]
    manual_overload: bool,
}

/// Assign a client by hand.
///
/// It takes effect at once, and ends what was there or was proposed. It may go beyond the partner's cap if it says so.
#[utoipa::path(
    post, path = "/v1/assignments", tag = "assignments", operation_id = "assignClient",
    request_body(content = ref("#/components/schemas/AssignBody"), content_type = "application/json"),
    responses(
        (status = 201, description = "It is so.", body = ref("#/components/schemas/Made")),
        (status = 404, description = "There is no such client.", body = ref("#/components/schemas/Problem")),
        (status = 409, description = "The partner is full, or has the client already.", body = ref("#/components/schemas/Problem")),
    )
)]
async fn assign(
    State(state): State<ApiState>,
    caller: Caller,
    body: Body<AssignBody>,
) -> Result<(StatusCode, Json<Made>), Problem> {
    caller.need_platform(Scope::JobsManage)?;
    let wish = body.value;
    let mut tx = state.acting(&caller).await?;
    let by_hand = ByHand {
        tenant: wish.tenant_id.unwrap_or(TenantId::PLATFORM),
        client: wish.client_id,
        partner: wish.partner_id,
        reason: &wish.reason,
        overload: wish.manual_overload,
        by: &caller.name,
    };
    let made = assign_by_hand(&mut tx, &by_hand).await.map_err(refused)?;
    let subject = wish.client_id.to_string();
    let action = Action {
        tenant: TenantId(made.tenant_id),
        reason: Some(&wish.reason),
        detail: Some(
            json!({ "partner_id": wish.partner_id, "from": made.from, "manual_overload": made.manual_overload }),
        ),
        ..Action::on_platform("assignments.assign", &subject)
    };
    audit::record(&mut tx, &caller, action).await?;
    tx.commit().await?;
    Ok((StatusCode::CREATED, Json(made)))
}

fn refused(error: ByHandError) -> Problem {
    let detail = error.to_string();
    match error {
        ByHandError::Database(error) => error.into(),
        ByHandError::Reason => Problem::invalid("reason", detail),
        ByHandError::Client(ClientError::Ambiguous(_)) => Problem::invalid("tenant_id", detail),
        ByHandError::Client(_) => Problem::not_found("client"),
        ByHandError::Partner(_) => Problem::invalid("partner_id", detail),
        ByHandError::Full(_) => {
            Problem::new(StatusCode::CONFLICT, "partner_full", detail).field("partner_id")
        }
        ByHandError::Needless(_) => {
            Problem::new(StatusCode::CONFLICT, "needless", detail).field("client_id")
        }
        ByHandError::Settings(_) => Problem::new(StatusCode::CONFLICT, "settings_unusable", detail),
    }
}
