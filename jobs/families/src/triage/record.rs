//! Writes what triage found: facts always, decisions where they may be applied, in one statement with their events and the audit.
//!
//! The caller holds the ticket. What a person has set stays, field by field.

use fleet_queue::TenantId;
use serde_json::{Value, json};
use sqlx::PgConnection;
use uuid::Uuid;

use super::decide::Decision;
use super::gather::Like;
use super::kb::Found;
use super::priority::Priority;
use super::route::Route;
use super::text::Text;

/// What a decision would do to a ticket; an approval keeps it in this shape.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Effect {
    pub(super) category: String,
    pub(super) priority: Priority,
    pub(super) route: Route,
    pub(super) partner: Option<Uuid>,
    pub(super) watched: bool,
    pub(super) wants_partner: bool,
}

impl Effect {
    pub(super) fn of(decision: &Decision) -> Self {
        Self {
            category: decision.category.clone(),
            priority: decision.priority,
            route: decision.routed.route,
            partner: decision.routed.partner,
            watched: decision.routed.watched,
            wants_partner: decision.routed.wants_partner,
        }
    }
}

/// What was found out about a ticket, whatever is decided.
pub(super) struct Facts<'a> {
    pub(super) text: &'a Text,
    pub(super) sentiment: f64,
    pub(super) suggestions: &'a [Found],
    pub(super) draft: &'a str,
    pub(super) revision: i32,
    pub(super) needs_review: bool,
}

/// Writes the facts.
pub(super) async fn facts(
    conn: &mut PgConnection,
    tenant: TenantId,
    ticket: Uuid,
    facts: &Facts<'_>,
) -> Result<(), sqlx::Error> {
    let round = |score: f64| (score * 100.0).round() / 100.0;
    let suggestions: Vec<Value> = facts
        .suggestions
        .iter()
        .map(|it| json!({ "article_id": it.id, "title": it.title, "score": round(it.score) }))
        .collect();
    sqlx::query!(
        r#"-- triage.facts
        UPDATE fleet.tickets
        SET language = $3, sentiment = $4, simhash = $5, suggestions = $6, reply_draft = $7, triaged_revision = $8,
            needs_review = $9, review_since = CASE WHEN $9 THEN COALESCE(review_since, fleet.clock()) END, version = version + 1
        WHERE tenant_id = $1 AND ticket_id = $2"#,
        tenant.0,
        ticket,
        facts.text.language,
        facts.sentiment,
        facts.text.simhash.map(|hash| hash as i64),
        Value::Array(suggestions),
        facts.draft,
        facts.revision,
        facts.needs_review,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// What a decision was made by and with.
pub(super) struct Ground<'a> {
    pub(super) model: &'a str,
    pub(super) settings_version: i32,
    pub(super) threshold: f64,
    pub(super) revision: i32,
    pub(super) likes: &'a [Like],
}

/// Writes the decision and the links. False where this revision was decided by this model before.
pub(super) async fn decision(
    conn: &mut PgConnection,
    tenant: TenantId,
    ticket: Uuid,
    decision: &Decision,
    ground: &Ground<'_>,
) -> Result<bool, sqlx::Error> {
    let others: Vec<Uuid> = ground.likes.iter().map(|like| like.other).collect();
    let reasons: Vec<&str> = ground
        .likes
        .iter()
        .map(|like| like.reason.as_str())
        .collect();
    let distances: Vec<i16> = ground.likes.iter().map(|like| like.distance).collect();
    let made = sqlx::query!(
        r#"-- triage.decision
        WITH linked AS (
            INSERT INTO fleet.ticket_links (tenant_id, ticket_id, other_id, reason, distance)
            SELECT $1, $2, l.* FROM unnest($12::uuid[], $13::text[], $14::smallint[]) AS l
            ON CONFLICT DO NOTHING
        )
        INSERT INTO fleet.triage_decisions
            (tenant_id, ticket_id, revision, model_version, settings_version, category, priority, route, confidence, threshold, outcome, explanation)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, CASE WHEN $15 THEN 'review' ELSE 'applied' END, $11)
        ON CONFLICT (tenant_id, ticket_id, revision, model_version) DO NOTHING"#,
        tenant.0,
        ticket,
        ground.revision,
        ground.model,
        ground.settings_version,
        decision.category,
        decision.priority.name(),
        decision.routed.route.name(),
        decision.confidence.clamp(0.0, 1.0),
        ground.threshold,
        decision.explanation,
        &others,
        &reasons as &[&str],
        &distances,
        decision.review.is_some(),
    )
    .execute(conn)
    .await?;
    Ok(made.rows_affected() == 1)
}

/// Applies an effect, except to what a person has set; `by` stands in the audit. An escalated ticket stays where it was brought.
pub(super) async fn apply(
    conn: &mut PgConnection,
    tenant: TenantId,
    ticket: Uuid,
    effect: &Effect,
    by: &str,
) -> Result<(), sqlx::Error> {
    let told = json!({ "category": effect.category, "priority": effect.priority, "route": effect.route, "partner_id": effect.partner, "by": by });
    sqlx::query!(
        r#"-- triage.apply
        WITH was AS (
            SELECT *, 'route' = ANY (human_set) OR status = 'escalated' OR closed_at IS NOT NULL AS stays FROM fleet.tickets WHERE tenant_id = $1 AND ticket_id = $2
        ), changed AS (
            UPDATE fleet.tickets AS t
            SET category = CASE WHEN 'category' = ANY (w.human_set) THEN t.category ELSE $3 END,
                priority = CASE WHEN 'priority' = ANY (w.human_set) THEN t.priority ELSE $4 END,
                escalation_level = CASE WHEN w.stays THEN t.escalation_level ELSE $5 END,
                partner_id = CASE WHEN w.stays THEN t.partner_id ELSE $6 END,
                watched = CASE WHEN w.stays THEN t.watched ELSE $7 END,
                wants_partner = CASE WHEN w.stays THEN t.wants_partner ELSE $8 END,
                version = t.version + 1
            FROM was AS w
            WHERE t.tenant_id = w.tenant_id AND t.ticket_id = w.ticket_id
            RETURNING t.assigned_to, w.stays
        ), told AS (
            INSERT INTO fleet.event (tenant_id, kind, subject, payload)
            SELECT $1, e.kind, $2::uuid::text, $9
            FROM changed AS c
            CROSS JOIN LATERAL (VALUES ('ticket.triaged', true), ('ticket.assigned', NOT c.stays)) AS e (kind, happened)
            WHERE e.happened
        )
        INSERT INTO fleet.audit (key_id, key_name, tenant_id, action, subject, detail, request_ids)
        SELECT '00000000-0000-0000-0000-000000000000', left($10, 200), $1, 'tickets.triage', $2::uuid::text, $9, ARRAY['job']
        FROM changed"#,
        tenant.0,
        ticket,
        effect.category,
        effect.priority.name(),
        effect.route.level(),
        effect.partner,
        effect.watched,
        effect.wants_partner,
        told,
        by,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Sends the draft of an answer by itself; it meets no promise, for nobody has looked.
pub(super) async fn send(
    conn: &mut PgConnection,
    tenant: TenantId,
    ticket: Uuid,
    draft: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        r#"-- triage.send
        INSERT INTO fleet.ticket_messages (tenant_id, message_id, ticket_id, author, body) VALUES ($1, $2, $3, 'automatic', $4)"#,
        tenant.0,
        Uuid::now_v7(),
        ticket,
        draft,
    )
    .execute(conn)
    .await?;
    Ok(())
}
