//! New tickets: each with its first message and the job that sorts it, in one transaction. A bad one spoils no good one.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, TimeDelta, Utc};
use fleet_queue::transitions::enqueue::enqueue_many;
use fleet_queue::{EnqueueOutcome, JobId, NewJob, TenantId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use uuid::Uuid;

use super::error::TicketError;
use crate::triage::Ticket;

/// Tickets that are taken at once.
pub const TICKETS_MAX: usize = 1_000;
/// Longest subject and longest message, in characters.
const SUBJECT_MAX: usize = 500;
const BODY_MAX: usize = 100_000;
/// How far back a ticket may have been opened, and how far a portal's clock may be ahead.
const OLDEST: TimeDelta = TimeDelta::days(3_650);
const AHEAD: TimeDelta = TimeDelta::minutes(5);

/// A ticket to be taken in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewTicket {
    /// Whose question it is.
    pub client_id: Uuid,
    /// What it is about; may be empty.
    #[serde(default)]
    pub subject: String,
    /// The first message; may be empty, and then a person looks at it.
    #[serde(default)]
    pub body: String,
    /// What the portal calls it, 1 to 200 characters: the same twice is the same ticket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// The message's own id elsewhere, as an e-mail's Message-ID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_id: Option<String>,
    /// When it was asked; left out: now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opened_at: Option<DateTime<Utc>>,
}

/// A message that can be stored, or what is wrong with it.
#[derive(Debug)]
pub struct MessageText;

impl MessageText {
    /// Refuses what is too long, or holds what PostgreSQL cannot store.
    pub fn check(field: &'static str, text: &str, most: usize) -> Result<(), TicketError> {
        let length = text.chars().count();
        if length > most {
            return Err(TicketError::refused(
                field,
                format!("has {length} characters, at most {most} are taken"),
            ));
        }
        if text.contains('\0') {
            return Err(TicketError::refused(
                field,
                "holds a zero byte, which cannot be stored",
            ));
        }
        Ok(())
    }

    /// The same for a message's body.
    pub fn body(text: &str) -> Result<(), TicketError> {
        Self::check("body", text, BODY_MAX)
    }

    /// The same for an id from elsewhere.
    pub fn external(field: &'static str, id: Option<&str>) -> Result<(), TicketError> {
        match id {
            Some("") => Err(TicketError::refused(
                field,
                "is empty; leave it out instead",
            )),
            Some(id) => Self::check(field, id, 200),
            None => Ok(()),
        }
    }
}

/// What became of a ticket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Created {
    /// The ticket; the one that was there, where its `external_id` was known.
    pub ticket_id: Uuid,
    /// The job that sorts it; none where the ticket was there.
    pub job_id: Option<JobId>,
    /// Whether it was there.
    pub duplicate: bool,
}

/// For each ticket, what became of it or why it was refused.
pub type Outcome = Result<Created, TicketError>;

/// Takes tickets in; the answers are in their order. Fails as a whole only for the database's or the queue's sake.
pub async fn create(
    conn: &mut PgConnection,
    tenant: TenantId,
    tickets: &[NewTicket],
) -> Result<Vec<Outcome>, TicketError> {
    if tickets.len() > TICKETS_MAX {
        let problem = format!(
            "has {} tickets, at most {TICKETS_MAX} are taken at once",
            tickets.len()
        );
        return Err(TicketError::refused("tickets", problem));
    }
    let (known, now) = known_clients(conn, tenant, tickets).await?;
    let judged: Vec<Result<(), TicketError>> = tickets
        .iter()
        .map(|ticket| judge(ticket, &known, now))
        .collect();
    let good: Vec<&NewTicket> = tickets
        .iter()
        .zip(&judged)
        .filter(|(_, it)| it.is_ok())
        .map(|(ticket, _)| ticket)
        .collect();
    let mut taken = take(conn, tenant, &good, now).await?.into_iter();
    let answers = judged.into_iter().map(|judgement| {
        judgement?;
        Ok(taken.next().expect("one for each good ticket"))
    });
    Ok(answers.collect())
}

fn judge(ticket: &NewTicket, known: &HashSet<Uuid>, now: DateTime<Utc>) -> Result<(), TicketError> {
    if !known.contains(&ticket.client_id) {
        let problem = format!("there is no client {}", ticket.client_id);
        return Err(TicketError::refused("client_id", problem));
    }
    MessageText::check("subject", &ticket.subject, SUBJECT_MAX)?;
    MessageText::body(&ticket.body)?;
    MessageText::external("external_id", ticket.external_id.as_deref())?;
    MessageText::external("message_id", ticket.message_id.as_deref())?;
    if ticket
        .opened_at
        .is_some_and(|at| !(now - OLDEST..=now + AHEAD).contains(&at))
    {
        let problem = "lies over ten years back, or in the future";
        return Err(TicketError::refused("opened_at", problem));
    }
    Ok(())
}

/// Those of the clients that there are; and the time, in the same round.
async fn known_clients(
    conn: &mut PgConnection,
    tenant: TenantId,
    tickets: &[NewTicket],
) -> Result<(HashSet<Uuid>, DateTime<Utc>), sqlx::Error> {
    let asked: Vec<Uuid> = tickets.iter().map(|ticket| ticket.client_id).collect();
    let row = sqlx::query!(
        r#"-- tickets.known_clients
        SELECT ARRAY(SELECT client_id FROM fleet.clients WHERE tenant_id = $1 AND client_id = ANY ($2)) AS "known!", fleet.clock() AS "now!""#,
        tenant.0,
        &asked,
    )
    .fetch_one(conn)
    .await?;
    Ok((row.known.into_iter().collect(), row.now))
}

/// Stores good tickets; one whose external id is there already, or comes twice, is that one.
async fn take(
    conn: &mut PgConnection,
    tenant: TenantId,
    tickets: &[&NewTicket],
    now: DateTime<Utc>,
) -> Result<Vec<Created>, TicketError> {
    let mut ids: Vec<Uuid> = tickets.iter().map(|_| Uuid::now_v7()).collect();
    let mut first: HashMap<&str, Uuid> = HashMap::new();
    for (ticket, id) in tickets.iter().zip(&mut ids) {
        if let Some(external) = &ticket.external_id {
            *id = *first.entry(external).or_insert(*id);
        }
    }
    let stored: HashSet<Uuid> = insert(conn, tenant, tickets, &ids, now)
        .await?
        .into_iter()
        .collect();
    let there = existing(conn, tenant, tickets, &ids, &stored).await?;
    let mut jobs = jobs(conn, tenant, &stored).await?;
    let answers = tickets.iter().zip(&ids).map(|(ticket, id)| {
        let known = ticket
            .external_id
            .as_ref()
            .and_then(|external| there.get(external));
        let job_id = jobs.remove(id);
        Created {
            ticket_id: known.copied().unwrap_or(*id),
            duplicate: job_id.is_none(),
            job_id,
        }
    });
    Ok(answers.collect())
}

/// Gives the tickets that are new.
async fn insert(
    conn: &mut PgConnection,
    tenant: TenantId,
    tickets: &[&NewTicket],
    ids: &[Uuid],
    now: DateTime<Utc>,
) -> Result<Vec<Uuid>, sqlx::Error> {
    let messages: Vec<Uuid> = tickets.iter().map(|_| Uuid::now_v7()).collect();
    let texts = |of: fn(&NewTicket) -> &str| -> Vec<&str> {
        tickets.iter().map(|ticket| of(ticket)).collect()
    };
    let ids_of = |of: fn(&NewTicket) -> Option<&str>| -> Vec<Option<&str>> {
        tickets.iter().map(|ticket| of(ticket)).collect()
    };
    // A portal's clock may be ahead: nothing is asked after it was answered.
    let opened: Vec<_> = tickets
        .iter()
        .map(|ticket| ticket.opened_at.map_or(now, |at| at.min(now)))
        .collect();
    let clients: Vec<Uuid> = tickets.iter().map(|ticket| ticket.client_id).collect();
    sqlx::query_scalar!(
        r#"-- tickets.insert
        WITH given AS (
            SELECT DISTINCT ON (ticket_id) *
            FROM unnest($2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[], $8::timestamptz[], $9::uuid[])
                 WITH ORDINALITY AS g (ticket_id, client_id, subject, body, external_id, message_external, opened_at, message_id, place)
            ORDER BY ticket_id, place
        ), stored AS (
            INSERT INTO fleet.tickets (tenant_id, ticket_id, client_id, subject, external_id, opened_at)
            SELECT $1, ticket_id, client_id, subject, external_id, opened_at
            FROM given
            ORDER BY external_id  -- in one order, so that two portals with the same tickets never wait for each other
            ON CONFLICT (tenant_id, external_id) WHERE external_id IS NOT NULL DO NOTHING
            RETURNING ticket_id, client_id
        ), said AS (
            INSERT INTO fleet.ticket_messages (tenant_id, message_id, ticket_id, author, body, external_id, sent_at)
            SELECT $1, g.message_id, g.ticket_id, 'customer', g.body, g.message_external, g.opened_at
            FROM given AS g
            JOIN stored AS s ON s.ticket_id = g.ticket_id
        ), told AS (
            INSERT INTO fleet.event (tenant_id, kind, subject, payload)
            SELECT $1, 'ticket.opened', ticket_id::text, jsonb_build_object('client_id', client_id) FROM stored
        )
        SELECT ticket_id AS "ticket_id!" FROM stored"#,
        tenant.0,
        ids,
        &clients,
        &texts(|it| &it.subject) as &[&str],
        &texts(|it| &it.body) as &[&str],
        &ids_of(|it| it.external_id.as_deref()) as &[Option<&str>],
        &ids_of(|it| it.message_id.as_deref()) as &[Option<&str>],
        &opened,
        &messages,
    )
    .fetch_all(conn)
    .await
}

/// The tickets that had the external ids of those that were not stored.
async fn existing(
    conn: &mut PgConnection,
    tenant: TenantId,
    tickets: &[&NewTicket],
    ids: &[Uuid],
    stored: &HashSet<Uuid>,
) -> Result<HashMap<String, Uuid>, sqlx::Error> {
    let missing = tickets
        .iter()
        .zip(ids)
        .filter(|(_, id)| !stored.contains(id));
    let missing: Vec<String> = missing
        .filter_map(|(ticket, _)| ticket.external_id.clone())
        .collect();
    if missing.is_empty() {
        return Ok(HashMap::new());
    }
    let rows = sqlx::query!(
        r#"-- tickets.existing
        SELECT external_id AS "external_id!: String", ticket_id FROM fleet.tickets WHERE tenant_id = $1 AND external_id = ANY ($2)"#,
        tenant.0,
        &missing,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.external_id, row.ticket_id))
        .collect())
}

async fn jobs(
    conn: &mut PgConnection,
    tenant: TenantId,
    stored: &HashSet<Uuid>,
) -> Result<HashMap<Uuid, JobId>, TicketError> {
    let ids: Vec<Uuid> = stored.iter().copied().collect();
    let jobs: Vec<NewJob> = ids
        .iter()
        .map(|id| {
            Ticket {
                ticket_id: *id,
                revision: 1,
            }
            .new_job(tenant)
        })
        .collect();
    let enqueued = enqueue_many(conn, &jobs).await?;
    if let Some((job, _)) = jobs
        .iter()
        .zip(&enqueued)
        .find(|(_, it)| it.outcome == EnqueueOutcome::QueueFull)
    {
        return Err(TicketError::QueueFull(job.queue.clone()));
    }
    Ok(ids
        .into_iter()
        .zip(enqueued)
        .map(|(id, it)| (id, it.id))
        .collect())
}
