//! Writes what triage found: facts always, decisions where they may be applied, in one statement with their events and the audit.
//!
//! The caller holds the ticket. What a person has set stays, field by field.

use fleet_queue::TenantId;
use serde_json::{Map, Value, json};
use sqlx::PgConnection;
use uuid::Uuid;

use super::decide::Decision;
use super::kb::Found;
use super::likes::Like;
use super::priority::Priority;
use super::route::Route;
use super::text::Text;
use crate::tickets::Key;

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

    fn columns(&self, by: &str) -> Map<String, Value> {
        let told = json!({ "category": self.category, "priority": self.priority, "route": self.route, "partner_id": self.partner, "by": by });
        object(json!({
            "category": self.category, "priority": self.priority, "level": self.route.level(), "partner_id": self.partner,
            "watched": self.watched, "wants_partner": self.wants_partner, "told": told, "by": by,
        }))
    }
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
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

    fn columns(&self) -> Map<String, Value> {
        let it = self.decision;
        let decision = json!({ "category": it.category, "priority": it.priority, "route": it.routed.route,
            "confidence": it.confidence.clamp(0.0, 1.0), "explanation": it.explanation });
        object(json!({
            "revision": self.revision, "language": self.text.language, "sentiment": it.mood.compound,
            "simhash": self.text.simhash.map(|hash| hash as i64), "suggestions": self.suggested(), "draft": self.draft,
            "review": it.review.is_some(), "model": self.model, "settings_version": self.settings_version, "threshold": self.threshold,
            "decision": decision,
        }))
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

/// A change of a ticket: facts with their decision, an effect with who did it, or both.
pub(super) struct Change<'a> {
    pub(super) key: Key,
    pub(super) facts: Option<&'a Facts<'a>>,
    pub(super) effect: Option<(&'a Effect, &'a str)>,
}

impl Change<'_> {
    /// As the statement reads it.
    fn row(&self) -> Value {
        let (TenantId(tenant), ticket) = self.key;
        let mut row = json!({ "tenant_id": tenant, "ticket_id": ticket });
        let columns = row.as_object_mut().expect("it is one");
        for part in [
            self.facts.map(Facts::columns),
            self.effect.map(|(effect, by)| effect.columns(by)),
        ] {
            columns.extend(part.unwrap_or_default());
        }
        row
    }
}

/// Changes tickets with their events and the audit. An escalated ticket stays where it was brought; a revision that this model decided
/// before stays decided as it was.
pub(super) async fn change(
    conn: &mut PgConnection,
    changes: &[Change<'_>],
) -> Result<(), sqlx::Error> {
    let rows: Vec<Value> = changes.iter().map(Change::row).collect();
    sqlx::query_file!("src/triage/change.sql", &rows)
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
