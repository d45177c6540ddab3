//! What people see of tickets. Row-level security decides which exist for the session.

use chrono::{DateTime, Utc};
use fleet_queue::TenantId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::types::Json;
use sqlx::{Acquire, PgConnection};
use uuid::Uuid;

/// Messages of a ticket that are shown: the latest.
const MESSAGES_MAX: i64 = 200;

/// Which tickets; what is left out lets all through.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Whose rows. A session of one tenant must say so to be quick: row-level security alone reads everybody's.
    pub tenant: Option<TenantId>,
    /// open, in_progress, escalated or resolved; `live` is all but the last.
    pub status: Option<String>,
    /// low, medium or high.
    pub priority: Option<String>,
    /// What it is about.
    pub category: Option<String>,
    /// tier1, partner, senior or admin.
    pub assigned_to: Option<String>,
    /// Whose question it is.
    pub client: Option<Uuid>,
    /// Who answers.
    pub partner: Option<Uuid>,
    /// Whether a person must look at it.
    pub needs_review: Option<bool>,
    /// Only those before this one.
    pub before: Option<Uuid>,
}

/// A ticket in a list.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Listed {
    /// Whose row it is.
    pub tenant_id: Uuid,
    /// The ticket.
    pub ticket_id: Uuid,
    /// Whose question it is.
    pub client_id: Uuid,
    /// Who answers, or answered before an admin took it.
    pub partner_id: Option<Uuid>,
    /// What it is about, in the customer's words.
    pub subject: String,
    /// open, in_progress, escalated or resolved.
    pub status: String,
    /// Whether it waits for the customer.
    pub waiting: bool,
    /// low, medium or high.
    pub priority: String,
    /// What it is about, in ours; none: not sorted yet.
    pub category: Option<String>,
    /// tier1, partner, senior or admin.
    pub assigned_to: String,
    /// 0 to 3, as `assigned_to`.
    pub escalation_level: i16,
    /// Whether a person must look at it.
    pub needs_review: bool,
    /// When it was asked.
    pub opened_at: DateTime<Utc>,
    /// When its next promise is due.
    pub due_at: Option<DateTime<Utc>>,
    /// Rises with every change.
    pub version: i32,
}

/// A ticket with everything that is known of it.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Detail {
    /// As in a list.
    #[serde(flatten)]
    pub ticket: Listed,
    /// What the portal calls it.
    pub external_id: Option<String>,
    /// Its language, where that is sure.
    pub language: Option<String>,
    /// How it feels, -1 to 1.
    pub sentiment: Option<f64>,
    /// Whether an admin keeps an eye on it.
    pub watched: bool,
    /// The fields that a person has set.
    pub human_set: Vec<String>,
    /// Rises with what the customer says.
    pub revision: i32,
    /// When it was first answered.
    pub first_response_at: Option<DateTime<Utc>>,
    /// When it was done with.
    pub closed_at: Option<DateTime<Utc>>,
    /// Articles that may help: id, title, score.
    pub suggestions: Value,
    /// A draft of an answer.
    pub reply_draft: Option<String>,
    /// What was said, oldest first; the latest two hundred.
    pub messages: Vec<MessageView>,
    /// What was promised.
    pub clocks: Vec<ClockView>,
    /// Why it was sorted as it was, latest first.
    pub decisions: Vec<Explained>,
    /// Tickets that look the same.
    pub links: Vec<Linked>,
}

/// A message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MessageView {
    /// It.
    pub message_id: Uuid,
    /// customer, staff or automatic.
    pub author: String,
    /// What was said.
    pub body: String,
    /// When.
    pub sent_at: DateTime<Utc>,
}

/// A promise.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ClockView {
    /// first_response, next_response or resolution.
    pub clock: String,
    /// running, paused, met or breached.
    pub state: String,
    /// Business minutes.
    pub target_minutes: i32,
    /// When it is due; as it was, where it no longer runs.
    pub due_at: Option<DateTime<Utc>>,
    /// 0, 75 or 90: the last warning.
    pub warned: i16,
    /// When it was met or broken.
    pub decided_at: Option<DateTime<Utc>>,
}

/// A decision.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Explained {
    /// Of which revision of the ticket.
    pub revision: i32,
    /// The model's version, or `rules`, or `person`.
    pub model_version: String,
    /// What it was taken to be about.
    pub category: String,
    /// How urgent.
    pub priority: String,
    /// tier1, partner or admin.
    pub route: String,
    /// How sure, 0 to 1.
    pub confidence: f64,
    /// How sure it had to be.
    pub threshold: f64,
    /// applied, or review: a person decides.
    pub outcome: String,
    /// Features, rules and what else it rests on.
    pub explanation: Value,
    /// When.
    pub decided_at: DateTime<Utc>,
}

/// A ticket that looks the same.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Linked {
    /// It.
    pub other_id: Uuid,
    /// text or message_id.
    pub reason: String,
    /// Bits by which the texts differ.
    pub distance: i16,
}

/// Tickets, latest first.
pub async fn list(
    conn: &mut PgConnection,
    filter: &Filter,
    limit: i64,
) -> Result<Vec<Listed>, sqlx::Error> {
    let mut tx = conn.begin().await?;
    plan_by_values(&mut tx).await?;
    let found = select(&mut tx, filter, limit).await?;
    // Nothing was written; rolling back also takes the settings back.
    tx.rollback().await?;
    Ok(found)
}

/// A plan for these values alone: what is left out of a filter then stands in no index's way.
async fn plan_by_values(conn: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query!(
        r#"-- tickets.plan_by_values
        SELECT set_config(name, value, true) AS set FROM (VALUES ('plan_cache_mode', 'force_custom_plan'), ('enable_seqscan', 'off'), ('jit', 'off')) AS s (name, value)"#
    )
    .fetch_all(conn)
    .await?;
    Ok(())
}

async fn select(
    conn: &mut PgConnection,
    filter: &Filter,
    limit: i64,
) -> Result<Vec<Listed>, sqlx::Error> {
    sqlx::query_as!(
        Listed,
        r#"-- tickets.select
        SELECT t.tenant_id, t.ticket_id, t.client_id, t.partner_id, t.subject AS "subject!: String", t.status, t.waiting, t.priority,
               t.category AS "category: String", t.assigned_to, t.escalation_level, t.needs_review, t.opened_at, t.version,
               (SELECT min(c.due_at) FROM fleet.ticket_clocks AS c
                WHERE c.tenant_id = t.tenant_id AND c.ticket_id = t.ticket_id AND c.state = 'running') AS due_at
        FROM fleet.tickets AS t
        WHERE ($1::text IS NULL OR t.status = $1 OR $1 = 'live' AND t.status <> 'resolved')
          AND ($2::text IS NULL OR t.priority = $2)
          AND ($3::text IS NULL OR t.category::text = $3)
          AND ($4::text IS NULL OR t.assigned_to = $4)
          AND ($5::uuid IS NULL OR t.client_id = $5)
          AND ($6::uuid IS NULL OR t.partner_id = $6)
          AND ($7::boolean IS NULL OR t.needs_review = $7)
          AND ($8::uuid IS NULL OR t.ticket_id < $8)
          AND ($10::uuid IS NULL OR t.tenant_id = $10)
        ORDER BY t.ticket_id DESC
        LIMIT $9"#,
        filter.status,
        filter.priority,
        filter.category,
        filter.assigned_to,
        filter.client,
        filter.partner,
        filter.needs_review,
        filter.before,
        limit,
        filter.tenant.map(|tenant| tenant.0),
    )
    .fetch_all(conn)
    .await
}

/// A ticket. `None` where the session may not know of it.
pub async fn show(conn: &mut PgConnection, ticket: Uuid) -> Result<Option<Detail>, sqlx::Error> {
    let found = sqlx::query!(
        r#"-- tickets.show
        SELECT t.tenant_id, t.ticket_id, t.client_id, t.partner_id, t.subject AS "subject!: String", t.status, t.waiting, t.priority,
               t.category AS "category: String", t.assigned_to, t.escalation_level, t.needs_review, t.opened_at, t.version, t.external_id AS "external_id: String",
               t.language, t.sentiment, t.watched, t.human_set, t.revision, t.first_response_at, t.closed_at, t.suggestions, t.reply_draft AS "reply_draft: String",
               (SELECT COALESCE(jsonb_agg(to_jsonb(m) ORDER BY m.sent_at, m.message_id), '[]') FROM (
                   SELECT * FROM fleet.ticket_messages AS m WHERE m.tenant_id = t.tenant_id AND m.ticket_id = t.ticket_id
                   ORDER BY m.sent_at DESC, m.message_id DESC LIMIT $2) AS m) AS "messages!: Json<Vec<MessageView>>",
               (SELECT COALESCE(jsonb_agg(to_jsonb(c) ORDER BY c.clock, c.message_id), '[]') FROM fleet.ticket_clocks AS c
                WHERE c.tenant_id = t.tenant_id AND c.ticket_id = t.ticket_id) AS "clocks!: Json<Vec<ClockView>>",
               (SELECT COALESCE(jsonb_agg(to_jsonb(d) ORDER BY d.decision_id DESC), '[]') FROM (
                   SELECT * FROM fleet.triage_decisions AS d WHERE d.tenant_id = t.tenant_id AND d.ticket_id = t.ticket_id
                   ORDER BY d.decision_id DESC LIMIT 20) AS d) AS "decisions!: Json<Vec<Explained>>",
               (SELECT COALESCE(jsonb_agg(to_jsonb(l) ORDER BY l.distance, l.other_id), '[]') FROM fleet.ticket_links AS l
                WHERE l.tenant_id = t.tenant_id AND l.ticket_id = t.ticket_id) AS "links!: Json<Vec<Linked>>"
        FROM fleet.tickets AS t
        WHERE t.ticket_id = $1"#,
        ticket,
        MESSAGES_MAX,
    )
    .fetch_optional(conn)
    .await?;
    Ok(found.map(|it| {
        let running = it.clocks.0.iter().filter(|clock| clock.state == "running");
        Detail {
            ticket: Listed {
                tenant_id: it.tenant_id,
                ticket_id: it.ticket_id,
                client_id: it.client_id,
                partner_id: it.partner_id,
                subject: it.subject,
                status: it.status,
                waiting: it.waiting,
                priority: it.priority,
                category: it.category,
                assigned_to: it.assigned_to,
                escalation_level: it.escalation_level,
                needs_review: it.needs_review,
                opened_at: it.opened_at,
                due_at: running.filter_map(|clock| clock.due_at).min(),
                version: it.version,
            },
            external_id: it.external_id,
            language: it.language,
            sentiment: it.sentiment,
            watched: it.watched,
            human_set: it.human_set,
            revision: it.revision,
            first_response_at: it.first_response_at,
            closed_at: it.closed_at,
            suggestions: it.suggestions,
            reply_draft: it.reply_draft,
            messages: it.messages.0,
            clocks: it.clocks.0,
            decisions: it.decisions.0,
            links: it.links.0,
        }
    }))
}
