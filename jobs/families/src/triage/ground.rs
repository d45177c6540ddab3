//! What a tenant's tickets are sorted by at a moment: settings, policy, model, articles and hours. Read in one statement, because every
//! ticket asks for all of it.

use std::collections::HashMap;

use chrono::NaiveDate;
use fleet_queue::TenantId;
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use super::DECISION;
use super::kb::Stamp;
use super::models::ModelVersion;
use super::settings::InForce;
use super::sla::Calendar;
use crate::approval::Policy;

/// It. A tenant's own goes before the platform's, each for itself.
#[derive(Clone, Debug)]
pub(crate) struct Ground {
    pub(crate) in_force: InForce,
    pub(super) policy: Policy,
    /// `None` before the first was trained.
    pub(super) model: Option<ModelVersion>,
    pub(super) articles: Stamp,
    pub(super) calendar: Calendar,
}

/// A row of it.
struct Row {
    tenant_id: Uuid,
    own_version: Option<i32>,
    own: Option<Value>,
    platform_version: Option<i32>,
    platform: Option<Value>,
    review: Option<String>,
    threshold: Option<f64>,
    model: Option<Uuid>,
    database: String,
    articles: i64,
    changed: Option<chrono::DateTime<chrono::Utc>>,
    zone: Option<String>,
    work_days: Option<Vec<i16>>,
    opens: Option<i16>,
    closes: Option<i16>,
    holidays: Vec<NaiveDate>,
}

/// Reads it, as far as the session may see.
pub(crate) async fn ground(
    conn: &mut PgConnection,
    tenant: TenantId,
) -> Result<Ground, sqlx::Error> {
    let mut grounds = grounds(conn, &[tenant]).await?;
    Ok(grounds.remove(&tenant).expect("a row a tenant"))
}

/// Reads that of several tenants.
pub(super) async fn grounds(
    conn: &mut PgConnection,
    tenants: &[TenantId],
) -> Result<HashMap<TenantId, Ground>, sqlx::Error> {
    let ids: Vec<Uuid> = tenants.iter().map(|tenant| tenant.0).collect();
    let rows = sqlx::query_as!(
        Row,
        r#"-- triage.ground
        SELECT t.tenant_id AS "tenant_id!", own.version AS "own_version?", own.settings AS "own?", everybody.version AS "platform_version?", everybody.settings AS "platform?",
               policy.review AS "review?", policy.threshold::float8 AS threshold, model.model_version AS "model?",
               current_database()::text AS "database!", kb.articles AS "articles!", kb.changed,
               hours.zone AS "zone?", hours.work_days AS "work_days?", hours.opens AS "opens?", hours.closes AS "closes?",
               ARRAY(SELECT day FROM fleet.holidays
                     WHERE tenant_id IN (t.tenant_id, '00000000-0000-0000-0000-000000000000') AND day > fleet.clock()::date - 400) AS "holidays!"
        FROM unnest($1::uuid[]) AS t (tenant_id)
        CROSS JOIN LATERAL (SELECT count(*) AS articles, max(updated_at) AS changed FROM fleet.kb_articles
              WHERE tenant_id IN (t.tenant_id, '00000000-0000-0000-0000-000000000000') AND published) AS kb
        LEFT JOIN LATERAL (SELECT version, settings FROM fleet.triage_settings
              WHERE tenant_id = t.tenant_id ORDER BY version DESC LIMIT 1) AS own ON true
        LEFT JOIN LATERAL (SELECT version, settings FROM fleet.triage_settings
              WHERE tenant_id = '00000000-0000-0000-0000-000000000000' ORDER BY version DESC LIMIT 1) AS everybody ON true
        LEFT JOIN LATERAL (SELECT review, threshold FROM fleet.approval_policies
              WHERE decision = $2 AND tenant_id IN (t.tenant_id, '00000000-0000-0000-0000-000000000000')
              ORDER BY tenant_id DESC, version DESC LIMIT 1) AS policy ON true
        LEFT JOIN LATERAL (SELECT model_version FROM fleet.triage_models
              WHERE status = 'active' AND tenant_id IN (t.tenant_id, '00000000-0000-0000-0000-000000000000')
              ORDER BY tenant_id DESC LIMIT 1) AS model ON true
        LEFT JOIN LATERAL (SELECT zone, work_days, opens, closes FROM fleet.business_hours
              WHERE tenant_id IN (t.tenant_id, '00000000-0000-0000-0000-000000000000') ORDER BY tenant_id DESC LIMIT 1) AS hours ON true"#,
        &ids,
        DECISION,
    )
    .fetch_all(conn)
    .await?;
    let read = |row: Row| (TenantId(row.tenant_id), row.read());
    Ok(rows.into_iter().map(read).collect())
}

impl Row {
    fn read(self) -> Ground {
        let plain = Calendar::default();
        let days = |days: Vec<i16>| days.iter().map(|day| *day as u8).collect();
        Ground {
            in_force: InForce::of(
                self.own_version.zip(self.own),
                self.platform_version.zip(self.platform),
            ),
            policy: Policy::of(self.review.as_deref().zip(self.threshold)),
            model: self.model.map(ModelVersion),
            articles: Stamp::new(self.database, self.articles, self.changed),
            calendar: Calendar {
                // PostgreSQL may know a zone that we do not; promises then run in UTC rather than not at all.
                zone: self
                    .zone
                    .and_then(|zone| zone.parse().ok())
                    .unwrap_or(plain.zone),
                work_days: self.work_days.map_or(plain.work_days, days),
                opens: self.opens.map_or(plain.opens, |minute| minute as u16),
                closes: self.closes.map_or(plain.closes, |minute| minute as u16),
                holidays: self.holidays.into_iter().collect(),
            },
        }
    }
}
