//! Keeps a ticket's clocks: makes them what they should be, with everything that follows, in the caller's transaction.
//!
//! The caller holds the ticket's row (`FOR UPDATE`, or has just changed it). One job a clock waits for its next threshold: its key
//! is the clock's, so a clock that moves moves it, and one that is decided calls it off.

use chrono::{DateTime, Utc};
use fleet_queue::transitions::cancel::cancel;
use fleet_queue::transitions::enqueue::enqueue_many;
use fleet_queue::{JobId, NewJob, OnDuplicate, TenantId, Unique, UniqueScope};
use serde::Serialize;
use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

use super::escalate::{Standing, escalate};
use super::plan::{Change, Clock, Facts, News, Promise, State, plan};
use super::{Targets, calendar};
use crate::event::{self, Event};
use crate::telemetry;
use crate::tickets::TicketError;
use crate::triage::priority::Priority;
use crate::triage::settings::{Sla, settings};
use crate::triage::sla_deadline::SlaDeadline;

/// What was found when the clocks were brought up to now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Kept {
    /// Warnings given.
    pub warned: u32,
    /// Promises kept.
    pub met: u32,
    /// Promises broken, each with one escalation.
    pub breached: u32,
}

/// The ticket and its clocks, as they are.
struct Loaded {
    standing: Standing,
    priority: Priority,
    facts: Facts,
    clocks: Vec<(Clock, Option<Uuid>)>,
    now: DateTime<Utc>,
}

/// Brings a ticket's clocks up to now. `own`: the job that asks, which is not called off. `None` where there is no such ticket.
pub(crate) async fn keep(
    conn: &mut PgConnection,
    tenant: TenantId,
    ticket: Uuid,
    own: Option<JobId>,
) -> Result<Option<Kept>, TicketError> {
    keep_to(conn, tenant, ticket, own, None).await
}

/// As [`keep`], to promises that the caller has read already.
pub(crate) async fn keep_to(
    conn: &mut PgConnection,
    tenant: TenantId,
    ticket: Uuid,
    own: Option<JobId>,
    sla: Option<&Sla>,
) -> Result<Option<Kept>, TicketError> {
    let Some(loaded) = load(conn, tenant, ticket).await? else {
        return Ok(None);
    };
    let targets = match sla {
        Some(sla) => sla.of(loaded.priority),
        None => targets(conn, &loaded).await?,
    };
    let calendar = calendar(conn, tenant).await?;
    let clocks: Vec<Clock> = loaded
        .clocks
        .iter()
        .map(|(clock, _)| clock.clone())
        .collect();
    let changes = plan(&loaded.facts, &clocks, targets, &calendar, loaded.now);
    if changes.is_empty() {
        return Ok(Some(Kept::default()));
    }
    let jobs = schedule(conn, &loaded, &changes, own).await?;
    write(conn, &loaded.standing, &changes, &jobs).await?;
    Ok(Some(tell(conn, loaded.standing, &changes).await?))
}

async fn targets(conn: &mut PgConnection, of: &Loaded) -> Result<Targets, sqlx::Error> {
    let in_force = settings(conn, of.standing.tenant).await?;
    Ok(in_force.settings.sla.of(of.priority))
}

async fn load(
    conn: &mut PgConnection,
    tenant: TenantId,
    ticket: Uuid,
) -> Result<Option<Loaded>, sqlx::Error> {
    let row = sqlx::query!(
        r#"-- sla.load
        SELECT t.client_id, t.partner_id, t.escalation_level, t.priority, t.waiting, t.opened_at, t.closed_at, t.first_response_at,
               fleet.clock() AS "now!", s.last_answer AS "last_answer?", u.message_id AS "message_id?", u.sent_at AS "sent_at?"
        FROM fleet.tickets AS t
        LEFT JOIN LATERAL (
            SELECT m.sent_at AS last_answer, m.message_id AS last_id FROM fleet.ticket_messages AS m
            WHERE m.tenant_id = t.tenant_id AND m.ticket_id = t.ticket_id AND m.author = 'staff'
            ORDER BY m.sent_at DESC, m.message_id DESC LIMIT 1) AS s ON true
        LEFT JOIN LATERAL (
            SELECT m.message_id, m.sent_at FROM fleet.ticket_messages AS m
            WHERE m.tenant_id = t.tenant_id AND m.ticket_id = t.ticket_id AND m.author = 'customer' AND (m.sent_at, m.message_id) > (s.last_answer, s.last_id)
            ORDER BY m.sent_at, m.message_id LIMIT 1) AS u ON true
        WHERE t.tenant_id = $1 AND t.ticket_id = $2"#,
        tenant.0,
        ticket,
    )
    .fetch_optional(&mut *conn)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let clocks = clocks(conn, tenant, ticket).await?;
    Ok(Some(Loaded {
        standing: Standing {
            tenant,
            ticket,
            client: row.client_id,
            level: row.escalation_level,
            partner: row.partner_id,
            closed: row.closed_at.is_some(),
        },
        priority: Priority::named(&row.priority).unwrap_or_default(),
        facts: Facts {
            opened: row.opened_at,
            waiting: row.waiting,
            closed: row.closed_at,
            answered: row.first_response_at,
            unanswered: row.message_id.zip(row.sent_at),
            last_answer: row.last_answer,
        },
        clocks,
        now: row.now,
    }))
}

async fn clocks(
    conn: &mut PgConnection,
    tenant: TenantId,
    ticket: Uuid,
) -> Result<Vec<(Clock, Option<Uuid>)>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"-- sla.clocks
        SELECT clock, message_id, state, target_minutes, used_minutes, running_since, due_at, warned, decided_at, job_id
        FROM fleet.ticket_clocks
        WHERE tenant_id = $1 AND ticket_id = $2
        ORDER BY clock, message_id
        LIMIT 10000"#,
        tenant.0,
        ticket,
    )
    .fetch_all(conn)
    .await?;
    let read = rows.into_iter().filter_map(|row| {
        let clock = Clock {
            promise: Promise::named(&row.clock)?,
            message: row.message_id,
            state: State::named(&row.state)?,
            target: row.target_minutes,
            used: row.used_minutes,
            since: row.running_since,
            due: row.due_at,
            warned: row.warned,
            decided: row.decided_at,
        };
        Some((clock, row.job_id))
    });
    Ok(read.collect())
}

/// A job for each clock that runs, at its next threshold; those of the others are called off.
async fn schedule(
    conn: &mut PgConnection,
    loaded: &Loaded,
    changes: &[Change],
    own: Option<JobId>,
) -> Result<Vec<Option<Uuid>>, TicketError> {
    let old = |clock: &Clock| {
        let known = loaded
            .clocks
            .iter()
            .find(|(it, _)| (it.promise, it.message) == (clock.promise, clock.message));
        known.and_then(|(_, job)| *job)
    };
    for change in changes.iter().filter(|change| change.next.is_none()) {
        let job = old(&change.clock)
            .map(JobId)
            .filter(|job| Some(*job) != own);
        if let Some(job) = job {
            cancel(conn, job, Some("the clock no longer runs")).await?;
        }
    }
    let jobs: Vec<NewJob> = changes
        .iter()
        .filter_map(|change| Some(job(&loaded.standing, &change.clock, change.next?)))
        .collect();
    let mut enqueued = enqueue_many(conn, &jobs).await?.into_iter();
    let taken = changes
        .iter()
        .map(|change| change.next.and_then(|_| enqueued.next()).map(|it| it.id.0));
    Ok(taken.collect())
}

fn job(of: &Standing, clock: &Clock, at: DateTime<Utc>) -> NewJob {
    let payload = SlaDeadline {
        ticket_id: of.ticket,
        clock: clock.promise,
        message_id: (!clock.message.is_nil()).then_some(clock.message),
    };
    let unique = Unique {
        key: format!(
            "sla {} {} {}",
            of.ticket,
            clock.promise.name(),
            clock.message
        ),
        // A job that runs may itself be asking for its successor.
        scope: UniqueScope::Started,
        window_s: None,
        on_duplicate: OnDuplicate::Push,
    };
    NewJob::of(&payload)
        .tenant(of.tenant)
        .run_at(at)
        .unique(unique)
}

async fn write(
    conn: &mut PgConnection,
    of: &Standing,
    changes: &[Change],
    jobs: &[Option<Uuid>],
) -> Result<(), sqlx::Error> {
    let each = || changes.iter().map(|change| &change.clock);
    let states: Vec<&str> = each().map(|clock| clock.state.name()).collect();
    let promises: Vec<&str> = each().map(|clock| clock.promise.name()).collect();
    sqlx::query!(
        r#"-- sla.write
        INSERT INTO fleet.ticket_clocks AS c
            (tenant_id, ticket_id, clock, message_id, state, target_minutes, used_minutes, running_since, due_at, warned, decided_at, job_id)
        SELECT $1, $2, n.*
        FROM unnest($3::text[], $4::uuid[], $5::text[], $6::integer[], $7::float8[], $8::timestamptz[], $9::timestamptz[], $10::smallint[], $11::timestamptz[], $12::uuid[]) AS n
        ON CONFLICT (tenant_id, ticket_id, clock, message_id) DO UPDATE
        SET state = EXCLUDED.state, target_minutes = EXCLUDED.target_minutes, used_minutes = EXCLUDED.used_minutes,
            running_since = EXCLUDED.running_since, due_at = EXCLUDED.due_at, warned = EXCLUDED.warned,
            decided_at = EXCLUDED.decided_at, job_id = EXCLUDED.job_id
        WHERE c.decided_at IS NULL  -- decided once"#,
        of.tenant.0,
        of.ticket,
        &promises as &[&str],
        &each().map(|clock| clock.message).collect::<Vec<_>>(),
        &states as &[&str],
        &each().map(|clock| clock.target).collect::<Vec<_>>(),
        &each().map(|clock| clock.used).collect::<Vec<_>>(),
        &each().map(|clock| clock.since).collect::<Vec<_>>() as &[Option<DateTime<Utc>>],
        &each().map(|clock| clock.due).collect::<Vec<_>>() as &[Option<DateTime<Utc>>],
        &each().map(|clock| clock.warned).collect::<Vec<_>>(),
        &each().map(|clock| clock.decided).collect::<Vec<_>>() as &[Option<DateTime<Utc>>],
        jobs as &[Option<Uuid>],
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Events, outcomes and escalations, clock by clock: each breach brings the ticket one level up.
async fn tell(
    conn: &mut PgConnection,
    mut standing: Standing,
    changes: &[Change],
) -> Result<Kept, sqlx::Error> {
    let mut kept = Kept::default();
    for Change { clock, news, .. } in changes {
        let kind = match news {
            News::Nothing => continue,
            News::Warned(_) => "sla.warning",
            News::Met => "sla.met",
            News::Breached => "sla.breached",
        };
        let payload = json!({ "clock": clock.promise, "message_id": clock.message, "due_at": clock.due, "warned": clock.warned,
            "partner_id": standing.partner, "level": standing.level });
        event::record(
            conn,
            standing.tenant,
            &Event {
                kind,
                subject: standing.ticket,
                payload,
            },
        )
        .await?;
        telemetry::sla(clock.promise.name(), kind);
        match news {
            News::Warned(_) => kept.warned += 1,
            News::Met => kept.met += 1,
            _ => kept.breached += 1,
        }
        if let (News::Met | News::Breached, Some(partner)) = (
            news,
            standing
                .partner
                .filter(|_| (1..=2).contains(&standing.level)),
        ) {
            outcome(conn, &standing, partner, clock).await?;
        }
        if *news == News::Breached && !standing.closed {
            standing = escalate(conn, standing, clock.promise).await?;
        }
    }
    Ok(kept)
}

/// What the partner's capacity and promotion are judged by.
async fn outcome(
    conn: &mut PgConnection,
    of: &Standing,
    partner: Uuid,
    clock: &Clock,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        r#"-- sla.outcome
        INSERT INTO fleet.sla_outcomes (tenant_id, partner_id, met, decided_at) VALUES ($1, $2, $3, $4)"#,
        of.tenant.0,
        partner,
        clock.state == State::Met,
        clock.decided.expect("it was decided"),
    )
    .execute(conn)
    .await?;
    Ok(())
}
