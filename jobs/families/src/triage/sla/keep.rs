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
use crate::tickets::{Key, TicketError};
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
    let kept = keep_all(conn, &[((tenant, ticket), &on)], own).await?;
    Ok(kept.into_iter().next())
}

/// As [`keep`], by grounds that the caller has read already; of those tickets that are there, in order.
pub(crate) async fn keep_all(
    conn: &mut PgConnection,
    of: &[(Key, &Ground)],
    own: Option<JobId>,
) -> Result<Vec<Kept>, TicketError> {
    let keys: Vec<Key> = of.iter().map(|(key, _)| *key).collect();
    let loaded = load(conn, &keys).await?;
    let mut planned = Vec::with_capacity(of.len());
    for (loaded, (_, on)) in loaded.iter().zip(of) {
        planned.extend(loaded.as_ref().map(|it| (it, changes(it, on))));
    }
    let jobs = schedule(conn, &planned, own).await?;
    write(conn, &planned, &jobs).await?;
    let mut kept = Vec::with_capacity(planned.len());
    for (loaded, changes) in planned {
        kept.push(tell(conn, loaded.standing, &changes).await?);
    }
    Ok(kept)
}

/// The clocks that differ from what they should be now.
fn changes(of: &Loaded, on: &Ground) -> Vec<Change> {
    let targets = on.in_force.settings.sla.of(of.priority);
    let clocks: Vec<Clock> = of.clocks.iter().map(|(clock, _)| clock.clone()).collect();
    plan(&of.facts, &clocks, targets, &on.calendar, of.now)
}

/// A job for each clock that runs, at its next threshold, in the order of the changes; those of the others are called off.
async fn schedule(
    conn: &mut PgConnection,
    planned: &[(&Loaded, Vec<Change>)],
    own: Option<JobId>,
) -> Result<Vec<Option<Uuid>>, TicketError> {
    for (loaded, change) in each(planned).filter(|(_, change)| change.next.is_none()) {
        let job = loaded.job_of(&change.clock).filter(|job| Some(*job) != own);
        if let Some(job) = job {
            cancel(conn, job, Some("the clock no longer runs")).await?;
        }
    }
    let jobs: Vec<NewJob> = each(planned)
        .filter_map(|(loaded, change)| Some(job(&loaded.standing, &change.clock, change.next?)))
        .collect();
    if jobs.is_empty() {
        return Ok(each(planned).map(|_| None).collect());
    }
    let mut enqueued = enqueue_many(conn, &jobs).await?.into_iter();
    let taken = each(planned)
        .map(|(_, change)| change.next.and_then(|_| enqueued.next()).map(|it| it.id.0));
    Ok(taken.collect())
}

/// Each change with its ticket.
fn each<'a>(
    planned: &'a [(&'a Loaded, Vec<Change>)],
) -> impl Iterator<Item = (&'a Loaded, &'a Change)> {
    planned
        .iter()
        .flat_map(|(loaded, changes)| changes.iter().map(move |change| (*loaded, change)))
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
    planned: &[(&Loaded, Vec<Change>)],
    jobs: &[Option<Uuid>],
) -> Result<(), sqlx::Error> {
    if jobs.is_empty() {
        return Ok(());
    }
    let of = || each(planned).map(|(loaded, _)| loaded.standing);
    let clocks = || each(planned).map(|(_, change)| &change.clock);
    let states: Vec<&str> = clocks().map(|clock| clock.state.name()).collect();
    let promises: Vec<&str> = clocks().map(|clock| clock.promise.name()).collect();
    sqlx::query!(
        r#"-- sla.write
        INSERT INTO fleet.ticket_clocks AS c
            (tenant_id, ticket_id, clock, message_id, state, target_minutes, used_minutes, running_since, due_at, warned, decided_at, job_id)
        SELECT n.*
        FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::uuid[], $5::text[], $6::integer[], $7::float8[], $8::timestamptz[], $9::timestamptz[], $10::smallint[], $11::timestamptz[], $12::uuid[]) AS n
        ON CONFLICT (tenant_id, ticket_id, clock, message_id) DO UPDATE
        SET state = EXCLUDED.state, target_minutes = EXCLUDED.target_minutes, used_minutes = EXCLUDED.used_minutes,
            running_since = EXCLUDED.running_since, due_at = EXCLUDED.due_at, warned = EXCLUDED.warned,
            decided_at = EXCLUDED.decided_at, job_id = EXCLUDED.job_id
        WHERE c.decided_at IS NULL  -- decided once"#,
        &of().map(|it| it.tenant.0).collect::<Vec<_>>(),
        &of().map(|it| it.ticket).collect::<Vec<_>>(),
        &promises as &[&str],
        &clocks().map(|clock| clock.message).collect::<Vec<_>>(),
        &states as &[&str],
        &clocks().map(|clock| clock.target).collect::<Vec<_>>(),
        &clocks().map(|clock| clock.used).collect::<Vec<_>>(),
        &clocks().map(|clock| clock.since).collect::<Vec<_>>() as &[Option<DateTime<Utc>>],
        &clocks().map(|clock| clock.due).collect::<Vec<_>>() as &[Option<DateTime<Utc>>],
        &clocks().map(|clock| clock.warned).collect::<Vec<_>>(),
        &clocks().map(|clock| clock.decided).collect::<Vec<_>>() as &[Option<DateTime<Utc>>],
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
