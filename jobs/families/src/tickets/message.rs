//! What is said under a ticket, by the customer or by staff; and what that does to it.
//!
//! A customer's message ends the waiting, opens a resolved ticket again, and has it sorted anew; an answer of staff meets the
//! promise of one. The same external id twice under a ticket is the same message.

use fleet_queue::TenantId;
use fleet_queue::transitions::enqueue::enqueue;
use fleet_queue::{EnqueueOutcome, JobId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use uuid::Uuid;

use super::error::TicketError;
use super::hold::{Held, hold};
use super::intake::MessageText;
use crate::triage::{Ticket, keep};

/// Who says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Author {
    /// Whose question it is.
    Customer,
    /// Whoever answers.
    Staff,
}

impl Author {
    fn name(self) -> &'static str {
        match self {
            Self::Customer => "customer",
            Self::Staff => "staff",
        }
    }
}

/// A message to be added.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewMessage {
    /// Who says it.
    pub author: Author,
    /// What.
    pub body: String,
    /// Its own id elsewhere, as an e-mail's Message-ID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_id: Option<String>,
    /// With an answer of staff: whether the ticket now waits for the customer.
    #[serde(default)]
    pub waiting: bool,
}

/// What became of a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Said {
    /// The message.
    pub message_id: Uuid,
    /// The ticket's revision after it.
    pub revision: i32,
    /// Whether it was there already.
    pub duplicate: bool,
    /// The job that sorts the ticket anew, after a customer's message.
    pub job_id: Option<JobId>,
}

/// Adds a message. `None` where there is no such ticket.
pub async fn say(
    conn: &mut PgConnection,
    tenant: TenantId,
    ticket: Uuid,
    message: &NewMessage,
) -> Result<Option<Said>, TicketError> {
    MessageText::body(&message.body)?;
    MessageText::external("message_id", message.message_id.as_deref())?;
    if message.waiting && message.author == Author::Customer {
        return Err(TicketError::refused(
            "waiting",
            "a customer's message ends the waiting; only an answer of staff can begin it",
        ));
    }
    let Some(held) = hold(conn, tenant, ticket).await? else {
        return Ok(None);
    };
    if let Some(known) = known(conn, tenant, ticket, message.message_id.as_deref()).await? {
        return Ok(Some(Said {
            message_id: known,
            revision: held.revision,
            duplicate: true,
            job_id: None,
        }));
    }
    let message_id = insert(conn, tenant, ticket, message).await?;
    let (revision, job_id) = match message.author {
        Author::Customer => asked(conn, tenant, ticket, &held).await?,
        Author::Staff => (answered(conn, tenant, ticket, message.waiting).await?, None),
    };
    keep(conn, tenant, ticket, None).await?;
    Ok(Some(Said {
        message_id,
        revision,
        duplicate: false,
        job_id,
    }))
}

async fn known(
    conn: &mut PgConnection,
    tenant: TenantId,
    ticket: Uuid,
    external: Option<&str>,
) -> Result<Option<Uuid>, sqlx::Error> {
    let Some(external) = external else {
        return Ok(None);
    };
    sqlx::query_scalar!(
        r#"-- tickets.known_message
        SELECT message_id FROM fleet.ticket_messages WHERE tenant_id = $1 AND ticket_id = $2 AND external_id = $3 LIMIT 1"#,
        tenant.0,
        ticket,
        external,
    )
    .fetch_optional(conn)
    .await
}

async fn insert(
    conn: &mut PgConnection,
    tenant: TenantId,
    ticket: Uuid,
    message: &NewMessage,
) -> Result<Uuid, sqlx::Error> {
    sqlx::query_scalar!(
        r#"-- tickets.say
        INSERT INTO fleet.ticket_messages (tenant_id, message_id, ticket_id, author, body, external_id)
        VALUES ($1, $2, $3, $4, $5, $6)
        RETURNING message_id"#,
        tenant.0,
        Uuid::now_v7(),
        ticket,
        message.author.name(),
        message.body,
        message.message_id,
    )
    .fetch_one(conn)
    .await
}

async fn asked(
    conn: &mut PgConnection,
    tenant: TenantId,
    ticket: Uuid,
    held: &Held,
) -> Result<(i32, Option<JobId>), TicketError> {
    let revision = sqlx::query_scalar!(
        r#"-- tickets.asked
        UPDATE fleet.tickets
        SET revision = revision + 1, version = version + 1, waiting = false, closed_at = NULL,
            status = CASE status WHEN 'resolved' THEN 'open' ELSE status END
        WHERE tenant_id = $1 AND ticket_id = $2
        RETURNING revision"#,
        tenant.0,
        ticket,
    )
    .fetch_one(&mut *conn)
    .await?;
    debug_assert_eq!(revision, held.revision + 1, "its row is held");
    let job = Ticket {
        ticket_id: ticket,
        revision,
    }
    .new_job(tenant);
    let enqueued = enqueue(conn, &job).await?;
    if enqueued.outcome == EnqueueOutcome::QueueFull {
        return Err(TicketError::QueueFull(job.queue));
    }
    Ok((revision, Some(enqueued.id)))
}

async fn answered(
    conn: &mut PgConnection,
    tenant: TenantId,
    ticket: Uuid,
    waiting: bool,
) -> Result<i32, sqlx::Error> {
    sqlx::query_scalar!(
        r#"-- tickets.answered
        UPDATE fleet.tickets
        SET version = version + 1, waiting = $3 AND status <> 'resolved', first_response_at = COALESCE(first_response_at, GREATEST(fleet.clock(), opened_at)),
            status = CASE status WHEN 'open' THEN 'in_progress' ELSE status END
        WHERE tenant_id = $1 AND ticket_id = $2
        RETURNING revision"#,
        tenant.0,
        ticket,
        waiting,
    )
    .fetch_one(conn)
    .await
}
