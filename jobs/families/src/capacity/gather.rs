//! Reads everything the score of some partners rests on, in one statement: whatever it sees was true at one moment.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::formula::Inputs;
use super::level::Level;
use super::priors::TierPrior;
use super::settings::Settings;
use crate::settings::Versioned;
use crate::settings::{SettingsError, Version};

/// A partner with its inputs, and with what is stored of it now.
pub(super) struct Gathered {
    pub(super) tenant: Uuid,
    pub(super) partner: Uuid,
    pub(super) inputs: Inputs,
    pub(super) prior: TierPrior,
    pub(super) before: Option<Before>,
}

/// The capacity that a new one is to follow.
pub(super) struct Before {
    pub(super) version: i64,
    pub(super) load: f64,
    pub(super) cap: f64,
    pub(super) score: f64,
    pub(super) level: Level,
    pub(super) computed_at: DateTime<Utc>,
}

/// A row of the statement.
struct Row {
    tenant_id: Uuid,
    partner_id: Uuid,
    tier: String,
    max_load: Option<f64>,
    away: bool,
    clients_weight: f64,
    open_tickets: i64,
    active_campaigns: i64,
    sla_hits: i64,
    sla_total: i64,
    response_hours: Option<f64>,
    successes: i64,
    outcomes: i64,
    sla_mean: f64,
    success_mean: f64,
    success_strength: f64,
    version: Option<i64>,
    load: Option<f64>,
    old_cap: Option<f64>,
    score: Option<f64>,
    level: Option<String>,
    computed_at: Option<DateTime<Utc>>,
}

impl Row {
    fn before(&self) -> Option<Before> {
        Some(Before {
            version: self.version?,
            load: self.load?,
            cap: self.old_cap?,
            score: self.score?,
            level: Level::named(self.level.as_deref()?)?,
            computed_at: self.computed_at?,
        })
    }
}

impl Row {
    fn gathered(&self, settings: &Settings) -> Gathered {
        Gathered {
            tenant: self.tenant_id,
            partner: self.partner_id,
            before: self.before(),
            inputs: Inputs {
                clients_weight: self.clients_weight,
                open_tickets: self.open_tickets,
                active_campaigns: self.active_campaigns,
                cap: self
                    .max_load
                    .unwrap_or_else(|| settings.caps.of(&self.tier)),
                away: self.away,
                sla_hits: self.sla_hits,
                sla_total: self.sla_total,
                response_hours: self.response_hours,
                successes: self.successes,
                outcomes: self.outcomes,
            },
            prior: TierPrior {
                sla_mean: self.sla_mean,
                success_mean: self.success_mean,
                success_strength: self.success_strength,
            },
        }
    }
}

/// Those of the partners that there are, and the settings to score them by. `as_of` moves leave and the trailing ninety days; the load is
/// what it is now. The settings are read last: they are never older than those by which the stored version was scored.
pub(super) async fn gather(
    conn: &mut PgConnection,
    partners: &[Uuid],
    as_of: DateTime<Utc>,
) -> Result<(Vec<Gathered>, Version<Settings>), SettingsError> {
    let rows = sqlx::query_as!(
        Row,
        r#"-- capacity.gather
        SELECT p.tenant_id AS "tenant_id!", p.partner_id AS "partner_id!",
               p.tier AS "tier!", p.max_load::float8 AS max_load,
               (p.status <> 'active' OR EXISTS (
                   SELECT FROM fleet.partner_leaves AS l
                   WHERE l.partner_id = p.partner_id AND l.ends_at > $2 AND l.starts_at <= $2
                     AND (p.tenant_id = '00000000-0000-0000-0000-000000000000' OR l.tenant_id = p.tenant_id))) AS "away!",
               a.weight + v.weight AS "clients_weight!", t.open AS "open_tickets!", r.running AS "active_campaigns!",
               s.hits AS "sla_hits!", s.total AS "sla_total!", f.hours AS response_hours, o.met AS "successes!", o.total AS "outcomes!",
               q.sla_mean AS "sla_mean!", q.success_mean AS "success_mean!", q.success_strength AS "success_strength!",
               c.inputs_version AS "version?", c.load::float8 AS load, c.cap::float8 AS old_cap, c.score::float8 AS score,
               c.level AS "level?", c.computed_at AS "computed_at?"
        FROM unnest($1::uuid[]) AS w (partner_id)
        JOIN fleet.partners AS p ON p.partner_id = w.partner_id
        JOIN fleet.capacity_priors AS q ON q.tier = p.tier
        LEFT JOIN fleet.partner_capacity AS c ON c.tenant_id = p.tenant_id AND c.partner_id = p.partner_id
        -- The platform's partners work for every tenant; a tenant's own answers to what that tenant says of it and to nobody else.
        CROSS JOIN LATERAL (
            SELECT COALESCE(sum(x.weight), 0)::float8 AS weight FROM fleet.client_assignments AS x
            WHERE x.partner_id = p.partner_id AND x.ended_at IS NULL
              AND (p.tenant_id = '00000000-0000-0000-0000-000000000000' OR x.tenant_id = p.tenant_id)) AS a
        -- What is kept for a client while a person decides is as good as taken.
        CROSS JOIN LATERAL (
            SELECT COALESCE(sum(x.weight), 0)::float8 AS weight FROM fleet.assignment_reservations AS x
            WHERE x.partner_id = p.partner_id AND x.ended_at IS NULL
              AND (p.tenant_id = '00000000-0000-0000-0000-000000000000' OR x.tenant_id = p.tenant_id)) AS v
        CROSS JOIN LATERAL (
            SELECT count(*) AS open FROM fleet.tickets AS x
            WHERE x.partner_id = p.partner_id AND x.on_clock
              AND (p.tenant_id = '00000000-0000-0000-0000-000000000000' OR x.tenant_id = p.tenant_id)) AS t
        CROSS JOIN LATERAL (
            SELECT count(*) AS running FROM fleet.campaigns AS x
            WHERE x.partner_id = p.partner_id AND x.ended_on IS NULL
              AND (p.tenant_id = '00000000-0000-0000-0000-000000000000' OR x.tenant_id = p.tenant_id)) AS r
        CROSS JOIN LATERAL (
            SELECT count(*) FILTER (WHERE x.met) AS hits, count(*) AS total FROM fleet.sla_outcomes AS x
            WHERE x.partner_id = p.partner_id AND x.decided_at > $2::timestamptz - interval '90 days' AND x.decided_at <= $2
              AND (p.tenant_id = '00000000-0000-0000-0000-000000000000' OR x.tenant_id = p.tenant_id)) AS s
        CROSS JOIN LATERAL (
            SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY x.first_response_hours) AS hours FROM fleet.tickets AS x
            WHERE x.partner_id = p.partner_id AND x.first_response_at > $2::timestamptz - interval '90 days' AND x.first_response_at <= $2
              AND (p.tenant_id = '00000000-0000-0000-0000-000000000000' OR x.tenant_id = p.tenant_id)) AS f
        CROSS JOIN LATERAL (
            SELECT count(*) FILTER (WHERE x.goal_met) AS met, count(*) AS total FROM fleet.campaign_outcomes AS x
            WHERE x.partner_id = p.partner_id AND x.decided_at <= $2
              AND (p.tenant_id = '00000000-0000-0000-0000-000000000000' OR x.tenant_id = p.tenant_id)) AS o"#,
        partners,
        as_of,
    )
    .fetch_all(&mut *conn)
    .await?;
    let version = Settings::current(conn).await?;
    let gathered = |row: &Row| row.gathered(&version.settings);
    Ok((rows.iter().map(gathered).collect(), version))
}
