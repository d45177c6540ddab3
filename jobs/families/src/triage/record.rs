//! Writes what triage found: facts always, decisions where they may be applied, in one statement with their events and the audit.
//!
//! The caller holds the ticket. What a person has set stays, field by field.

use fleet_queue::TenantId;
use serde_json::{Value, json};
use sqlx::PgConnection;
use uuid::Uuid;

use super::decide::Decision;
use super::kb::Found;
use super::likes::Like;
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

/// What was found out about a ticket and decided of it, whether it is applied or not.
pub(super) struct Facts<'a> {
    pub(super) revision: i32,
    pub(super) text: &'a Text,
    pub(super) decision: &'a Decision,
    pub(super) suggestions: &'a [Found],
    pub(super) draft: &'a str,
    /// What it was decided by and with.
    pub(super) model: &'a str,
    pub(super) settings_version: i32,
    pub(super) threshold: f64,
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

/// Writes which earlier tickets it looks like.
pub(super) async fn links(
    conn: &mut PgConnection,
    tenant: TenantId,
    ticket: Uuid,
    likes: &[Like],
) -> Result<(), sqlx::Error> {
    if likes.is_empty() {
        return Ok(());
    }
    let reasons: Vec<&str> = likes.iter().map(|like| like.reason).collect();
    sqlx::query!(
        r#"-- triage.links
        INSERT INTO fleet.ticket_links (tenant_id, ticket_id, other_id, reason, distance)
        SELECT $1, $2, l.* FROM unnest($3::uuid[], $4::text[], $5::smallint[]) AS l
        ON CONFLICT DO NOTHING"#,
        tenant.0,
        ticket,
        &likes.iter().map(|like| like.other).collect::<Vec<_>>(),
        &reasons as &[&str],
        &likes.iter().map(|like| like.distance).collect::<Vec<_>>(),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Writes facts with their decision and applies an effect, whichever there is: one change of the ticket, with its events and the audit, in
/// which the second of the effect stands as who did it. An escalated ticket stays where it was brought; a revision that this model
/// decided before stays decided as it was.
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
    let decision = facts.map(|it| it.decision);
    let effect = effect.map(|(effect, _)| effect);
    sqlx::query_file!(
        "src/triage/change.sql",
        tenant.0,
        ticket,
        facts.map(|it| it.revision),
        facts.and_then(|it| it.text.language.clone()),
        decision.map(|it| it.mood.compound),
        facts.and_then(|it| it.text.simhash).map(|hash| hash as i64),
        facts.map(Facts::suggested),
        facts.map(|it| it.draft),
        decision.map(|it| it.review.is_some()),
        effect.map(|it| it.category.as_str()),
        effect.map(|it| it.priority.name()),
        effect.map(|it| it.route.level()),
        effect.and_then(|it| it.partner),
        effect.map(|it| it.watched),
        effect.map(|it| it.wants_partner),
        told,
        by,
        facts.map(|it| it.model),
        facts.map(|it| it.settings_version),
        facts.map(|it| it.threshold),
        decision.map(|it| it.category.as_str()),
        decision.map(|it| it.priority.name()),
        decision.map(|it| it.routed.route.name()),
        decision.map(|it| it.confidence.clamp(0.0, 1.0)),
        decision.map(|it| &it.explanation),
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
