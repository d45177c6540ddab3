//! Clients: in, one by one or many at once, each in one commit with the job that finds it a partner; looked at, and changed.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use fleet_jobs::acting::act_as;
use fleet_jobs::assignment::Auto;
use fleet_jobs::clients::{
    Client, ClientPatch, CreateError, Created, Fault, NewClient, change_client, create_client,
    list_clients,
};
use fleet_queue::transitions::enqueue::enqueue;
use fleet_queue::{EnqueueOutcome, Job, TenantId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::audit::{self, Action};
use crate::auth::{Caller, Identity, Scope};
use crate::extract::{Body, Items, Name, OneOrMany, Params, cut_page, fit, page_limit, parse};
use crate::idempotency::{self, Answer, IdempotencyKey, Use};
use crate::openapi::Schemas;
use crate::problem::Problem;
use crate::state::ApiState;
use crate::waking::wake_for;

/// Clients of a request.
const CLIENTS_MAX: usize = 1_000;

pub(super) fn router() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(clients))
        .routes(routes!(client, patch_client))
}

/// What takes much in.
pub(super) fn bulk() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(create_clients))
}

pub(super) fn schemas(schemas: &mut Schemas) {
    schemas
        .add::<NewClientBody>()
        .add::<ClientCreated>()
        .add::<ClientsAnswer>()
        .add::<Client>()
        .add::<ClientPage>()
        .add::<ClientPatch>();
}

/// A client to be taken in.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "describes what is read in two steps")]
struct NewClientBody {
    /// Whose it is; only a key of the platform may name another.
    tenant_id: Option<TenantId>,
    #[serde(flatten)]
    client: NewClient,
}

/// A client that was taken in.
#[derive(Serialize, JsonSchema)]
struct ClientCreated {
    /// Whose.
    tenant_id: TenantId,
    #[serde(flatten)]
    created: Created,
}

/// What became of many clients.
#[derive(Default, Serialize, JsonSchema)]
struct ClientsAnswer {
    /// Clients that were taken in.
    created: usize,
    /// Clients that were refused.
    errors: usize,
    /// One answer a client, in order.
    results: Vec<ClientItem>,
}

/// What became of one of them.
#[derive(Serialize, JsonSchema)]
struct ClientItem {
    /// Its place, from 0.
    index: usize,
    /// `created` or `error`.
    status: &'static str,
    /// The client.
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<Uuid>,
    /// The job that finds it a partner.
    #[serde(skip_serializing_if = "Option::is_none")]
    job_id: Option<Uuid>,
    /// Why it was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<ClientItemError>,
}

/// Why a client was refused; as in a problem.
#[derive(Serialize, JsonSchema)]
struct ClientItemError {
    /// Stable, for programs.
    code: &'static str,
    /// What was wrong with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<String>,
    /// In words.
    detail: String,
}

/// Take clients in.
///
/// One, or an array of at most 1,000: those that are refused are named with their index, the others are taken in, all in one commit.
/// Each comes with the job that finds it a partner.
#[utoipa::path(
    post, path = "/v1/clients", tag = "clients", operation_id = "createClients",
    params(("Idempotency-Key" = Option<String>, Header, description = "The same key and body again get the stored answer.")),
    request_body(content = ref("#/components/schemas/NewClientBody"), content_type = "application/json", description = "One, or an array of them."),
    responses(
        (status = 201, description = "It was taken in.", body = ref("#/components/schemas/ClientCreated")),
        (status = 200, description = "To an array: an answer for each.", body = ref("#/components/schemas/ClientsAnswer")),
        (status = 409, description = "There is a client of that id.", body = ref("#/components/schemas/Problem")),
    )
)]
async fn create_clients(
    State(state): State<ApiState>,
    caller: Caller,
    IdempotencyKey(key): IdempotencyKey,
    sent: OneOrMany,
) -> Result<Answer, Problem> {
    caller.need(Scope::Ingest)?;
    let mut tx = state.acting(&caller).await?;
    let used = key.as_deref().map(|key| Use {
        tenant: caller.tenant.unwrap_or(TenantId::PLATFORM),
        key,
        route: "createClients",
        body_sha256: &sent.sha256,
    });
    if let Some(used) = &used
        && let Some(answer) =
            idempotency::take(&mut tx, used, state.settings.idempotency_kept).await?
    {
        return Ok(answer);
    }
    let answer = match &sent.items {
        Items::One(item) => {
            let created = admit(&mut tx, &caller, item).await?;
            Answer::new(StatusCode::CREATED, json!(created))
        }
        Items::Many(items) => {
            let answer = admit_each(&mut tx, &caller, items).await?;
            Answer::new(StatusCode::OK, json!(answer))
        }
    };
    act_as(&mut tx, &caller.sees()).await?;
    if let Some(used) = &used {
        idempotency::keep(&mut tx, used, &answer).await?;
    }
    tx.commit().await?;
    wake_for(&state.db, &[Auto::policy().queue.to_owned()]).await;
    Ok(answer)
}

/// Takes one in: as it came, read and judged for itself.
async fn admit(
    tx: &mut PgConnection,
    who: &Identity,
    item: &RawValue,
) -> Result<ClientCreated, Problem> {
    let (tenant, client) = read(who, item)?;
    act_as(tx, &tenant.to_string()).await?;
    let created = create_client(tx, tenant, &client).await.map_err(refused)?;
    let subject = created.client_id.to_string();
    let action = Action {
        tenant,
        ..Action::on_platform("clients.create", &subject)
    };
    audit::record(tx, who, action).await?;
    Ok(ClientCreated {
        tenant_id: tenant,
        created,
    })
}

/// Takes in those that can be; what is wrong with one costs no other.
async fn admit_each(
    tx: &mut PgConnection,
    who: &Identity,
    items: &[Box<RawValue>],
) -> Result<ClientsAnswer, Problem> {
    if !(1..=CLIENTS_MAX).contains(&items.len()) {
        let detail = format!(
            "has {} clients, 1 to {CLIENTS_MAX} are allowed",
            items.len()
        );
        return Err(Problem::invalid("body", detail));
    }
    let mut answer = ClientsAnswer::default();
    for (index, item) in items.iter().enumerate() {
        let mut savepoint = tx.begin().await?;
        let item = match admit(&mut savepoint, who, item).await {
            Ok(made) => {
                savepoint.commit().await?;
                answer.created += 1;
                ClientItem {
                    index,
                    status: "created",
                    client_id: Some(made.created.client_id),
                    job_id: made.created.job_id,
                    error: None,
                }
            }
            Err(problem) if problem.is_outage() => return Err(problem),
            Err(problem) => {
                savepoint.rollback().await?;
                answer.errors += 1;
                ClientItem {
                    index,
                    status: "error",
                    client_id: None,
                    job_id: None,
                    error: Some(ClientItemError {
                        code: problem.code,
                        field: problem.field,
                        detail: problem.detail,
                    }),
                }
            }
        };
        answer.results.push(item);
    }
    Ok(answer)
}

fn read(who: &Identity, item: &RawValue) -> Result<(TenantId, NewClient), Problem> {
    let mut value: Value = parse(item.get().as_bytes())?;
    let named = value
        .as_object_mut()
        .and_then(|object| object.remove("tenant_id"));
    let named: Option<TenantId> = match named {
        None | Some(Value::Null) => None,
        Some(named) => Some(fit(named).map_err(|problem| problem.field("tenant_id"))?),
    };
    let tenant = who.tenant_for(named)?;
    if tenant == TenantId::PLATFORM {
        let detail = "a key of the platform says whose client it is";
        return Err(Problem::invalid("tenant_id", detail));
    }
    let client: NewClient = fit(value)?;
    client.check().map_err(at_fault)?;
    Ok((tenant, client))
}

fn at_fault(fault: Fault) -> Problem {
    Problem::invalid(fault.field, fault.problem)
}

fn refused(error: CreateError) -> Problem {
    let detail = error.to_string();
    match error {
        CreateError::Exists(_) => {
            Problem::new(StatusCode::CONFLICT, "client_exists", detail).field("client_id")
        }
        CreateError::QueueFull(queue) => Problem::queue_full(&queue),
        CreateError::Queue(error) => error.into(),
        CreateError::Database(error) => error.into(),
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ClientsQuery {
    /// Only those of that id, or that name.
    called: Option<String>,
    /// Clients a page, 1 to 200; 50 where left out.
    limit: Option<u8>,
    /// `next_cursor` of the page before.
    cursor: Option<Uuid>,
}

/// A page of clients.
#[derive(Debug, Serialize, JsonSchema)]
struct ClientPage {
    /// In the order of their ids.
    clients: Vec<Client>,
    /// Give it back as `cursor` for the next page; none: this was the last.
    next_cursor: Option<Uuid>,
}

/// List clients.
#[utoipa::path(
    get, path = "/v1/clients", tag = "clients", operation_id = "listClients", params(ClientsQuery),
    responses((status = 200, description = "A page.", body = ref("#/components/schemas/ClientPage")))
)]
async fn clients(
    State(state): State<ApiState>,
    caller: Caller,
    Params(query): Params<ClientsQuery>,
) -> Result<Json<ClientPage>, Problem> {
    caller.need(Scope::JobsRead)?;
    let limit = page_limit(query.limit)?;
    let mut tx = state.acting(&caller).await?;
    let mut clients = list_clients(
        &mut tx,
        query.called.as_deref(),
        query.cursor,
        limit as i64 + 1,
    )
    .await?;
    tx.commit().await?;
    let next_cursor = cut_page(&mut clients, limit, |client| client.client_id);
    Ok(Json(ClientPage {
        clients,
        next_cursor,
    }))
}

/// Look at a client.
#[utoipa::path(
    get, path = "/v1/clients/{id}", tag = "clients", operation_id = "getClient", params(("id" = Uuid, Path)),
    responses((status = 200, description = "The client, and who looks after it.", body = ref("#/components/schemas/Client")))
)]
async fn client(
    State(state): State<ApiState>,
    caller: Caller,
    Name(id): Name<Uuid>,
) -> Result<Json<Client>, Problem> {
    caller.need(Scope::JobsRead)?;
    let mut tx = state.acting(&caller).await?;
    let found = one(&mut tx, id).await?;
    tx.commit().await?;
    Ok(Json(found))
}

/// The client of that id. Tenants choose ids for themselves, so that to a key of the platform there may be two of one id.
async fn one(conn: &mut PgConnection, id: Uuid) -> Result<Client, Problem> {
    let mut found = list_clients(conn, Some(&id.to_string()), None, 2).await?;
    match (found.pop(), found.pop()) {
        (Some(client), None) => Ok(client),
        (None, _) => Err(Problem::not_found("client")),
        (Some(_), Some(_)) => {
            let detail = format!("several tenants have a client {id}: use a key of its tenant");
            Err(Problem::new(StatusCode::CONFLICT, "ambiguous", detail).field("id"))
        }
    }
}

/// Change a client.
///
/// One that nobody looks after is looked at anew; one that has a partner keeps it, at the weight at which it was taken, unless it is closed.
#[utoipa::path(
    patch, path = "/v1/clients/{id}", tag = "clients", operation_id = "changeClient", params(("id" = Uuid, Path)),
    request_body(content = ref("#/components/schemas/ClientPatch"), content_type = "application/json"),
    responses((status = 200, description = "The client as it is now.", body = ref("#/components/schemas/Client")))
)]
async fn patch_client(
    State(state): State<ApiState>,
    caller: Caller,
    Name(id): Name<Uuid>,
    body: Body<ClientPatch>,
) -> Result<Json<Client>, Problem> {
    caller.need(Scope::Ingest)?;
    body.value.check().map_err(at_fault)?;
    let mut tx = state.acting(&caller).await?;
    let tenant = TenantId(one(&mut tx, id).await?.tenant_id);
    if !change_client(&mut tx, tenant, id, &body.value).await? {
        return Err(Problem::not_found("client"));
    }
    let job = Auto::of(id).new_job(tenant);
    if enqueue(&mut tx, &job).await?.outcome == EnqueueOutcome::QueueFull {
        return Err(Problem::queue_full(&job.queue));
    }
    let subject = id.to_string();
    let action = Action {
        tenant,
        ..Action::on_platform("clients.change", &subject)
    };
    audit::record(&mut tx, &caller, action).await?;
    let changed = one(&mut tx, id).await?;
    tx.commit().await?;
    wake_for(&state.db, &[Auto::policy().queue.to_owned()]).await;
    Ok(Json(changed))
}
