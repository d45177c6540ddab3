//! POST /v1/tickets: one ticket as an object, or up to a thousand as an array; each with its first message and its job.
//!
//! All in one commit, which the answer follows. Of an array, bad items are named with their place and the good ones are made.

use std::collections::BTreeMap;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use fleet_jobs::tickets::{Created, NewTicket, TICKETS_MAX, create};
use fleet_queue::{Job, JobId, TenantId};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::tickets::refusal;
use crate::audit::{self, Action};
use crate::auth::{Caller, Identity, Scope};
use crate::extract::{fit, parse};
use crate::idempotency::Answer;
use crate::openapi::Schemas;
use crate::problem::Problem;
use crate::state::ApiState;
use crate::waking::wake_for;

pub(super) fn router() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(create_tickets))
}

pub(super) fn schemas(schemas: &mut Schemas) {
    schemas.add::<TicketsBody>().add::<TicketsAnswer>();
    schemas.add::<Created>();
}

/// A ticket, with whose it is where the key is the platform's.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "describes what `read` takes apart")]
struct TicketBody {
    /// Whose it is; left out: the key's tenant.
    tenant_id: Option<TenantId>,
    #[schemars(flatten)]
    ticket: NewTicket,
}

/// One ticket, or an array of at most 1,000.
#[derive(JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "describes what is read item by item")]
enum TicketsBody {
    One(TicketBody),
    Many(Vec<TicketBody>),
}

/// What became of an array of tickets.
#[derive(Debug, Default, Serialize, JsonSchema)]
struct TicketsAnswer {
    /// Tickets that are new.
    created: usize,
    /// Tickets that were there: the same external_id.
    duplicates: usize,
    /// Tickets that were refused.
    errors: usize,
    /// One answer a ticket, in order.
    results: Vec<TicketAnswer>,
}

/// What became of one ticket.
#[derive(Debug, Serialize, JsonSchema)]
struct TicketAnswer {
    /// Its place in the array, from 0.
    index: usize,
    /// created, duplicate or error.
    status: &'static str,
    /// The ticket.
    #[serde(skip_serializing_if = "Option::is_none")]
    ticket_id: Option<Uuid>,
    /// The job that sorts it.
    #[serde(skip_serializing_if = "Option::is_none")]
    job_id: Option<JobId>,
    /// Why it was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<TicketFault>,
}

/// Why one ticket of an array was refused; as in a problem.
#[derive(Debug, Serialize, JsonSchema)]
struct TicketFault {
    /// Stable, for programs.
    code: &'static str,
    /// What was wrong with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<String>,
    /// In words.
    detail: String,
}

/// Take tickets in.
///
/// Each ticket's row, first message and job are one commit. The same external_id again is the same ticket.
#[utoipa::path(
    post, path = "/v1/tickets", tag = "tickets", operation_id = "createTickets",
    request_body(content = ref("#/components/schemas/TicketsBody"), content_type = "application/json"),
    responses(
        (status = 201, description = "The one ticket was made.", body = ref("#/components/schemas/Created")),
        (status = 200, description = "The one ticket was there; or, for an array, an answer for each.", body = ref("#/components/schemas/TicketsAnswer")),
    )
)]
async fn create_tickets(
    State(state): State<ApiState>,
    caller: Caller,
    bytes: Bytes,
) -> Result<Answer, Problem> {
    caller.need_any(&[Scope::JobsEnqueue, Scope::Ingest])?;
    caller.need_kind(fleet_jobs::triage::Ticket::KIND)?;
    if bytes.trim_ascii_start().first() != Some(&b'[') {
        let one = read(&caller, &bytes)?;
        let mut outcomes = take(&state, &caller, vec![Ok(one)]).await?;
        let created = outcomes.pop().expect("one answer")?;
        let status = if created.duplicate {
            StatusCode::OK
        } else {
            StatusCode::CREATED
        };
        return Ok(Answer::new(status, json!(created)));
    }
    let items: Vec<Box<RawValue>> = serde_json::from_slice(&bytes).map_err(|error| {
        let detail = format!("the body is not JSON: {error}");
        Problem::new(StatusCode::BAD_REQUEST, "malformed_json", detail)
    })?;
    if !(1..=TICKETS_MAX).contains(&items.len()) {
        let detail = format!(
            "has {} tickets, 1 to {TICKETS_MAX} are allowed",
            items.len()
        );
        return Err(Problem::invalid("body", detail));
    }
    let items = items
        .iter()
        .map(|item| read(&caller, item.get().as_bytes()));
    let outcomes = take(&state, &caller, items.collect()).await?;
    Ok(Answer::new(StatusCode::OK, json!(answer(outcomes))))
}

/// One ticket; the fields are checked by name, `tenant_id` beside them.
fn read(who: &Identity, bytes: &[u8]) -> Result<(TenantId, NewTicket), Problem> {
    let mut fields: Map<String, Value> = parse(bytes)?;
    let named = fields.remove("tenant_id").unwrap_or_default();
    let named: Option<TenantId> = serde_json::from_value(named)
        .map_err(|_| Problem::invalid("tenant_id", "must be a UUID"))?;
    let ticket = fit(Value::Object(fields))?;
    Ok((who.tenant_for(named)?, ticket))
}

type Read = Result<(TenantId, NewTicket), Problem>;

/// Stores the good ones, tenant by tenant, in one transaction; answers in their order.
async fn take(
    state: &ApiState,
    caller: &Caller,
    items: Vec<Read>,
) -> Result<Vec<Result<Created, Problem>>, Problem> {
    let mut by_tenant: BTreeMap<TenantId, Vec<(usize, NewTicket)>> = BTreeMap::new();
    let mut answers: Vec<Option<Result<Created, Problem>>> = Vec::new();
    for (place, item) in items.into_iter().enumerate() {
        answers.push(match item {
            Ok((tenant, ticket)) => {
                by_tenant.entry(tenant).or_default().push((place, ticket));
                None
            }
            Err(problem) => Some(Err(problem)),
        });
    }
    let mut tx = state.acting(caller).await?;
    for (tenant, placed) in by_tenant {
        let (places, tickets): (Vec<_>, Vec<_>) = placed.into_iter().unzip();
        let outcomes = create(&mut tx, tenant, &tickets).await.map_err(refusal)?;
        let made: Vec<JobId> = outcomes
            .iter()
            .flatten()
            .filter_map(|it| it.job_id)
            .collect();
        if let Some(first) = made.first() {
            let mut action = Action::on_job("tickets.create", tenant, first);
            action.jobs = &made;
            audit::record(&mut tx, caller, action).await?;
        }
        for (place, outcome) in places.into_iter().zip(outcomes) {
            answers[place] = Some(outcome.map_err(refusal));
        }
    }
    tx.commit().await?;
    let queue = fleet_jobs::triage::Ticket::policy().queue.to_owned();
    wake_for(&state.db, &[queue]).await;
    let all = answers.into_iter();
    Ok(all
        .map(|it| it.expect("each was refused or stored"))
        .collect())
}

fn answer(outcomes: Vec<Result<Created, Problem>>) -> TicketsAnswer {
    let mut answer = TicketsAnswer::default();
    for (index, outcome) in outcomes.into_iter().enumerate() {
        let (status, ticket_id, job_id, error) = match outcome {
            Ok(it) if it.duplicate => ("duplicate", Some(it.ticket_id), None, None),
            Ok(it) => ("created", Some(it.ticket_id), it.job_id, None),
            Err(problem) => {
                let fault = TicketFault {
                    code: problem.code,
                    field: problem.field,
                    detail: problem.detail,
                };
                ("error", None, None, Some(fault))
            }
        };
        match status {
            "created" => answer.created += 1,
            "duplicate" => answer.duplicates += 1,
            _ => answer.errors += 1,
        }
        answer.results.push(TicketAnswer {
            index,
            status,
            ticket_id,
            job_id,
            error,
        });
    }
    answer
}
