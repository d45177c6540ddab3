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
use super::load::{Loaded, load};
use super::plan::{Change, Clock, News, State, plan};
use crate::event::{self, Event};
use crate::telemetry;
use crate::tickets::TicketError;
use crate::triage::ground::{Ground, ground};
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

/// Brings a ticket's clocks up to now. `own`: the job that asks, which is not called off. `None` where there is no such ticket.
pub(crate) async fn keep(
    conn: &mut PgConnection,
    tenant: TenantId,
    ticket: Uuid,
    own: Option<JobId>,
) -> Result<Option<Kept>, TicketError> {
    let on = ground(conn, tenant).await?;
    keep_by(conn, tenant, ticket, own, &on).await
}

/// As [`keep`], by a ground that the caller has read already.
pub(crate) async fn keep_by(
    conn: &mut PgConnection,
    tenant: TenantId,
    ticket: Uuid,
    own: Option<JobId>,
    on: &Ground,
) -> Result<Option<Kept>, TicketError> {
    let Some(loaded) = load(conn, tenant, ticket).await? else {
        return Ok(None);
    };
    let targets = on.in_force.settings.sla.of(loaded.priority);
    let clocks: Vec<Clock> = loaded
        .clocks
        .iter()
        .map(|(clock, _)| clock.clone())
        .collect();
    let changes = plan(&loaded.facts, &clocks, targets, &on.calendar, loaded.now);
    if changes.is_empty() {
        return Ok(Some(Kept::default()));
    }
    let jobs = schedule(conn, &loaded, &changes, own).await?;
    write(conn, &loaded.standing, &changes, &jobs).await?;
    Ok(Some(tell(conn, loaded.standing, &changes).await?))
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
