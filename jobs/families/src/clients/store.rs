//! Clients into the database, each with the job that finds it a partner, in one transaction: neither is ever there without the other.

use fleet_queue::transitions::enqueue::enqueue_many;
use fleet_queue::{EnqueueOutcome, JobId, NewJob, TenantId};
use schemars::JsonSchema;
use serde::Serialize;
use sqlx::PgConnection;
use uuid::Uuid;

use super::new_client::{NewClient, Status};
use crate::assignment::Auto;

/// A client that came in.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Created {
    /// Its id.
    pub client_id: Uuid,
    /// The job that finds it a partner; absent where it is closed.
    pub job_id: Option<Uuid>,
}

/// Why clients were not taken in.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// There is one of that id.
    #[error("client_id: there is a client {0} already")]
    Exists(Uuid),
    /// The jobs have no place.
    #[error("queue \"{0}\" is full; send the client again later")]
    QueueFull(String),
    /// The jobs were refused.
    #[error("the job that finds a partner could not be enqueued")]
    Queue(#[from] fleet_queue::Error),
    /// The database did not carry it out.
    #[error("the database did not carry it out")]
    Database(#[from] sqlx::Error),
}

/// How many came in, and how many were there before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Stored {
    pub(super) created: u64,
    pub(super) updated: u64,
}

/// Takes one client in. It was checked.
pub async fn create_client(
    conn: &mut PgConnection,
    tenant: TenantId,
    client: &NewClient,
) -> Result<Created, CreateError> {
    let client = NewClient {
        client_id: Some(client.client_id.unwrap_or_else(Uuid::now_v7)),
        ..client.clone()
    };
    let id = client.client_id.unwrap_or_default();
    let stored = write(conn, tenant, std::slice::from_ref(&client), false).await?;
    if stored.created == 0 {
        return Err(CreateError::Exists(id));
    }
    if client.status == Some(Status::Closed) {
        return Ok(Created {
            client_id: id,
            job_id: None,
        });
    }
    let jobs = ask(conn, tenant, std::slice::from_ref(&client)).await?;
    Ok(Created {
        client_id: id,
        job_id: jobs.first().map(|job| job.0),
    })
}

/// Takes many clients in, each with an id; one that is there already becomes what is sent.
pub(super) async fn put_clients(
    conn: &mut PgConnection,
    tenant: TenantId,
    clients: &[NewClient],
) -> Result<Stored, CreateError> {
    let stored = write(conn, tenant, clients, true).await?;
    ask(conn, tenant, clients).await?;
    Ok(stored)
}

/// The jobs that find them partners. For one that was closed it is the job that gives back what it has.
async fn ask(
    conn: &mut PgConnection,
    tenant: TenantId,
    clients: &[NewClient],
) -> Result<Vec<JobId>, CreateError> {
    let jobs: Vec<NewJob> = clients
        .iter()
        .filter_map(|client| Some(Auto::of(client.client_id?).new_job(tenant)))
        .collect();
    if jobs.is_empty() {
        return Ok(Vec::new());
    }
    let enqueued = enqueue_many(conn, &jobs).await?;
    if enqueued
        .iter()
        .any(|it| it.outcome == EnqueueOutcome::QueueFull)
    {
        return Err(CreateError::QueueFull(jobs[0].queue.clone()));
    }
    Ok(enqueued.into_iter().map(|it| it.id).collect())
}

async fn write(
    conn: &mut PgConnection,
    tenant: TenantId,
    clients: &[NewClient],
    replace: bool,
) -> Result<Stored, sqlx::Error> {
    // As JSON, because a list of lists has no shape of its own here.
    let rows = serde_json::to_value(clients).expect("plain fields");
    let written = sqlx::query!(
        r#"-- clients.write
        WITH sent AS (
            SELECT r.*
            FROM jsonb_to_recordset($2) AS r (client_id uuid, name text, active_since date, status text, plan text, monthly_budget_micros bigint,
                industry text, channels text[], languages text[], region text, exclusive boolean, zone text)
        ), written AS (
            INSERT INTO fleet.clients AS c
                (tenant_id, client_id, name, active_since, status, plan, monthly_budget_micros, industry, channels, languages, region, exclusive, zone)
            SELECT $1, client_id, name, COALESCE(active_since, fleet.clock()::date), COALESCE(status, 'active'), COALESCE(plan, 'standard'),
                   COALESCE(monthly_budget_micros, 0), industry, channels, languages, region, exclusive, COALESCE(zone, 'UTC')
            FROM sent
            ORDER BY client_id
            ON CONFLICT (tenant_id, client_id) DO UPDATE
            SET name = excluded.name, status = excluded.status, plan = excluded.plan, monthly_budget_micros = excluded.monthly_budget_micros,
                industry = excluded.industry, channels = excluded.channels, languages = excluded.languages, region = excluded.region,
                exclusive = excluded.exclusive, zone = excluded.zone
            WHERE $3
            RETURNING xmax = 0 AS made
        )
        SELECT count(*) FILTER (WHERE made) AS "created!", count(*) FILTER (WHERE NOT made) AS "updated!" FROM written"#,
        tenant.0,
        rows,
        replace,
    )
    .fetch_one(conn)
    .await?;
    Ok(Stored {
        created: written.created as u64,
        updated: written.updated as u64,
    })
}
