//! Tickets: taken in, answered, decided about by people, and shown with why they were sorted as they were.
//!
//! Row-level security decides which exist: another tenant's ticket is not found, like one that does not exist.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use fleet_jobs::tickets::{
    Detail, Edit, Filter, Listed, NewMessage, Said, TicketError, edit, list, say, show,
};
use fleet_queue::{Job, TenantId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::PgConnection;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::audit::{self, Action};
use crate::auth::{Caller, Scope};
use crate::extract::{Body, Name, Params, cut_page, page_limit};
use crate::idempotency::Answer;
use crate::openapi::Schemas;
use crate::problem::Problem;
use crate::state::ApiState;
use crate::waking::wake_for;

pub(super) fn router() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(tickets))
        .routes(routes!(ticket, edit_ticket))
        .routes(routes!(say_in_ticket))
}

pub(super) fn schemas(schemas: &mut Schemas) {
    schemas.add::<TicketPage>().add::<Detail>();
    schemas.add::<Edit>().add::<NewMessage>().add::<Said>();
}

/// A word that a filter takes.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
enum StatusWord {
    /// All but the resolved.
    Live,
    Open,
    InProgress,
    Escalated,
    Resolved,
}

#[derive(Clone, Copy, Debug, Deserialize, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
enum PriorityWord {
    Low,
    Medium,
    High,
}

#[derive(Clone, Copy, Debug, Deserialize, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
enum WhoseWord {
    Tier1,
    Partner,
    Senior,
    Admin,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct TicketsQuery {
    /// Only those that stand so; `live` is all but the resolved.
    #[param(inline)]
    status: Option<StatusWord>,
    /// Only those so urgent.
    #[param(inline)]
    priority: Option<PriorityWord>,
    /// Only those about this.
    category: Option<String>,
    /// Only those that are theirs.
    #[param(inline)]
    assigned_to: Option<WhoseWord>,
    /// Only this client's.
    client_id: Option<Uuid>,
    /// Only this partner's.
    partner_id: Option<Uuid>,
    /// Only those that a person must look at, or only the others.
    needs_review: Option<bool>,
    /// Tickets a page, 1 to 200; 50 where left out.
    limit: Option<u8>,
    /// `next_cursor` of the page before.
    cursor: Option<Uuid>,
}

impl TicketsQuery {
    fn filter(&self, tenant: Option<TenantId>) -> Filter {
        Filter {
            tenant,
            status: self.status.map(word),
            priority: self.priority.map(word),
            category: self.category.clone(),
            assigned_to: self.assigned_to.map(word),
            client: self.client_id,
            partner: self.partner_id,
            needs_review: self.needs_review,
            before: self.cursor,
        }
    }
}

/// The word as serde writes it.
fn word(variant: impl Serialize) -> String {
    let value = serde_json::to_value(variant).unwrap_or_default();
    value.as_str().unwrap_or_default().to_owned()
}

/// A page of tickets.
#[derive(Debug, Serialize, JsonSchema)]
struct TicketPage {
    /// Newest first.
    tickets: Vec<Listed>,
    /// Give it back as `cursor` for the next page; none: this was the last.
    next_cursor: Option<Uuid>,
}

/// List tickets.
#[utoipa::path(
    get, path = "/v1/tickets", tag = "tickets", operation_id = "listTickets", params(TicketsQuery),
    responses((status = 200, description = "A page.", body = ref("#/components/schemas/TicketPage")))
)]
async fn tickets(
    State(state): State<ApiState>,
    caller: Caller,
    Params(query): Params<TicketsQuery>,
) -> Result<Json<TicketPage>, Problem> {
    caller.need(Scope::JobsRead)?;
    let limit = page_limit(query.limit)?;
    let mut tx = state.acting(&caller).await?;
    let mut tickets = list(&mut tx, &query.filter(caller.tenant), limit as i64 + 1).await?;
    tx.commit().await?;
    let next_cursor = cut_page(&mut tickets, limit, |last| last.ticket_id);
    Ok(Json(TicketPage {
        tickets,
        next_cursor,
    }))
}

/// Look at a ticket.
///
/// With what was said, what was promised, and why it was sorted as it was.
#[utoipa::path(
    get, path = "/v1/tickets/{id}", tag = "tickets", operation_id = "getTicket", params(("id" = Uuid, Path)),
    responses((status = 200, description = "The ticket.", body = ref("#/components/schemas/Detail")))
)]
async fn ticket(
    State(state): State<ApiState>,
    caller: Caller,
    Name(id): Name<Uuid>,
) -> Result<Json<Detail>, Problem> {
    caller.need(Scope::JobsRead)?;
    let mut tx = state.acting(&caller).await?;
    let found = show(&mut tx, id).await?;
    tx.commit().await?;
    found.map(Json).ok_or_else(|| Problem::not_found("ticket"))
}

/// Whose ticket it is, where the session may know of it.
async fn tenant_of(conn: &mut PgConnection, ticket: Uuid) -> Result<TenantId, Problem> {
    let tenant = sqlx::query_scalar!(
        r#"-- api.tenant_of_ticket
        SELECT tenant_id FROM fleet.tickets WHERE ticket_id = $1"#,
        ticket,
    )
    .fetch_optional(conn)
    .await?;
    let tenant = tenant.ok_or_else(|| Problem::not_found("ticket"))?;
    Ok(TenantId(tenant))
}

/// Decide about a ticket.
///
/// What a person sets stands: sorting never overwrites it, and a category becomes an example for the next training.
#[utoipa::path(
    patch, path = "/v1/tickets/{id}", tag = "tickets", operation_id = "editTicket", params(("id" = Uuid, Path)),
    request_body(content = ref("#/components/schemas/Edit"), content_type = "application/json"),
    responses(
        (status = 200, description = "The ticket, as it is now.", body = ref("#/components/schemas/Detail")),
        (status = 409, description = "It changed since the version that was looked at.", body = ref("#/components/schemas/Problem")),
    )
)]
async fn edit_ticket(
    State(state): State<ApiState>,
    caller: Caller,
    Name(id): Name<Uuid>,
    body: Body<Edit>,
) -> Result<Json<Detail>, Problem> {
    caller.need(Scope::JobsManage)?;
    let mut tx = state.acting(&caller).await?;
    let tenant = tenant_of(&mut tx, id).await?;
    let edited = edit(&mut tx, tenant, id, &body.value, &caller.name).await;
    edited
        .map_err(refusal)?
        .ok_or_else(|| Problem::not_found("ticket"))?;
    let subject = id.to_string();
    let action = Action {
        tenant,
        detail: Some(json!(body.value)),
        ..Action::on_platform("tickets.edit", &subject)
    };
    audit::record(&mut tx, &caller, action).await?;
    let found = show(&mut tx, id).await?;
    tx.commit().await?;
    found.map(Json).ok_or_else(|| Problem::not_found("ticket"))
}

/// Say something in a ticket.
///
/// A customer's message opens a resolved ticket again and has it sorted anew; an answer of staff meets the promise of one.
#[utoipa::path(
    post, path = "/v1/tickets/{id}/messages", tag = "tickets", operation_id = "sayInTicket", params(("id" = Uuid, Path)),
    request_body(content = ref("#/components/schemas/NewMessage"), content_type = "application/json"),
    responses(
        (status = 201, description = "It was added.", body = ref("#/components/schemas/Said")),
        (status = 200, description = "It was there: the same message_id.", body = ref("#/components/schemas/Said")),
    )
)]
async fn say_in_ticket(
    State(state): State<ApiState>,
    caller: Caller,
    Name(id): Name<Uuid>,
    body: Body<NewMessage>,
) -> Result<Answer, Problem> {
    caller.need_any(&[Scope::JobsManage, Scope::Ingest])?;
    let mut tx = state.acting(&caller).await?;
    let tenant = tenant_of(&mut tx, id).await?;
    let said = say(&mut tx, tenant, id, &body.value).await;
    let said = said
        .map_err(refusal)?
        .ok_or_else(|| Problem::not_found("ticket"))?;
    if !said.duplicate {
        let subject = id.to_string();
        let action = Action {
            tenant,
            detail: Some(json!({ "author": body.value.author, "message_id": said.message_id })),
            ..Action::on_platform("tickets.say", &subject)
        };
        audit::record(&mut tx, &caller, action).await?;
    }
    tx.commit().await?;
    if said.job_id.is_some() {
        let queue = fleet_jobs::triage::Ticket::policy().queue.to_owned();
        wake_for(&state.db, &[queue]).await;
    }
    let status = if said.duplicate {
        StatusCode::OK
    } else {
        StatusCode::CREATED
    };
    Ok(Answer::new(status, json!(said)))
}

/// What a refusal is in HTTP.
pub(super) fn refusal(error: TicketError) -> Problem {
    let detail = error.to_string();
    match error {
        TicketError::Refused { field, .. } => Problem::invalid(field, detail),
        TicketError::Changed { .. } => {
            Problem::new(StatusCode::CONFLICT, "changed", detail).field("version")
        }
        TicketError::QueueFull(queue) => Problem::queue_full(&queue),
        TicketError::Queue(error) => error.into(),
        TicketError::Database(error) => error.into(),
    }
}
