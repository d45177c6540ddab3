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

impl Facts<'_> {
    fn suggested(&self) -> Value {
        let round = |score: f64| (score * 100.0).round() / 100.0;
        let articles = self.suggestions.iter();
        articles
            .map(|it| json!({ "article_id": it.id, "title": it.title, "score": round(it.score) }))
            .collect()
    }
}

/// What a decision was made by and with.
pub(super) struct Basis<'a> {
    pub(super) model: &'a str,
    pub(super) settings_version: i32,
    pub(super) threshold: f64,
    pub(super) revision: i32,
    pub(super) likes: &'a [Like],
}

/// Writes the decision and the links; a revision that this model decided before stays decided as it was.
pub(super) async fn decision(
    conn: &mut PgConnection,
    tenant: TenantId,
    ticket: Uuid,
    decision: &Decision,
    basis: &Basis<'_>,
) -> Result<(), sqlx::Error> {
    let others: Vec<Uuid> = basis.likes.iter().map(|like| like.other).collect();
    let reasons: Vec<&str> = basis
        .likes
        .iter()
        .map(|like| like.reason.as_str())
        .collect();
    let distances: Vec<i16> = basis.likes.iter().map(|like| like.distance).collect();
    sqlx::query!(
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
        basis.revision,
        basis.model,
        basis.settings_version,
        decision.category,
        decision.priority.name(),
        decision.routed.route.name(),
        decision.confidence.clamp(0.0, 1.0),
        basis.threshold,
        decision.explanation,
        &others,
        &reasons as &[&str],
        &distances,
        decision.review.is_some(),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Writes facts and applies an effect, whichever there is: one change of the ticket, with its events and the audit, in which the second
/// of the effect stands as who did it. An escalated ticket stays where it was brought.
pub(super) async fn change(
    conn: &mut PgConnection,
    tenant: TenantId,
    ticket: Uuid,
    facts: Option<&Facts<'_>>,
    effect: Option<(&Effect, &str)>,
) -> Result<(), sqlx::Error> {
    let told = effect.map(|(it, by)| {
        json!({ "category": it.category, "priority": it.priority, "route": it.route, "partner_id": it.partner, "by": by })
    });
    let by = effect.map(|(_, by)| by);
    let effect = effect.map(|(effect, _)| effect);
    sqlx::query_file!(
        "src/triage/change.sql",
        tenant.0,
        ticket,
        facts.map(|it| it.revision),
        facts.and_then(|it| it.text.language.clone()),
        facts.map(|it| it.sentiment),
        facts.and_then(|it| it.text.simhash).map(|hash| hash as i64),
        facts.map(Facts::suggested),
        facts.map(|it| it.draft),
        facts.map(|it| it.needs_review),
        effect.map(|it| it.category.as_str()),
        effect.map(|it| it.priority.name()),
        effect.map(|it| it.route.level()),
        effect.and_then(|it| it.partner),
        effect.map(|it| it.watched),
        effect.map(|it| it.wants_partner),
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
