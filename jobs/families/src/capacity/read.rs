//! What people see of capacities. Row-level security decides which partners exist for the session.

use chrono::{DateTime, Utc};
use fleet_queue::TenantId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;

/// Most past capacities that are shown.
pub const HISTORY_MAX: i64 = 200;

/// A partner's capacity.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Capacity {
    /// The partner.
    pub partner_id: Uuid,
    /// What it is called.
    pub name: String,
    /// `standard` or `senior`.
    pub tier: String,
    /// `active`, `paused` or `inactive`.
    pub status: String,
    /// Its own cap, where it has one.
    pub max_load: Option<f64>,
    /// What it is busy with.
    pub load: f64,
    /// The most it takes.
    pub cap: f64,
    /// 0 to 100; 0 takes no new work.
    pub score: f64,
    /// How much of the promises' part is its own history and not its tier's, 0 to 1.
    pub confidence: f64,
    /// `open`, `near_full` or `full`.
    pub level: String,
    /// Headroom, promises, response and success, each 0 to 1, and the figures they come from.
    pub components: Value,
    /// Rises with each computation.
    pub inputs_version: i64,
    /// The version of the capacity settings it was computed by.
    pub settings_version: i32,
    /// As of when.
    pub computed_at: DateTime<Utc>,
    /// How it came there, latest first.
    pub history: Vec<Past>,
}

/// A capacity as it was.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Past {
    /// As of when.
    pub computed_at: DateTime<Utc>,
    /// What it was busy with.
    pub load: f64,
    /// The most it took.
    pub cap: f64,
    /// Its score.
    pub score: f64,
    /// How full it was.
    pub level: String,
    /// The version of the capacity settings it was computed by.
    pub settings_version: i32,
}

/// A partner's capacity with its latest `past` changes. `None` where the session may not know of the partner, or it was never scored.
pub async fn capacity_of(
    conn: &mut PgConnection,
    partner: Uuid,
    past: i64,
) -> Result<Option<Capacity>, sqlx::Error> {
    let found = sqlx::query!(
        r#"-- capacity.of
        SELECT p.partner_id, p.name, p.tier, p.status, p.max_load::float8 AS max_load, c.load::float8 AS "load!", c.cap::float8 AS "cap!",
               c.score::float8 AS "score!", c.confidence::float8 AS "confidence!", c.level, c.components, c.inputs_version, c.settings_version, c.computed_at,
               COALESCE((SELECT jsonb_agg(to_jsonb(h) ORDER BY h.inputs_version DESC)
                         FROM (SELECT * FROM fleet.capacity_history AS h
                               WHERE h.tenant_id = c.tenant_id AND h.partner_id = c.partner_id
                               ORDER BY h.inputs_version DESC LIMIT $2) AS h), '[]') AS "history!: Json<Vec<Past>>"
        FROM fleet.partners AS p
        JOIN fleet.partner_capacity AS c ON c.tenant_id = p.tenant_id AND c.partner_id = p.partner_id
        WHERE p.partner_id = $1"#,
        partner,
        past.clamp(0, HISTORY_MAX),
    )
    .fetch_optional(conn)
    .await?;
    Ok(found.map(|it| Capacity {
        partner_id: it.partner_id,
        name: it.name,
        tier: it.tier,
        status: it.status,
        max_load: it.max_load,
        load: it.load,
        cap: it.cap,
        score: it.score,
        confidence: it.confidence,
        level: it.level,
        components: it.components,
        inputs_version: it.inputs_version,
        settings_version: it.settings_version,
        computed_at: it.computed_at,
        history: it.history.0,
    }))
}

/// A partner in a list.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Listed {
    /// The partner.
    pub partner_id: Uuid,
    /// What it is called.
    pub name: String,
    /// `standard` or `senior`.
    pub tier: String,
    /// `active`, `paused` or `inactive`.
    pub status: String,
    /// What it is busy with; absent where it was never scored, like what follows.
    pub load: Option<f64>,
    /// The most it takes.
    pub cap: Option<f64>,
    /// 0 to 100.
    pub score: Option<f64>,
    /// `open`, `near_full` or `full`.
    pub level: Option<String>,
}

/// Partners with room first, at most `limit`; only those of that id or name, where one is given.
pub async fn list_capacity(
    conn: &mut PgConnection,
    called: Option<&str>,
    limit: i64,
) -> Result<Vec<Listed>, sqlx::Error> {
    sqlx::query_as!(
        Listed,
        r#"-- capacity.list
        SELECT p.partner_id, p.name, p.tier, p.status, c.load::float8 AS load, c.cap::float8 AS cap, c.score::float8 AS score,
               c.level AS "level?"
        FROM fleet.partners AS p
        LEFT JOIN fleet.partner_capacity AS c ON c.tenant_id = p.tenant_id AND c.partner_id = p.partner_id
        WHERE $1::text IS NULL OR lower(p.name) = lower($1) OR p.partner_id::text = lower($1)
        ORDER BY c.score DESC NULLS LAST, p.name, p.partner_id
        LIMIT $2"#,
        called,
        limit,
    )
    .fetch_all(conn)
    .await
}

/// Whose partner it is. `None` where the session may not know of it.
pub async fn tenant_of(
    conn: &mut PgConnection,
    partner: Uuid,
) -> Result<Option<TenantId>, sqlx::Error> {
    let tenant = sqlx::query_scalar!(
        r#"-- capacity.tenant_of
        SELECT tenant_id FROM fleet.partners WHERE partner_id = $1"#,
        partner,
    )
    .fetch_optional(conn)
    .await?;
    Ok(tenant.map(TenantId))
}

/// How many partners are near full and how many are full, for the gauge.
pub(crate) async fn filled(conn: &mut PgConnection) -> Result<Vec<(String, i64)>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"-- capacity.filled
        SELECT l.level AS "level!", count(c.partner_id) AS "partners!"
        FROM (VALUES ('near_full'), ('full')) AS l (level)
        LEFT JOIN fleet.partner_capacity AS c ON c.level = l.level
        GROUP BY l.level"#
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.level, row.partners))
        .collect())
}
