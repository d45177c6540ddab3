//! Reads a ticket with its clocks, as keeping them needs it.

use chrono::{DateTime, Utc};
use fleet_queue::JobId;
use sqlx::PgConnection;
use uuid::Uuid;

use super::escalate::Standing;
use super::plan::{Clock, Facts, Promise, State};
use crate::tickets::{Key, columns};
use crate::triage::priority::Priority;

/// Clocks of a ticket that are read: one for each answer that was promised.
const CLOCKS: i64 = 10_000;

/// The ticket and its clocks, as they are.
pub(super) struct Loaded {
    pub(super) standing: Standing,
    pub(super) priority: Priority,
    pub(super) facts: Facts,
    /// Each with the job that waits for its next threshold.
    pub(super) clocks: Vec<(Clock, Option<Uuid>)>,
    pub(super) now: DateTime<Utc>,
}

impl Loaded {
    /// The job that waits for a clock's next threshold.
    pub(super) fn job_of(&self, clock: &Clock) -> Option<JobId> {
        let known = self
            .clocks
            .iter()
            .find(|(it, _)| (it.promise, it.message) == (clock.promise, clock.message));
        known.and_then(|(_, job)| *job).map(JobId)
    }
}

/// The ticket beside each of its clocks; once, where it has none.
struct Row {
    asked: i64,
    client_id: Uuid,
    partner_id: Option<Uuid>,
    escalation_level: i16,
    priority: String,
    waiting: bool,
    opened_at: DateTime<Utc>,
    closed_at: Option<DateTime<Utc>>,
    first_response_at: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
    last_answer: Option<DateTime<Utc>>,
    message_id: Option<Uuid>,
    sent_at: Option<DateTime<Utc>>,
    clock: Option<String>,
    clock_message: Option<Uuid>,
    state: Option<String>,
    target_minutes: Option<i32>,
    used_minutes: Option<f64>,
    running_since: Option<DateTime<Utc>>,
    due_at: Option<DateTime<Utc>>,
    warned: Option<i16>,
    decided_at: Option<DateTime<Utc>>,
    job_id: Option<Uuid>,
}

/// In the order of asking; `None` where there is no such ticket.
pub(super) async fn load(
    conn: &mut PgConnection,
    keys: &[Key],
) -> Result<Vec<Option<Loaded>>, sqlx::Error> {
    let (tenants, tickets) = columns(keys);
    let rows = sqlx::query_as!(
        Row,
        r#"-- sla.load
        SELECT k.ord - 1 AS "asked!", t.client_id, t.partner_id, t.escalation_level, t.priority, t.waiting, t.opened_at, t.closed_at, t.first_response_at,
               fleet.clock() AS "now!", s.last_answer AS "last_answer?", u.message_id AS "message_id?", u.sent_at AS "sent_at?",
               c.clock AS "clock?", c.message_id AS "clock_message?", c.state AS "state?", c.target_minutes AS "target_minutes?",
               c.used_minutes AS "used_minutes?", c.running_since, c.due_at, c.warned AS "warned?", c.decided_at, c.job_id
        FROM unnest($1::uuid[], $2::uuid[]) WITH ORDINALITY AS k (tenant_id, ticket_id, ord)
        CROSS JOIN LATERAL (
            SELECT x.* FROM fleet.tickets AS x WHERE x.tenant_id = k.tenant_id AND x.ticket_id = k.ticket_id OFFSET 0) AS t
        LEFT JOIN LATERAL (
            SELECT m.sent_at AS last_answer, m.message_id AS last_id FROM fleet.ticket_messages AS m
            WHERE m.tenant_id = t.tenant_id AND m.ticket_id = t.ticket_id AND m.author = 'staff'
            ORDER BY m.sent_at DESC, m.message_id DESC LIMIT 1) AS s ON true
        LEFT JOIN LATERAL (
            -- When it was last done with, even if nobody had answered; and when the first promise was decided, however.
            SELECT max(d.decided_at) AS at FROM fleet.ticket_clocks AS d
            WHERE d.tenant_id = t.tenant_id AND d.ticket_id = t.ticket_id AND (d.state = 'met' OR d.clock = 'first_response')) AS d ON true
        LEFT JOIN LATERAL (
            SELECT m.message_id, m.sent_at FROM fleet.ticket_messages AS m
            WHERE m.tenant_id = t.tenant_id AND m.ticket_id = t.ticket_id AND m.author = 'customer'
              AND ((m.sent_at, m.message_id) > (s.last_answer, s.last_id) OR s.last_answer IS NULL) AND (m.sent_at > d.at OR d.at <= s.last_answer OR d.at IS NULL)
              AND (s.last_answer IS NOT NULL OR d.at IS NOT NULL)
            ORDER BY m.sent_at, m.message_id LIMIT 1) AS u ON true
        LEFT JOIN LATERAL (
            SELECT * FROM fleet.ticket_clocks AS c WHERE c.tenant_id = t.tenant_id AND c.ticket_id = t.ticket_id
            ORDER BY c.clock, c.message_id LIMIT $3) AS c ON true
        ORDER BY k.ord, c.clock, c.message_id"#,
        &tenants,
        &tickets,
        CLOCKS,
    )
    .fetch_all(conn)
    .await?;
    let mut loaded: Vec<Option<Loaded>> = keys.iter().map(|_| None).collect();
    for row in rows {
        let asked = row.asked as usize;
        let it = loaded[asked].get_or_insert_with(|| row.loaded(keys[asked]));
        it.clocks
            .extend(row.clock().map(|clock| (clock, row.job_id)));
    }
    Ok(loaded)
}

impl Row {
    /// The ticket, without its clocks.
    fn loaded(&self, key: Key) -> Loaded {
        Loaded {
            standing: self.standing(key),
            priority: Priority::named(&self.priority).unwrap_or_default(),
            facts: self.facts(),
            clocks: Vec::new(),
            now: self.now,
        }
    }

    fn standing(&self, (tenant, ticket): Key) -> Standing {
        Standing {
            tenant,
            ticket,
            client: self.client_id,
            level: self.escalation_level,
            partner: self.partner_id,
            closed: self.closed_at.is_some(),
        }
    }

    fn facts(&self) -> Facts {
        Facts {
            opened: self.opened_at,
            waiting: self.waiting,
            closed: self.closed_at,
            answered: self.first_response_at,
            unanswered: self.message_id.zip(self.sent_at),
            last_answer: self.last_answer,
        }
    }

    fn clock(&self) -> Option<Clock> {
        Some(Clock {
            promise: Promise::named(self.clock.as_deref()?)?,
            message: self.clock_message?,
            state: State::named(self.state.as_deref()?)?,
            target: self.target_minutes?,
            used: self.used_minutes?,
            since: self.running_since,
            due: self.due_at,
            warned: self.warned?,
            decided: self.decided_at,
        })
    }
}
