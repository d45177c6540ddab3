//! Stores computed capacities with their history and their events: one statement, so that none is told without being true.
//!
//! A capacity is stored only over the version that was read together with its inputs. Whoever finds another there has been
//! overtaken, and learns it from what is given back.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use sqlx::PgConnection;
use uuid::Uuid;

use super::formula::{Scored, score};
use super::gather::Gathered;
use super::level::Level;
use super::settings::Settings;
use crate::settings::Version;

/// A capacity about to be stored.
pub(super) struct Computed {
    gathered: Gathered,
    pub(super) scored: Scored,
    pub(super) level: Level,
}

impl Computed {
    pub(super) fn of(gathered: Gathered, settings: &Settings) -> Self {
        let scored = score(&gathered.inputs, &gathered.prior, settings);
        let headroom = scored.components.headroom;
        let before = gathered.before.as_ref();
        let level = before.map_or(Level::of(headroom, settings), |before| {
            before.level.after(headroom, settings)
        });
        Self {
            gathered,
            scored,
            level,
        }
    }

    /// Whether it differs from what it follows, and so belongs into the history.
    fn differs(&self) -> bool {
        let (scored, cap) = (&self.scored, self.gathered.inputs.cap);
        self.gathered.before.as_ref().is_none_or(|before| {
            let figures = [
                before.load - scored.load,
                before.score - scored.score,
                before.cap - cap,
            ];
            // Hundredths are the smallest difference there is.
            figures.iter().any(|by| by.abs() > 0.005) || before.level != self.level
        })
    }

    fn components(&self) -> Value {
        let (inputs, prior) = (&self.gathered.inputs, &self.gathered.prior);
        let mut parts = serde_json::to_value(self.scored.components).expect("plain numbers");
        parts["from"] = json!({
            "clients_weight": inputs.clients_weight, "open_tickets": inputs.open_tickets,
            "active_campaigns": inputs.active_campaigns, "away": inputs.away,
            "sla_hits": inputs.sla_hits, "sla_total": inputs.sla_total, "sla_mean": prior.sla_mean,
            "response_hours": inputs.response_hours, "successes": inputs.successes, "outcomes": inputs.outcomes,
            "success_mean": prior.success_mean, "success_strength": prior.success_strength,
        });
        parts
    }

    /// The events it is worth: a jump of the score or another level, and an alert where the level rose.
    fn events(&self, news: f64) -> Vec<(&'static str, Value)> {
        let before = self.gathered.before.as_ref();
        let was = before.map_or(Level::Open, |before| before.level);
        let jumped = before.is_some_and(|it| (it.score - self.scored.score).abs() >= news);
        let payload = json!({
            "from": before.map(|before| before.score), "to": self.scored.score,
            "headroom": self.scored.components.headroom, "level": self.level, "was": was,
        });
        let mut events = Vec::new();
        if jumped || was != self.level {
            events.push(("capacity.changed", payload.clone()));
        }
        if self.level > was {
            events.push(("capacity.near_full", payload));
        }
        events
    }
}

/// The columns of many capacities, each a list.
#[derive(Default)]
struct Columns {
    tenants: Vec<Uuid>,
    partners: Vec<Uuid>,
    loads: Vec<f64>,
    caps: Vec<f64>,
    scores: Vec<f64>,
    confidences: Vec<f64>,
    levels: Vec<&'static str>,
    components: Vec<Value>,
    versions: Vec<i64>,
    differ: Vec<bool>,
}

impl Columns {
    fn push(&mut self, it: &Computed) {
        self.tenants.push(it.gathered.tenant);
        self.partners.push(it.gathered.partner);
        self.loads.push(it.scored.load);
        self.caps.push(it.gathered.inputs.cap);
        self.scores.push(it.scored.score);
        self.confidences.push(it.scored.confidence);
        self.levels.push(it.level.name());
        self.components.push(it.components());
        let before = it.gathered.before.as_ref();
        self.versions
            .push(before.map_or(0, |before| before.version));
        self.differ.push(it.differs());
    }
}

/// Events of many capacities, each column a list.
#[derive(Default)]
struct Told {
    partners: Vec<Uuid>,
    kinds: Vec<&'static str>,
    payloads: Vec<Value>,
}

/// Stores what nobody has stored anew since it was gathered. Gives the partners that were stored.
pub(super) async fn record(
    conn: &mut PgConnection,
    computed: &[Computed],
    version: &Version<Settings>,
    as_of: DateTime<Utc>,
) -> Result<Vec<Uuid>, sqlx::Error> {
    let (mut columns, mut told) = (Columns::default(), Told::default());
    for it in computed {
        columns.push(it);
        for (kind, payload) in it.events(version.settings.news) {
            told.partners.push(it.gathered.partner);
            told.kinds.push(kind);
            told.payloads.push(payload);
        }
    }
    store(conn, &columns, &told, version.version, as_of).await
}

async fn store(
    conn: &mut PgConnection,
    new: &Columns,
    told: &Told,
    settings_version: i32,
    as_of: DateTime<Utc>,
) -> Result<Vec<Uuid>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"-- capacity.store
        WITH new AS (
            SELECT *
            FROM unnest($1::uuid[], $2::uuid[], $3::float8[], $4::float8[], $5::float8[], $6::float8[], $7::text[], $8::jsonb[], $9::bigint[], $10::boolean[])
                AS n (tenant_id, partner_id, load, cap, score, confidence, level, components, read_version, differs)
        ), stored AS (
            INSERT INTO fleet.partner_capacity AS c
                (tenant_id, partner_id, load, cap, score, confidence, level, components, inputs_version, computed_at, settings_version)
            SELECT tenant_id, partner_id, load, cap, score, confidence, level, components, read_version + 1, $11, $15
            FROM new
            ORDER BY partner_id -- in one order, so that two that store the same partners never wait for each other
            ON CONFLICT (tenant_id, partner_id) DO UPDATE
            SET load = EXCLUDED.load, cap = EXCLUDED.cap, score = EXCLUDED.score, confidence = EXCLUDED.confidence,
                level = EXCLUDED.level, components = EXCLUDED.components, inputs_version = EXCLUDED.inputs_version,
                computed_at = EXCLUDED.computed_at, settings_version = EXCLUDED.settings_version
            WHERE c.inputs_version = EXCLUDED.inputs_version - 1
            RETURNING tenant_id, partner_id, inputs_version
        ), kept AS (
            INSERT INTO fleet.capacity_history (tenant_id, partner_id, inputs_version, load, cap, score, level, computed_at, settings_version)
            SELECT s.tenant_id, s.partner_id, s.inputs_version, n.load, n.cap, n.score, n.level, $11, $15
            FROM stored AS s
            JOIN new AS n ON n.partner_id = s.partner_id
            WHERE n.differs
        ), told AS (
            INSERT INTO fleet.event (tenant_id, kind, subject, payload)
            SELECT s.tenant_id, e.kind, s.partner_id::text, e.payload
            FROM unnest($12::uuid[], $13::text[], $14::jsonb[]) AS e (partner_id, kind, payload)
            JOIN stored AS s ON s.partner_id = e.partner_id
        )
        SELECT partner_id AS "partner_id!" FROM stored"#,
        &new.tenants,
        &new.partners,
        &new.loads,
        &new.caps,
        &new.scores,
        &new.confidences,
        &new.levels as &[&str],
        &new.components,
        &new.versions,
        &new.differ,
        as_of,
        &told.partners,
        &told.kinds as &[&str],
        &told.payloads,
        settings_version,
    )
    .fetch_all(conn)
    .await
}
